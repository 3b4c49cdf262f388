"""Refactor automation jobs: the schedule's one column becomes a column a field.

The one column held `{"type": "crontab", "minute": …, "hour": …, "day_of_week": …,
"day_of_month": …, "month_of_year": …}` or `{"type": "interval", "every": …, "period": …}`.
A schedule of neither kind becomes a disabled crontab job whose `last_run_error` quotes it.
The downgrade writes the one column again and loses nothing.

Revision ID: 006
Revises: 005
"""

from __future__ import annotations

from alembic import op

revision = "006"
down_revision: str | None = "005"
branch_labels = None
depends_on = None

FIELDS = ("minute", "hour", "day_of_week", "day_of_month", "month_of_year")


def upgrade() -> None:
    crontab = ", ".join(f"ADD COLUMN crontab_{field} VARCHAR(100)" for field in FIELDS)
    op.execute(
        "ALTER TABLE automation_jobs ADD COLUMN schedule_type VARCHAR(20),"
        f" {crontab}, ADD COLUMN interval_every INTEGER, ADD COLUMN interval_period VARCHAR(20)"
    )
    values = ", ".join(f"crontab_{field} = left(schedule ->> '{field}', 100)" for field in FIELDS)
    op.execute(
        f"""
        UPDATE automation_jobs SET
            schedule_type = left(schedule ->> 'type', 20),
            {values},
            interval_every = CASE WHEN schedule ->> 'every' ~ '^[0-9]{{1,9}}$'
                THEN (schedule ->> 'every')::INTEGER END,
            interval_period = left(schedule ->> 'period', 20)
        """
    )
    op.execute(
        """
        UPDATE automation_jobs SET
            schedule_type = 'crontab', enabled = FALSE,
            last_run_error = 'The schedule was not understood: ' || schedule::TEXT
        WHERE schedule_type IS NULL OR schedule_type NOT IN ('crontab', 'interval')
        """
    )
    op.execute(
        "ALTER TABLE automation_jobs ALTER COLUMN schedule_type SET NOT NULL, DROP COLUMN schedule"
    )


def downgrade() -> None:
    crontab = ", ".join(f"'{field}', crontab_{field}" for field in FIELDS)
    op.execute("ALTER TABLE automation_jobs ADD COLUMN schedule JSONB")
    op.execute(
        f"""
        UPDATE automation_jobs SET schedule = jsonb_strip_nulls(jsonb_build_object(
            'type', schedule_type, {crontab}, 'every', interval_every, 'period', interval_period))
        """
    )
    dropped = ", ".join(f"DROP COLUMN crontab_{field}" for field in FIELDS)
    op.execute(
        "ALTER TABLE automation_jobs ALTER COLUMN schedule SET NOT NULL,"
        f" DROP COLUMN schedule_type, {dropped},"
        " DROP COLUMN interval_every, DROP COLUMN interval_period"
    )
