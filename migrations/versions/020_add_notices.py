"""Add notices to owners, and the channels on which they want them.

A notice is one row a fact, written with the fact. A channel is a person's choice of mail or a
webhook, whose address is encrypted; nobody has one until they ask for it.

The downgrade drops both tables; if they have rows, only with `--yes`.

Revision ID: 020
Revises: 019
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection

from leap_pipeline.db.losses import rows_in
from leap_pipeline.db.row_security import OWN, OWN_ROW, Access, protect
from leap_pipeline.db.same_tenant import forget_references, keep_references

revision = "020"
down_revision: str | None = "019"
branch_labels = None
depends_on = None

# Whoever it is for reads it, and marks it as read; the system sends it and forgets it.
NOTICES = Access(OWN_ROW, OWN_ROW, OWN_ROW, columns=("read_at",))
DROPPED = ("notice_channels", "notices")

TABLES = (
    """
    CREATE TABLE notices (
        id BIGSERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        kind VARCHAR(20) NOT NULL,
        fact VARCHAR(200) NOT NULL,
        recording_id INTEGER REFERENCES recordings (id) ON DELETE CASCADE,
        credential_id INTEGER REFERENCES user_credentials (id) ON DELETE CASCADE,
        subject VARCHAR(500) NOT NULL,
        about VARCHAR(50) DEFAULT '' NOT NULL,
        reason TEXT,
        read_at TIMESTAMP WITH TIME ZONE,
        mail_state VARCHAR(20),
        webhook_state VARCHAR(20),
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT uq_notices_fact UNIQUE (user_id, fact)
    )
    """,
    "CREATE INDEX idx_notices_user ON notices (user_id, created_at DESC)",
    "CREATE INDEX idx_notices_unread ON notices (user_id) WHERE read_at IS NULL",
    "CREATE INDEX idx_notices_mail ON notices (user_id) WHERE mail_state = 'due'",
    "CREATE INDEX idx_notices_webhook ON notices (user_id) WHERE webhook_state = 'due'",
    "CREATE INDEX idx_notices_recording ON notices (recording_id)",
    "CREATE INDEX idx_notices_credential ON notices (credential_id)",
    "CREATE INDEX idx_notices_created ON notices (created_at)",
    """
    CREATE TABLE notice_channels (
        id BIGSERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        channel VARCHAR(20) NOT NULL,
        kinds JSONB DEFAULT '[]' NOT NULL,
        address TEXT,
        next_at TIMESTAMP WITH TIME ZONE,
        attempts INTEGER DEFAULT 0 NOT NULL,
        last_error TEXT,
        sent_at TIMESTAMP WITH TIME ZONE,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT uq_notice_channels_channel UNIQUE (user_id, channel)
    )
    """,
    "CREATE INDEX idx_notice_channels_next ON notice_channels (next_at)",
    """
    CREATE TRIGGER leap_touch BEFORE UPDATE ON notice_channels
        FOR EACH ROW EXECUTE FUNCTION leap_touch_updated_at()
    """,
)
REFERENCES = {"recording_id": "recordings", "credential_id": "user_credentials"}


def losses(connection: Connection) -> list[str]:
    """The tables with rows among those that the downgrade drops."""
    return rows_in(connection, DROPPED)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    for table, access in (("notices", NOTICES), ("notice_channels", OWN)):
        for statement in protect(table, access):
            op.execute(statement)
    for statement in keep_references("notices", REFERENCES):
        op.execute(statement)


def downgrade() -> None:
    for statement in forget_references("notices"):
        op.execute(statement)
    for table in DROPPED:
        op.execute(f"DROP TABLE {table}")
