"""Add what syncing, webhooks, rate limits and automation keep between two looks.

`input_sources`: how far a source was read, when it is due, how often it failed in a row, and what
the last sync found. `automation_jobs`: the time zone of its crontab, the instant that its interval
is counted from, and the one before which nothing of it is due. A firing is one row.

The downgrade drops the new tables; if they have rows, only with `--yes`.

Revision ID: 016
Revises: 015
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection

from leap_pipeline.db.losses import rows_in
from leap_pipeline.db.row_security import OWN, SYSTEM_ONLY, protect
from leap_pipeline.db.same_tenant import forget_references, keep_references

revision = "016"
down_revision: str | None = "015"
branch_labels = None
depends_on = None

DROPPED = ("automation_firings", "webhook_inbox", "rate_buckets")

COLUMNS = (
    "ALTER TABLE recordings ADD COLUMN next_look_at TIMESTAMP WITH TIME ZONE",
    """
    CREATE INDEX idx_recordings_look ON recordings (next_look_at)
        WHERE next_look_at IS NOT NULL
    """,
    """
    CREATE INDEX idx_recordings_ready ON recordings (user_id, start_time)
        WHERE status::text = 'INITIALIZED'::text AND is_mapped
    """,
    """
    ALTER TABLE input_sources
        ADD COLUMN cursor JSONB,
        ADD COLUMN next_poll_at TIMESTAMP WITH TIME ZONE,
        ADD COLUMN failures INTEGER DEFAULT 0 NOT NULL,
        ADD COLUMN last_error TEXT,
        ADD COLUMN last_result JSONB
    """,
    """
    CREATE INDEX idx_input_sources_due ON input_sources (next_poll_at NULLS FIRST)
        WHERE is_active
    """,
    """
    ALTER TABLE automation_jobs
        ADD COLUMN timezone VARCHAR(50),
        ADD COLUMN anchored_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        ADD COLUMN armed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    """,
)

TABLES = (
    """
    CREATE TABLE automation_firings (
        id BIGSERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        job_id INTEGER NOT NULL REFERENCES automation_jobs (id) ON DELETE CASCADE,
        due_at TIMESTAMP WITH TIME ZONE NOT NULL,
        state VARCHAR(20) DEFAULT 'claimed' NOT NULL,
        fired_by VARCHAR(50) NOT NULL,
        dry_run BOOLEAN DEFAULT false NOT NULL,
        missed INTEGER DEFAULT 0 NOT NULL,
        attempts INTEGER DEFAULT 0 NOT NULL,
        dagster_run_id VARCHAR(64),
        counts JSONB DEFAULT '{}' NOT NULL,
        error TEXT,
        requested_at TIMESTAMP WITH TIME ZONE,
        started_at TIMESTAMP WITH TIME ZONE,
        finished_at TIMESTAMP WITH TIME ZONE,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT uq_automation_firings_due UNIQUE (job_id, due_at)
    )
    """,
    "CREATE INDEX idx_automation_firings_user ON automation_firings (user_id, due_at DESC)",
    """
    CREATE INDEX idx_automation_firings_live ON automation_firings (state, requested_at)
        WHERE state IN ('claimed', 'running')
    """,
    """
    CREATE TABLE webhook_inbox (
        id BIGSERIAL PRIMARY KEY,
        provider VARCHAR(20) NOT NULL,
        event VARCHAR(100) NOT NULL,
        account VARCHAR(255),
        subject VARCHAR(255),
        credential_id INTEGER,
        digest VARCHAR(64) NOT NULL UNIQUE,
        payload JSONB DEFAULT '{}' NOT NULL,
        event_at TIMESTAMP WITH TIME ZONE,
        received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        attempts INTEGER DEFAULT 0 NOT NULL,
        finished_at TIMESTAMP WITH TIME ZONE,
        error TEXT,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    )
    """,
    "CREATE INDEX idx_webhook_inbox_received ON webhook_inbox (received_at)",
    "CREATE INDEX idx_webhook_inbox_due ON webhook_inbox (due_at) WHERE finished_at IS NULL",
    """
    CREATE TABLE rate_buckets (
        id BIGSERIAL PRIMARY KEY,
        key VARCHAR(255) NOT NULL UNIQUE,
        next_free_at TIMESTAMP WITH TIME ZONE NOT NULL,
        blocked_until TIMESTAMP WITH TIME ZONE,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    )
    """,
)
TOUCH = """
    CREATE TRIGGER leap_touch BEFORE UPDATE ON {table}
        FOR EACH ROW EXECUTE FUNCTION leap_touch_updated_at()
"""


def losses(connection: Connection) -> list[str]:
    """The tables with rows among those that the downgrade drops."""
    return rows_in(connection, DROPPED)


def upgrade() -> None:
    for statement in (*COLUMNS, *TABLES):
        op.execute(statement)
    for table in DROPPED:
        op.execute(TOUCH.format(table=table))
    for table in ("recordings", "input_sources", "automation_jobs", "automation_firings"):
        for statement in protect(table, OWN):
            op.execute(statement)
    for table in ("webhook_inbox", "rate_buckets"):
        for statement in protect(table, SYSTEM_ONLY):
            op.execute(statement)
    for statement in keep_references("automation_firings", {"job_id": "automation_jobs"}):
        op.execute(statement)


def downgrade() -> None:
    for statement in forget_references("automation_firings"):
        op.execute(statement)
    for table in DROPPED:
        op.execute(f"DROP TABLE {table}")
    op.execute(
        "ALTER TABLE automation_jobs DROP COLUMN timezone, DROP COLUMN anchored_at,"
        " DROP COLUMN armed_at"
    )
    op.execute(
        "ALTER TABLE input_sources DROP COLUMN cursor, DROP COLUMN next_poll_at,"
        " DROP COLUMN failures, DROP COLUMN last_error, DROP COLUMN last_result"
    )
    op.execute("DROP INDEX idx_recordings_ready")
    op.execute("ALTER TABLE recordings DROP COLUMN next_look_at")
