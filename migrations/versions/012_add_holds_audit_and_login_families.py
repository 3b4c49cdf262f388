"""Add holds, the audit log, login attempts, one-time links and token families.

A path in `stored_objects` is unique for its owner, and no longer for all: what is unique for all
tells one tenant what another has. Tokens from before have no family and end at their next use.

The downgrade drops the new tables; if they have rows, only with `--yes`.

Revision ID: 012
Revises: 011
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection

from leap_pipeline.db.losses import rows_in

revision = "012"
down_revision: str | None = "011"
branch_labels = None
depends_on = None

DROPPED = ("recording_holds", "audit_log", "login_attempts", "one_time_links")

TABLES = (
    """
    CREATE TABLE recording_holds (
        id BIGSERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        recording_id INTEGER NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
        target_type VARCHAR(50),
        kind VARCHAR(50) NOT NULL,
        reason TEXT NOT NULL,
        facts JSONB DEFAULT '{}' NOT NULL,
        held_by VARCHAR(255) DEFAULT 'system' NOT NULL,
        released_at TIMESTAMP WITH TIME ZONE,
        released_by VARCHAR(255),
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    )
    """,
    """
    CREATE UNIQUE INDEX uq_recording_holds_live
        ON recording_holds (recording_id, COALESCE(target_type, ''), kind)
        WHERE released_at IS NULL
    """,
    "CREATE INDEX idx_recording_holds_recording ON recording_holds (recording_id)",
    "CREATE INDEX idx_recording_holds_user ON recording_holds (user_id, created_at DESC)",
    """
    CREATE TABLE audit_log (
        id BIGSERIAL PRIMARY KEY,
        at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        actor_id VARCHAR(26),
        actor VARCHAR(255) NOT NULL,
        action VARCHAR(100) NOT NULL,
        subject_type VARCHAR(50) NOT NULL,
        subject_id VARCHAR(64) NOT NULL,
        owner_id VARCHAR(26),
        before JSONB,
        after JSONB,
        ip_address INET,
        user_agent TEXT
    )
    """,
    "CREATE INDEX idx_audit_log_at ON audit_log (at DESC, id DESC)",
    "CREATE INDEX idx_audit_log_owner ON audit_log (owner_id, at DESC)",
    "CREATE INDEX idx_audit_log_subject ON audit_log (subject_type, subject_id, at DESC)",
    """
    CREATE TABLE login_attempts (
        id BIGSERIAL PRIMARY KEY,
        email VARCHAR(255) NOT NULL,
        ip_address INET,
        succeeded BOOLEAN NOT NULL,
        at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    )
    """,
    "CREATE INDEX idx_login_attempts_email ON login_attempts (email, at)",
    "CREATE INDEX idx_login_attempts_address ON login_attempts (ip_address, at)",
    "CREATE INDEX idx_login_attempts_at ON login_attempts (at)",
    """
    CREATE TABLE one_time_links (
        id BIGSERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        purpose VARCHAR(50) NOT NULL,
        token_hash VARCHAR(64) NOT NULL UNIQUE,
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        used_at TIMESTAMP WITH TIME ZONE,
        created_by VARCHAR(26) REFERENCES users (id) ON DELETE SET NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    )
    """,
    "CREATE INDEX idx_one_time_links_user ON one_time_links (user_id)",
    "CREATE INDEX idx_one_time_links_author ON one_time_links (created_by)",
)

COLUMNS = (
    """
    ALTER TABLE refresh_tokens
        ADD COLUMN family_id VARCHAR(26),
        ADD COLUMN replaced_at TIMESTAMP WITH TIME ZONE
    """,
    "CREATE INDEX idx_refresh_tokens_family ON refresh_tokens (family_id)",
    "ALTER TABLE user_configs ADD COLUMN preferences JSONB DEFAULT '{}' NOT NULL",
    """
    ALTER TABLE stored_objects
        DROP CONSTRAINT uq_stored_objects_path,
        ADD CONSTRAINT uq_stored_objects_path UNIQUE (user_id, path)
    """,
)


def losses(connection: Connection) -> list[str]:
    """The tables with rows among those that the downgrade drops."""
    return rows_in(connection, DROPPED)


def upgrade() -> None:
    for statement in (*TABLES, *COLUMNS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("ALTER TABLE stored_objects DROP CONSTRAINT uq_stored_objects_path")
    op.execute("ALTER TABLE stored_objects ADD CONSTRAINT uq_stored_objects_path UNIQUE (path)")
    op.execute("ALTER TABLE user_configs DROP COLUMN preferences")
    op.execute("ALTER TABLE refresh_tokens DROP COLUMN family_id, DROP COLUMN replaced_at")
    for table in DROPPED:
        op.execute(f"DROP TABLE {table}")
