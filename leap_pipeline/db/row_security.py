"""What the application's role may see and do in each table, and the SQL that makes it so.

The second wall behind the repositories: in a tenant's transaction a statement without a filter
finds the tenant's rows only, and none where no tenant is set. Every table has row-level security,
also for its owner (FORCE), with a policy for each of three roles: the tenant's, the system's, and
the owner's, without which the owner's later data migrations would find empty tables.

The application's role cannot choose a row's `id` nor change its owner: what is unique for all
would tell one tenant what another one has.

https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import psycopg

from leap_pipeline.db.engine import APPLICATION_ROLE, SYSTEM_ROLE

# Empty outside of a tenant's transaction, which no user id is allowed to equal.
TENANT = "NULLIF(current_setting('leap.user_id', true), '')"
OWN_ROW = f"user_id = {TENANT}"
FIXED_COLUMNS = ("id", "user_id")


@dataclass(frozen=True)
class Access:
    """Which rows the application's role may select, insert, update and delete, as SQL conditions.

    None means none at all. `columns` are those that it may update; () means all but id and owner.
    """

    select: str | None = None
    insert: str | None = None
    update: str | None = None
    delete: str | None = None
    columns: tuple[str, ...] = ()

    @property
    def commands(self) -> dict[str, str]:
        """The condition of each command that is allowed."""
        names = [field.name for field in fields(self) if field.name != "columns"]
        return {name.upper(): rows for name in names if (rows := getattr(self, name)) is not None}


OWN = Access(OWN_ROW, OWN_ROW, OWN_ROW, OWN_ROW)
OWN_READ = Access(OWN_ROW)
SYSTEM_ONLY = Access()

TABLES: Mapping[str, Access] = {
    "users": Access(
        select=f"id = {TENANT}",
        update=f"id = {TENANT}",
        columns=("full_name", "timezone", "updated_at"),
    ),
    "refresh_tokens": OWN_READ,
    "one_time_links": SYSTEM_ONLY,
    "user_credentials": OWN,
    "user_configs": OWN,
    "base_configs": Access(
        f"{OWN_ROW} OR user_id IS NULL AND {TENANT} IS NOT NULL", OWN_ROW, OWN_ROW, OWN_ROW
    ),
    "subscription_plans": Access(select=f"{TENANT} IS NOT NULL"),
    "user_subscriptions": OWN_READ,
    "quota_usage": Access(OWN_ROW, OWN_ROW, OWN_ROW),
    "quota_change_history": OWN_READ,
    "recordings": OWN,
    "recording_counts": OWN_READ,
    "source_metadata": OWN,
    "processing_stages": OWN,
    "output_targets": OWN,
    "recording_runs": OWN,
    "recording_holds": OWN,
    "bulk_actions": OWN,
    "stored_objects": OWN,
    "recording_templates": OWN,
    "input_sources": OWN,
    "output_presets": OWN,
    "automation_jobs": OWN,
    "automation_firings": OWN,
    "audit_log": Access(insert=f"owner_id = {TENANT}"),
    "login_attempts": SYSTEM_ONLY,
    "adopted_rows": SYSTEM_ONLY,
    "webhook_inbox": SYSTEM_ONLY,
    "rate_buckets": SYSTEM_ONLY,
    "upload_sessions": OWN,
    "target_steps": OWN,
    "youtube_quota_ledger": SYSTEM_ONLY,
    "notices": Access(OWN_ROW, OWN_ROW, OWN_ROW, columns=("read_at",)),
    "notice_channels": OWN,
    "oauth_states": SYSTEM_ONLY,
    "celery_beat_schedule_entry": SYSTEM_ONLY,
    "celery_crontab_schedule": SYSTEM_ONLY,
    "celery_interval_schedule": SYSTEM_ONLY,
}
# Nobody changes what was written there, the system included.
APPEND_ONLY = ("audit_log",)

RIGHTS_BY_COLUMN = """
DO $$
DECLARE
    insertable TEXT;
    updatable TEXT := '{columns}';
BEGIN
    SELECT string_agg(quote_ident(attname), ', ') FILTER (WHERE attname <> 'id'),
        COALESCE(NULLIF(updatable, ''), string_agg(quote_ident(attname), ', ')
            FILTER (WHERE attname NOT IN ('id', 'user_id')))
        INTO insertable, updatable
        FROM pg_attribute
        WHERE attrelid = '{table}'::REGCLASS AND attnum > 0 AND NOT attisdropped;
    IF {insert} THEN
        EXECUTE 'GRANT INSERT (' || insertable || ') ON {table} TO leap_app';
    END IF;
    IF {update} THEN
        EXECUTE 'GRANT UPDATE (' || updatable || ') ON {table} TO leap_app';
    END IF;
END $$
"""


def protect(table: str, access: Access, *, append_only: bool = False) -> list[str]:
    """The SQL that gives a table its policies and the application's role its rights in it.

    For migrations, also after they added a column: it can be run again.
    """
    written = "SELECT, INSERT" if append_only else "SELECT, INSERT, UPDATE, DELETE"
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"REVOKE ALL ON {table} FROM {APPLICATION_ROLE}, {SYSTEM_ROLE}",
        f"GRANT {written} ON {table} TO {SYSTEM_ROLE}",
        *(
            f"GRANT {command} ON {table} TO {APPLICATION_ROLE}"
            for command in ("SELECT", "DELETE")
            if command in access.commands
        ),
        RIGHTS_BY_COLUMN.format(
            table=table,
            columns=", ".join(access.columns),
            insert=access.insert is not None,
            update=access.update is not None,
        ),
        *_policies(table, access),
    ]


def expose(table: str) -> list[str]:
    """The SQL that takes `protect` back: both roles may do everything, as before 013."""
    return [
        *(
            f"DROP POLICY IF EXISTS {name} ON {table}"
            for name in policies_of(Access("", "", "", ""))
        ),
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        f"REVOKE ALL ON {table} FROM {APPLICATION_ROLE}, {SYSTEM_ROLE}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {APPLICATION_ROLE}, {SYSTEM_ROLE}",
    ]


def policies_of(access: Access) -> list[str]:
    """The names of a table's policies."""
    return ["leap_owner", "leap_system", *(f"leap_app_{each.lower()}" for each in access.commands)]


def _policies(table: str, access: Access) -> list[str]:
    all_rows = "USING (true) WITH CHECK (true)"
    statements = [
        *(f"DROP POLICY IF EXISTS {name} ON {table}" for name in policies_of(access)),
        f"CREATE POLICY leap_owner ON {table} TO CURRENT_USER {all_rows}",
        f"CREATE POLICY leap_system ON {table} TO {SYSTEM_ROLE} {all_rows}",
    ]
    for command, rows in access.commands.items():
        using = "" if command == "INSERT" else f"USING ({rows})"
        check = f"WITH CHECK ({rows})" if command in ("INSERT", "UPDATE") else ""
        statements.append(
            f"CREATE POLICY leap_app_{command.lower()} ON {table} FOR {command}"
            f" TO {APPLICATION_ROLE} {using} {check}"
        )
    return statements


FOUND = """
    SELECT relation.relname, relation.relrowsecurity AND relation.relforcerowsecurity,
        ARRAY(SELECT polname::TEXT FROM pg_policy WHERE polrelid = relation.oid)
    FROM pg_class AS relation
    WHERE relation.relnamespace = current_schema()::REGNAMESPACE AND relation.relkind = 'r'
        AND relation.relname <> 'alembic_version'
"""


def gaps(connection: psycopg.Connection) -> list[str]:
    """What is missing of the wall, a sentence each; [] where it stands whole."""
    found = {name: (forced, policies) for name, forced, policies in connection.execute(FOUND)}
    missing = [
        f"{table} has no row security that holds for its owner too"
        for table in TABLES
        if table in found and not found[table][0]
    ]
    for table, access in TABLES.items():
        lacking = sorted(set(policies_of(access)) - set(found.get(table, (True, []))[1]))
        if lacking:
            missing.append(f"{table} lacks the policies {', '.join(lacking)}")
    missing += [f"{table} is a table without tenancy" for table in found if table not in TABLES]
    return missing


def restore(connection: psycopg.Connection) -> None:
    """Give every table its policies and rights again, as the owner of the schema."""
    with connection.transaction():
        for table, access in TABLES.items():
            for statement in protect(table, access, append_only=table in APPEND_ONLY):
                connection.execute(statement.encode())
