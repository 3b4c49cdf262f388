"""Add what a person asks for on many recordings at once: `bulk_actions`.

One row an owner and request: the recordings as they were chosen, and how far the work has come.

The downgrade drops the table; if it has rows, only with `--yes`.

Revision ID: 019
Revises: 018
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection

from leap_pipeline.db.losses import rows_in
from leap_pipeline.db.row_security import OWN, protect

revision = "019"
down_revision: str | None = "018"
branch_labels = None
depends_on = None

TABLE = "bulk_actions"
STATEMENTS = (
    """
    CREATE TABLE bulk_actions (
        id BIGSERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        action VARCHAR(20) NOT NULL,
        parameters JSONB DEFAULT '{}' NOT NULL,
        recording_ids INTEGER[] DEFAULT '{}' NOT NULL,
        asked_by VARCHAR(26) NOT NULL,
        requested_by VARCHAR(255) NOT NULL,
        total INTEGER DEFAULT 0 NOT NULL,
        done INTEGER DEFAULT 0 NOT NULL,
        changed INTEGER DEFAULT 0 NOT NULL,
        refused INTEGER DEFAULT 0 NOT NULL,
        refusals JSONB DEFAULT '[]' NOT NULL,
        state VARCHAR(20) DEFAULT 'queued' NOT NULL,
        reason TEXT,
        started_at TIMESTAMP WITH TIME ZONE,
        finished_at TIMESTAMP WITH TIME ZONE,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    )
    """,
    "CREATE INDEX idx_bulk_actions_user ON bulk_actions (user_id, created_at DESC)",
    "CREATE INDEX idx_bulk_actions_asked ON bulk_actions (asked_by, created_at DESC)",
    """
    CREATE INDEX idx_bulk_actions_live ON bulk_actions (updated_at, id)
        WHERE state IN ('queued', 'running')
    """,
    """
    CREATE TRIGGER leap_touch BEFORE UPDATE ON bulk_actions
        FOR EACH ROW EXECUTE FUNCTION leap_touch_updated_at()
    """,
)


def losses(connection: Connection) -> list[str]:
    """The table, if it has rows: the downgrade drops it."""
    return rows_in(connection, (TABLE,))


def upgrade() -> None:
    for statement in (*STATEMENTS, *protect(TABLE, OWN)):
        op.execute(statement)


def downgrade() -> None:
    op.execute(f"DROP TABLE {TABLE}")
