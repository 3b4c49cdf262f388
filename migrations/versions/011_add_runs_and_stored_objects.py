"""Add run rows, stored objects, the facts behind a status, and the two roles.

A recording that is SKIPPED already gets a reason that says so, since the reason is what keeps it
skipped from here, and `download_status` is told from the columns that there are. Of several
recordings of one user with the same source key the oldest keeps the key; the others' keys get `#`
and the recording's id appended.

The application's roles may read and write every table and sequence, those made later included,
and read `alembic_version`. The roles themselves belong to the whole server: the downgrade takes
their rights back and leaves them. It drops the two tables; if they have rows, only with `--yes`.

Revision ID: 011
Revises: 010
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection

from leap_pipeline.db.losses import rows_in
from leap_pipeline.db.roles import ensure_roles

revision = "011"
down_revision: str | None = "010"
branch_labels = None
depends_on = None

DROPPED = ("stored_objects", "recording_runs")

TABLES = (
    """
    CREATE TABLE recording_runs (
        id BIGSERIAL PRIMARY KEY,
        recording_id INTEGER NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        phase VARCHAR(20) NOT NULL,
        target_type VARCHAR(50),
        state VARCHAR(20) DEFAULT 'queued' NOT NULL,
        generation INTEGER DEFAULT 1 NOT NULL,
        attempts INTEGER DEFAULT 0 NOT NULL,
        dagster_run_id VARCHAR(64),
        requested_by VARCHAR(255) DEFAULT 'system' NOT NULL,
        selection JSONB DEFAULT '[]' NOT NULL,
        forced_from VARCHAR(50),
        due_at TIMESTAMP WITH TIME ZONE,
        reason TEXT,
        progress DOUBLE PRECISION,
        requested_at TIMESTAMP WITH TIME ZONE,
        started_at TIMESTAMP WITH TIME ZONE,
        finished_at TIMESTAMP WITH TIME ZONE,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    )
    """,
    """
    CREATE UNIQUE INDEX uq_recording_runs_live
        ON recording_runs (recording_id, phase, COALESCE(target_type, ''))
        WHERE state IN ('queued', 'running', 'waiting')
    """,
    "CREATE INDEX idx_recording_runs_recording ON recording_runs (recording_id)",
    "CREATE INDEX idx_recording_runs_user ON recording_runs (user_id, created_at DESC)",
    "CREATE INDEX idx_recording_runs_due ON recording_runs (state, due_at)",
    """
    CREATE TABLE stored_objects (
        id BIGSERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        recording_id INTEGER REFERENCES recordings (id) ON DELETE CASCADE,
        kind VARCHAR(50) NOT NULL,
        path VARCHAR(1000) NOT NULL,
        bytes BIGINT NOT NULL,
        sha256 VARCHAR(64),
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT uq_stored_objects_path UNIQUE (path)
    )
    """,
    "CREATE INDEX idx_stored_objects_recording ON stored_objects (recording_id)",
    "CREATE INDEX idx_stored_objects_user ON stored_objects (user_id, kind)",
)

FACTS = (
    """
    ALTER TABLE recordings
        ADD COLUMN skip_reason VARCHAR(1000),
        ADD COLUMN download_status VARCHAR(50) DEFAULT 'PENDING' NOT NULL
    """,
    """
    UPDATE recordings SET skip_reason = 'Skipped before reasons were kept.'
    WHERE status = 'SKIPPED'
    """,
    """
    UPDATE recordings SET download_status = CASE
        WHEN failed_at_stage = 'DOWNLOAD' THEN 'FAILED'
        WHEN status = 'PENDING_SOURCE' THEN 'PENDING_SOURCE'
        ELSE 'COMPLETED' END
    WHERE failed_at_stage = 'DOWNLOAD' OR status = 'PENDING_SOURCE'
        OR local_video_path IS NOT NULL OR downloaded_at IS NOT NULL
    """,
)

UNIQUE_SOURCE_KEY = (
    """
    UPDATE source_metadata SET source_key = left(source_key, 980) || '#' || recording_id
    WHERE EXISTS (
        SELECT FROM source_metadata AS older
        WHERE older.user_id = source_metadata.user_id
            AND older.source_type = source_metadata.source_type
            AND older.source_key = source_metadata.source_key
            AND older.id < source_metadata.id)
    """,
    """
    CREATE UNIQUE INDEX uq_source_metadata_user_key
        ON source_metadata (user_id, source_type, source_key)
    """,
)

# Tables of other owners that live in the same schema, such as an extension's, are not ours to
# grant; hence a loop, and not ALL TABLES IN SCHEMA. format() is not used, because Alembic doubles
# its percent signs where it writes a script.
RIGHTS = """
DO $$
DECLARE
    here TEXT := quote_ident(current_schema());
    found RECORD;
BEGIN
    FOR found IN
        SELECT oid::REGCLASS::TEXT AS name, relkind FROM pg_class
        WHERE relnamespace = current_schema()::REGNAMESPACE AND relkind IN ('r', 'p', 'S')
            AND relname <> 'alembic_version' AND pg_has_role(relowner, 'USAGE')
    LOOP
        EXECUTE '{verb} ' || CASE found.relkind
            WHEN 'S' THEN 'USAGE, SELECT ON SEQUENCE '
            ELSE 'SELECT, INSERT, UPDATE, DELETE ON TABLE ' END
            || found.name || ' {roles}';
    END LOOP;
    EXECUTE '{verb} USAGE ON SCHEMA ' || here || ' {roles}';
    EXECUTE 'ALTER DEFAULT PRIVILEGES IN SCHEMA ' || here
        || ' {verb} SELECT, INSERT, UPDATE, DELETE ON TABLES {roles}';
    EXECUTE 'ALTER DEFAULT PRIVILEGES IN SCHEMA ' || here
        || ' {verb} USAGE, SELECT ON SEQUENCES {roles}';
END $$
"""


def losses(connection: Connection) -> list[str]:
    """The tables with rows among those that the downgrade drops."""
    return rows_in(connection, DROPPED)


def upgrade() -> None:
    for statement in (*TABLES, *FACTS, *UNIQUE_SOURCE_KEY):
        op.execute(statement)
    if not op.get_context().as_sql:  # a script is run where the roles are made by hand
        ensure_roles(op.get_bind(), op.get_context().opts.get("role_members", ()))
    op.execute(RIGHTS.format(verb="GRANT", roles="TO leap_app, leap_system"))
    op.execute("REVOKE ALL ON alembic_version FROM leap_app, leap_system")
    op.execute("GRANT SELECT ON alembic_version TO leap_app, leap_system")


def downgrade() -> None:
    op.execute("REVOKE ALL ON alembic_version FROM leap_app, leap_system")
    op.execute(RIGHTS.format(verb="REVOKE", roles="FROM leap_app, leap_system"))
    op.execute("DROP INDEX uq_source_metadata_user_key")
    op.execute("ALTER TABLE recordings DROP COLUMN skip_reason, DROP COLUMN download_status")
    for table in DROPPED:
        op.execute(f"DROP TABLE {table}")
