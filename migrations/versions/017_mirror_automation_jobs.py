"""Mirror automation jobs in Celery's tables, and keep the instants that they count from.

Each row of `automation_jobs` has one in `celery_beat_schedule_entry`, with a crontab or an interval
of its own, written by triggers in the transaction of the change, whoever makes it: as the owner,
because nobody else may write there for a tenant. A field that Celery's column is too short for
leaves the entry without a schedule. A new schedule is counted from now on, and so is one that is
switched on, in its old phase.

Runs that are counted do not move `date_changed`. The downgrade deletes the mirrored rows.

Revision ID: 017
Revises: 016
"""

from __future__ import annotations

from alembic import op

from leap_pipeline.db.same_tenant import fixed_path

revision = "017"
down_revision: str | None = "016"
branch_labels = None
depends_on = None

INDEX = """
CREATE INDEX idx_celery_beat_schedule_entry_job
    ON celery_beat_schedule_entry ((kwargs ->> 'job_id'))
"""
SCHEDULE = (
    "schedule_type",
    "crontab_minute",
    "crontab_hour",
    "crontab_day_of_week",
    "crontab_day_of_month",
    "crontab_month_of_year",
    "interval_every",
    "interval_period",
    "timezone",
)
MIRRORED = (*SCHEDULE, "job_type", "description", "enabled")


def changed(columns: tuple[str, ...]) -> str:
    """The SQL condition that one of the columns is not what it was."""
    new, old = (", ".join(f"{row}.{name}" for name in columns) for row in ("NEW", "OLD"))
    return f"({new}) IS DISTINCT FROM ({old})"


ARM = f"""
CREATE FUNCTION leap_arm_job() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    other BOOLEAN := {changed(SCHEDULE)};
BEGIN
    IF other AND NEW.anchored_at = OLD.anchored_at THEN
        NEW.anchored_at := now();
    END IF;
    IF (other OR NEW.enabled AND OLD.enabled IS NOT TRUE) AND NEW.armed_at = OLD.armed_at THEN
        NEW.armed_at := now();
    END IF;
    RETURN NEW;
END $$
"""

# The entry of a job, whatever its owner's slug is by now, by the index of its number: starts_with()
# would have the index of all names read.
ENTRY = """
    left(entry.name, 11) = 'automation_' AND entry.kwargs ->> 'job_id' = {job}::TEXT
        AND entry.kwargs ->> 'user_id' = {user}
"""
MIRROR = f"""
CREATE FUNCTION leap_mirror_job(given INTEGER) RETURNS VOID
    LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    job RECORD;
    owner RECORD;
    mirror celery_beat_schedule_entry;
    new_crontab INTEGER;
    new_interval INTEGER;
    new_name TEXT;
BEGIN
    SELECT automation_jobs.*, COALESCE(crontab_minute, '*') AS minute,
            COALESCE(crontab_hour, '*') AS hour, COALESCE(crontab_day_of_week, '*') AS weekday,
            COALESCE(crontab_day_of_month, '*') AS day,
            COALESCE(crontab_month_of_year, '*') AS month
        INTO STRICT job FROM automation_jobs WHERE id = given;
    SELECT user_slug::TEXT AS slug, COALESCE(job.timezone, timezone) AS zone
        INTO STRICT owner FROM users WHERE id = job.user_id;
    new_name := 'automation_' || lpad(owner.slug, greatest(6, length(owner.slug)), '0')
        || '_' || given;
    SELECT entry.* INTO mirror FROM celery_beat_schedule_entry AS entry
        WHERE {ENTRY.format(job="given", user="job.user_id")} FOR UPDATE;

    IF job.schedule_type = 'crontab' AND length(job.hour) <= 96 AND length(job.weekday) <= 64
        AND length(job.month) <= 64
    THEN
        UPDATE celery_crontab_schedule SET minute = job.minute, hour = job.hour,
            day_of_week = job.weekday, day_of_month = job.day, month_of_year = job.month,
            timezone = owner.zone WHERE id = mirror.crontab_id RETURNING id INTO new_crontab;
        IF new_crontab IS NULL THEN
            INSERT INTO celery_crontab_schedule
                (minute, hour, day_of_week, day_of_month, month_of_year, timezone)
            VALUES (job.minute, job.hour, job.weekday, job.day, job.month, owner.zone)
            RETURNING id INTO new_crontab;
        END IF;
    ELSE
        DELETE FROM celery_crontab_schedule WHERE id = mirror.crontab_id;
    END IF;
    IF job.schedule_type = 'interval' AND job.interval_every IS NOT NULL
        AND job.interval_period IS NOT NULL
    THEN
        UPDATE celery_interval_schedule SET every = job.interval_every, period = job.interval_period
            WHERE id = mirror.interval_id RETURNING id INTO new_interval;
        IF new_interval IS NULL THEN
            INSERT INTO celery_interval_schedule (every, period)
            VALUES (job.interval_every, job.interval_period) RETURNING id INTO new_interval;
        END IF;
    ELSE
        DELETE FROM celery_interval_schedule WHERE id = mirror.interval_id;
    END IF;

    IF mirror.id IS NOT NULL THEN
        UPDATE celery_beat_schedule_entry SET name = new_name, task = job.job_type,
            crontab_id = new_crontab, interval_id = new_interval, enabled = job.enabled,
            description = job.description, date_changed = now() WHERE id = mirror.id;
    ELSE
        INSERT INTO celery_beat_schedule_entry (name, task, crontab_id, interval_id, args, kwargs,
            enabled, last_run_at, description)
        VALUES (new_name, job.job_type, new_crontab, new_interval, '[]',
            jsonb_build_object('job_id', job.id, 'user_id', job.user_id), job.enabled,
            job.last_run_at, job.description);
    END IF;
END $$
"""
MIRROR_CHANGE = """
CREATE FUNCTION leap_mirror_change() RETURNS TRIGGER LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM leap_mirror_job(NEW.id);
    RETURN NULL;
END $$
"""
UNMIRROR = f"""
CREATE FUNCTION leap_unmirror_job() RETURNS TRIGGER LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    mirror RECORD;
BEGIN
    FOR mirror IN DELETE FROM celery_beat_schedule_entry AS entry
        WHERE {ENTRY.format(job="OLD.id", user="OLD.user_id")} RETURNING entry.*
    LOOP
        DELETE FROM celery_crontab_schedule WHERE id = mirror.crontab_id;
        DELETE FROM celery_interval_schedule WHERE id = mirror.interval_id;
    END LOOP;
    RETURN NULL;
END $$
"""
# A crontab in its owner's time zone means other times in another one, and what was due while the
# owner was switched off is not made up for.
OWNER_CHANGE = """
CREATE FUNCTION leap_mirror_owner() RETURNS TRIGGER LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    UPDATE automation_jobs SET armed_at = now()
        WHERE user_id = NEW.id AND (NEW.is_active AND NOT OLD.is_active
            OR NEW.timezone <> OLD.timezone AND timezone IS NULL AND schedule_type = 'crontab');
    PERFORM leap_mirror_job(id) FROM automation_jobs WHERE user_id = NEW.id
        AND (NEW.user_slug <> OLD.user_slug
            OR NEW.timezone <> OLD.timezone AND timezone IS NULL AND schedule_type = 'crontab');
    RETURN NULL;
END $$
"""
TRIGGERS = (
    """
    CREATE TRIGGER leap_arm BEFORE UPDATE ON automation_jobs
        FOR EACH ROW EXECUTE FUNCTION leap_arm_job()
    """,
    """
    CREATE TRIGGER leap_mirror_inserted AFTER INSERT ON automation_jobs
        FOR EACH ROW EXECUTE FUNCTION leap_mirror_change()
    """,
    f"""
    CREATE TRIGGER leap_mirror_changed AFTER UPDATE ON automation_jobs
        FOR EACH ROW WHEN ({changed(MIRRORED)}) EXECUTE FUNCTION leap_mirror_change()
    """,
    """
    CREATE TRIGGER leap_mirror_deleted AFTER DELETE ON automation_jobs
        FOR EACH ROW EXECUTE FUNCTION leap_unmirror_job()
    """,
    f"""
    CREATE TRIGGER leap_mirror_owner AFTER UPDATE ON users FOR EACH ROW
        WHEN ({changed(("timezone", "user_slug", "is_active"))})
        EXECUTE FUNCTION leap_mirror_owner()
    """,
)
FUNCTIONS = (
    "leap_mirror_job(INTEGER)",
    "leap_mirror_change()",
    "leap_unmirror_job()",
    "leap_mirror_owner()",
)
TOUCH = """
CREATE TRIGGER leap_touch BEFORE UPDATE ON celery_beat_schedule_entry
    FOR EACH ROW {when} EXECUTE FUNCTION leap_touch_date_changed()
"""
NO_RUN = """
    WHEN ((NEW.last_run_at, NEW.total_run_count)
        IS NOT DISTINCT FROM (OLD.last_run_at, OLD.total_run_count))
"""


def upgrade() -> None:
    for statement in (INDEX, ARM, MIRROR, MIRROR_CHANGE, UNMIRROR, OWNER_CHANGE):
        op.execute(statement)
    op.execute(fixed_path("leap_arm_job()"))
    for function in FUNCTIONS:
        op.execute(fixed_path(function))
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
        # Plans that a session makes while the tables are small are kept when they have grown.
        op.execute(f"ALTER FUNCTION {function} SET enable_seqscan = off")
    op.execute("DROP TRIGGER leap_touch ON celery_beat_schedule_entry")
    op.execute(TOUCH.format(when=NO_RUN))
    op.execute("SELECT leap_mirror_job(id) FROM automation_jobs ORDER BY id")
    for statement in TRIGGERS:
        op.execute(statement)


def downgrade() -> None:
    for name in ("leap_mirror_deleted", "leap_mirror_changed", "leap_mirror_inserted", "leap_arm"):
        op.execute(f"DROP TRIGGER {name} ON automation_jobs")
    op.execute("DROP TRIGGER leap_mirror_owner ON users")
    op.execute(
        """
        WITH gone AS (
            DELETE FROM celery_beat_schedule_entry AS entry USING automation_jobs AS job
            WHERE starts_with(entry.name, 'automation_')
                AND entry.kwargs ->> 'job_id' = job.id::TEXT
                AND entry.kwargs ->> 'user_id' = job.user_id
            RETURNING entry.crontab_id, entry.interval_id),
        crontabs AS (
            DELETE FROM celery_crontab_schedule WHERE id IN (SELECT crontab_id FROM gone))
        DELETE FROM celery_interval_schedule WHERE id IN (SELECT interval_id FROM gone)
        """
    )
    op.execute("DROP TRIGGER leap_touch ON celery_beat_schedule_entry")
    op.execute(TOUCH.format(when=""))
    for function in (*reversed(FUNCTIONS), "leap_arm_job()"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP INDEX idx_celery_beat_schedule_entry_job")
