"""Create the tables of Celery Beat's database scheduler.

The downgrade drops them; if they have rows, only with `--yes`. Those that mirror a job (017) are
none: the job stays.

Revision ID: 008
Revises: 007
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection, text

revision = "008"
down_revision: str | None = "007"
branch_labels = None
depends_on = None

DROPPED = ("celery_beat_schedule_entry", "celery_interval_schedule", "celery_crontab_schedule")
MIRROR = """
    SELECT FROM automation_jobs AS job WHERE starts_with(entry.name, 'automation_')
        AND entry.kwargs ->> 'job_id' = CAST(job.id AS TEXT)
        AND entry.kwargs ->> 'user_id' = job.user_id
"""
SUPPORT = """
    SELECT count(*) FROM {table} AS row WHERE NOT EXISTS (
        SELECT FROM celery_beat_schedule_entry AS entry
        WHERE entry.{column} = row.id AND EXISTS ({mirror}))
"""
OWN_ROWS = {
    "celery_beat_schedule_entry": f"""
        SELECT count(*) FROM celery_beat_schedule_entry AS entry WHERE NOT EXISTS ({MIRROR})
    """,
    "celery_interval_schedule": SUPPORT.format(
        table="celery_interval_schedule", column="interval_id", mirror=MIRROR
    ),
    "celery_crontab_schedule": SUPPORT.format(
        table="celery_crontab_schedule", column="crontab_id", mirror=MIRROR
    ),
}


def losses(connection: Connection) -> list[str]:
    """The tables with rows among those that the downgrade drops."""
    counts = {table: connection.scalar(text(OWN_ROWS[table])) for table in DROPPED}
    return [f"{table} ({count})" for table, count in counts.items() if count]


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE celery_crontab_schedule (
            id SERIAL PRIMARY KEY,
            minute VARCHAR(240) DEFAULT '*' NOT NULL,
            hour VARCHAR(96) DEFAULT '*' NOT NULL,
            day_of_week VARCHAR(64) DEFAULT '*' NOT NULL,
            day_of_month VARCHAR(124) DEFAULT '*' NOT NULL,
            month_of_year VARCHAR(64) DEFAULT '*' NOT NULL,
            timezone VARCHAR(64) DEFAULT 'UTC' NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE celery_interval_schedule (
            id SERIAL PRIMARY KEY,
            every INTEGER NOT NULL,
            period VARCHAR(24) NOT NULL
        )
        """
    )
    op.execute(
        """
        CREATE TABLE celery_beat_schedule_entry (
            id SERIAL PRIMARY KEY,
            name VARCHAR(255) NOT NULL UNIQUE,
            task VARCHAR(255) NOT NULL,
            crontab_id INTEGER,
            interval_id INTEGER,
            args JSONB DEFAULT '[]',
            kwargs JSONB DEFAULT '{}',
            queue VARCHAR(255),
            exchange VARCHAR(255),
            routing_key VARCHAR(255),
            expires TIMESTAMP,
            enabled BOOLEAN DEFAULT TRUE,
            last_run_at TIMESTAMP,
            total_run_count INTEGER DEFAULT 0,
            date_changed TIMESTAMP DEFAULT timezone('utc', now()),
            description TEXT
        )
        """
    )


def downgrade() -> None:
    for table in DROPPED:
        op.execute(f"DROP TABLE {table}")
