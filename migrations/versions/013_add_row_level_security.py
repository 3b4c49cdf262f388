"""Add row-level security, checks that references stay in one tenant, kept times and kept counts.

The application's role loses what it may do in tables to come: a table without a policy is then
closed, not open. Every UPDATE moves `updated_at`, raw SQL included. `recording_counts` holds
changes of the number of recordings by owner, status and deletion state, whose sum is the number;
it is filled from the recordings that there are. Parts of a recording get the recording's owner.

Revision ID: 013
Revises: 012
"""

from __future__ import annotations

from collections.abc import Iterator

from alembic import op

from leap_pipeline.db.row_security import (
    OWN,
    OWN_READ,
    OWN_ROW,
    SYSTEM_ONLY,
    TENANT,
    Access,
    expose,
    protect,
)
from leap_pipeline.db.same_tenant import fixed_path, forget_references, keep_references

revision = "013"
down_revision: str | None = "012"
branch_labels = None
depends_on = None

ACCESS = {
    "users": Access(
        select=f"id = {TENANT}",
        update=f"id = {TENANT}",
        columns=("full_name", "timezone", "updated_at"),
    ),
    "base_configs": Access(
        f"{OWN_ROW} OR user_id IS NULL AND {TENANT} IS NOT NULL", OWN_ROW, OWN_ROW, OWN_ROW
    ),
    "subscription_plans": Access(select=f"{TENANT} IS NOT NULL"),
    "quota_usage": Access(OWN_ROW, OWN_ROW, OWN_ROW),
    "audit_log": Access(insert=f"owner_id = {TENANT}"),
    **dict.fromkeys(
        ("refresh_tokens", "user_subscriptions", "quota_change_history", "recording_counts"),
        OWN_READ,
    ),
    **dict.fromkeys(
        (
            "user_credentials",
            "user_configs",
            "recordings",
            "source_metadata",
            "processing_stages",
            "output_targets",
            "recording_runs",
            "recording_holds",
            "stored_objects",
            "recording_templates",
            "input_sources",
            "output_presets",
            "automation_jobs",
        ),
        OWN,
    ),
    **dict.fromkeys(
        (
            "one_time_links",
            "login_attempts",
            "celery_beat_schedule_entry",
            "celery_crontab_schedule",
            "celery_interval_schedule",
        ),
        SYSTEM_ONLY,
    ),
}

REFERENCES = {
    "recordings": {"input_source_id": "input_sources", "template_id": "recording_templates"},
    "source_metadata": {"recording_id": "recordings", "input_source_id": "input_sources"},
    "processing_stages": {"recording_id": "recordings"},
    "output_targets": {"recording_id": "recordings", "preset_id": "output_presets"},
    "recording_runs": {"recording_id": "recordings"},
    "recording_holds": {"recording_id": "recordings"},
    "stored_objects": {"recording_id": "recordings"},
    "input_sources": {"credential_id": "user_credentials"},
    "output_presets": {"credential_id": "user_credentials"},
    "automation_jobs": {"template_id": "recording_templates"},
    "recording_templates": {},
    "user_configs": {},
}
ID_LISTS = {
    "automation_jobs": {"source_ids": "input_sources"},
    "recording_templates": {
        "output_config->'preset_ids'": "output_presets",
        "matching_rules->'source_ids'": "input_sources",
    },
    "user_configs": {"upload_config->'preset_ids'": "output_presets"},
}

TIMES = {
    "updated_at": (
        "users",
        "user_credentials",
        "user_configs",
        "base_configs",
        "subscription_plans",
        "user_subscriptions",
        "recordings",
        "output_targets",
        "processing_stages",
        "recording_templates",
        "input_sources",
        "output_presets",
        "automation_jobs",
        "recording_runs",
        "recording_holds",
        "stored_objects",
    ),
    "last_updated_at": ("quota_usage",),
    "date_changed": ("celery_beat_schedule_entry",),
}
TOUCH = """
CREATE FUNCTION leap_touch_{column}() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.{column} IS NOT DISTINCT FROM OLD.{column} THEN
        NEW.{column} := now();
    END IF;
    RETURN NEW;
END $$
"""

# Lists are paged by the time of birth, and no comparison finds a NULL.
BORN_TABLES = (
    "refresh_tokens",
    "user_credentials",
    "user_configs",
    "base_configs",
    "subscription_plans",
    "user_subscriptions",
    "quota_change_history",
    "recordings",
    "source_metadata",
    "output_targets",
    "processing_stages",
    "recording_templates",
    "input_sources",
    "output_presets",
    "automation_jobs",
)
BORN = """
CREATE FUNCTION leap_born() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    NEW.created_at := now();
    RETURN NEW;
END $$
"""
BORN_TRIGGER = """
CREATE TRIGGER leap_born BEFORE INSERT OR UPDATE ON {table}
    FOR EACH ROW WHEN (NEW.created_at IS NULL) EXECUTE FUNCTION leap_born()
"""

COUNTS = (
    """
    CREATE TABLE recording_counts (
        id BIGSERIAL PRIMARY KEY,
        user_id VARCHAR(26),
        status VARCHAR(50) NOT NULL,
        delete_state VARCHAR(20) NOT NULL,
        recordings BIGINT NOT NULL
    )
    """,
    "CREATE INDEX idx_recording_counts_user ON recording_counts (user_id)",
    """
    INSERT INTO recording_counts (user_id, status, delete_state, recordings)
    SELECT user_id, status, COALESCE(delete_state, 'active'), count(*)
    FROM recordings GROUP BY 1, 2, 3
    """,
)
# As the owner, because nobody else may write a count.
COUNT_MANY = """
CREATE FUNCTION leap_count_{event}() RETURNS TRIGGER LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO recording_counts (user_id, status, delete_state, recordings)
    SELECT user_id, status, COALESCE(delete_state, 'active'), {sign}count(*)
    FROM changed GROUP BY 1, 2, 3;
    RETURN NULL;
END $$
"""
COUNT_CHANGE = """
CREATE FUNCTION leap_count_change() RETURNS TRIGGER LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO recording_counts (user_id, status, delete_state, recordings)
    VALUES (OLD.user_id, OLD.status, COALESCE(OLD.delete_state, 'active'), -1),
        (NEW.user_id, NEW.status, COALESCE(NEW.delete_state, 'active'), 1);
    RETURN NULL;
END $$
"""
COUNT_TRIGGERS = (
    """
    CREATE TRIGGER leap_count_inserted AFTER INSERT ON recordings
        REFERENCING NEW TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION leap_count_inserted()
    """,
    """
    CREATE TRIGGER leap_count_deleted AFTER DELETE ON recordings
        REFERENCING OLD TABLE AS changed
        FOR EACH STATEMENT EXECUTE FUNCTION leap_count_deleted()
    """,
    """
    CREATE TRIGGER leap_count_change AFTER UPDATE OF status, delete_state ON recordings
        FOR EACH ROW WHEN (OLD.status <> NEW.status
            OR COALESCE(OLD.delete_state, 'active') <> COALESCE(NEW.delete_state, 'active'))
        EXECUTE FUNCTION leap_count_change()
    """,
)
COUNT_FUNCTIONS = ("leap_count_inserted", "leap_count_deleted", "leap_count_change")

APPEND_ONLY = """
CREATE FUNCTION leap_append_only() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING
        MESSAGE = 'what is in ' || TG_TABLE_NAME || ' stays as it is',
        ERRCODE = 'insufficient_privilege';
END $$
"""
APPEND_ONLY_TRIGGER = """
CREATE TRIGGER leap_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION leap_append_only()
"""

FUTURE_TABLES = """
DO $$
DECLARE
    here TEXT := quote_ident(current_schema());
BEGIN
    EXECUTE 'ALTER DEFAULT PRIVILEGES IN SCHEMA ' || here
        || ' {verb} SELECT, INSERT, UPDATE, DELETE ON TABLES {role}';
END $$
"""


# A part without an owner would be seen by nobody.
OWNERS = """
UPDATE {part} SET user_id = recordings.user_id FROM recordings
WHERE recordings.id = {part}.recording_id AND {part}.user_id IS DISTINCT FROM recordings.user_id
"""


def upgrade() -> None:
    for part in ("source_metadata", "processing_stages", "output_targets"):
        op.execute(OWNERS.format(part=part))
    for table in BORN_TABLES:
        op.execute(f"UPDATE {table} SET created_at = now() WHERE created_at IS NULL")
    for statement in (*COUNTS, *_policies(), *_references(), *_times(), *_counting()):
        op.execute(statement)
    op.execute(APPEND_ONLY)
    op.execute(APPEND_ONLY_TRIGGER)


def _policies() -> Iterator[str]:
    for table, access in ACCESS.items():
        yield from protect(table, access, append_only=table == "audit_log")
    yield FUTURE_TABLES.format(verb="REVOKE", role="FROM leap_app")


def _references() -> Iterator[str]:
    for table, columns in REFERENCES.items():
        yield from keep_references(table, columns, ID_LISTS.get(table))


def _times() -> Iterator[str]:
    for column, tables in TIMES.items():
        yield TOUCH.format(column=column)
        for table in tables:
            yield (
                f"CREATE TRIGGER leap_touch BEFORE UPDATE ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION leap_touch_{column}()"
            )
    yield BORN
    for table in BORN_TABLES:
        yield BORN_TRIGGER.format(table=table)


def _counting() -> Iterator[str]:
    yield COUNT_MANY.format(event="inserted", sign="")
    yield COUNT_MANY.format(event="deleted", sign="-")
    yield COUNT_CHANGE
    for function in COUNT_FUNCTIONS:
        yield fixed_path(f"{function}()")
        yield f"REVOKE ALL ON FUNCTION {function}() FROM PUBLIC"
    yield from COUNT_TRIGGERS


def downgrade() -> None:
    op.execute("DROP TRIGGER leap_append_only ON audit_log")
    op.execute("DROP FUNCTION leap_append_only()")
    for function in COUNT_FUNCTIONS:
        op.execute(f"DROP TRIGGER {function} ON recordings")
        op.execute(f"DROP FUNCTION {function}()")
    for table in BORN_TABLES:
        op.execute(f"DROP TRIGGER leap_born ON {table}")
    op.execute("DROP FUNCTION leap_born()")
    for column, tables in TIMES.items():
        for table in tables:
            op.execute(f"DROP TRIGGER leap_touch ON {table}")
        op.execute(f"DROP FUNCTION leap_touch_{column}()")
    for table in REFERENCES:
        for statement in forget_references(table):
            op.execute(statement)
    op.execute(FUTURE_TABLES.format(verb="GRANT", role="TO leap_app"))
    for table in ACCESS:
        for statement in expose(table):
            op.execute(statement)
    op.execute("DROP TABLE recording_counts")
