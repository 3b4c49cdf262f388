"""Add what publishing keeps: uploads, their decorations, YouTube's quota, logins under way.

An upload is one row a target, from the plan to long after the video is there; its `session` is
encrypted. A step is one decoration of a published video. The ledger counts what a project spent on
a day of the Pacific. A state is one login at a platform that has begun.

The downgrade drops the tables; if they have rows, only with `--yes`.

Revision ID: 018
Revises: 017
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection

from leap_pipeline.db.losses import rows_in
from leap_pipeline.db.row_security import OWN, SYSTEM_ONLY, protect
from leap_pipeline.db.same_tenant import forget_references, keep_references

revision = "018"
down_revision: str | None = "017"
branch_labels = None
depends_on = None

OWNED = ("upload_sessions", "target_steps")
SYSTEMS = ("youtube_quota_ledger", "oauth_states")
DROPPED = ("target_steps", "upload_sessions", *SYSTEMS)

TABLES = (
    """
    CREATE TABLE upload_sessions (
        id BIGSERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        target_id INTEGER NOT NULL UNIQUE REFERENCES output_targets (id) ON DELETE CASCADE,
        credential_id INTEGER REFERENCES user_credentials (id) ON DELETE SET NULL,
        state VARCHAR(20) DEFAULT 'planned' NOT NULL,
        generation INTEGER DEFAULT 1 NOT NULL,
        marker VARCHAR(64) NOT NULL,
        account VARCHAR(255),
        session TEXT,
        video_id VARCHAR(64),
        owner_id BIGINT,
        bytes BIGINT NOT NULL,
        sha256 VARCHAR(64) NOT NULL,
        duration DOUBLE PRECISION,
        sent JSONB DEFAULT '{}' NOT NULL,
        opened_at TIMESTAMP WITH TIME ZONE,
        closing_at TIMESTAMP WITH TIME ZONE,
        absences INTEGER DEFAULT 0 NOT NULL,
        absent_at TIMESTAMP WITH TIME ZONE,
        failures INTEGER DEFAULT 0 NOT NULL,
        uploaded_at TIMESTAMP WITH TIME ZONE,
        processing VARCHAR(20),
        processing_note TEXT,
        looks INTEGER DEFAULT 0 NOT NULL,
        searches INTEGER DEFAULT 0 NOT NULL,
        next_look_at TIMESTAMP WITH TIME ZONE,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    )
    """,
    "CREATE INDEX idx_upload_sessions_user ON upload_sessions (user_id, created_at DESC)",
    "CREATE INDEX idx_upload_sessions_credential ON upload_sessions (credential_id)",
    """
    CREATE INDEX idx_upload_sessions_look ON upload_sessions (next_look_at)
        WHERE next_look_at IS NOT NULL
    """,
    """
    CREATE TABLE target_steps (
        id BIGSERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        target_id INTEGER NOT NULL REFERENCES output_targets (id) ON DELETE CASCADE,
        kind VARCHAR(20) NOT NULL,
        name VARCHAR(64) DEFAULT '' NOT NULL,
        state VARCHAR(20) DEFAULT 'pending' NOT NULL,
        wanted VARCHAR(255),
        done VARCHAR(255),
        external_id VARCHAR(255),
        attempts INTEGER DEFAULT 0 NOT NULL,
        reason TEXT,
        finished_at TIMESTAMP WITH TIME ZONE,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT uq_target_steps_name UNIQUE (target_id, kind, name)
    )
    """,
    "CREATE INDEX idx_target_steps_user ON target_steps (user_id, state)",
    """
    CREATE TABLE youtube_quota_ledger (
        id BIGSERIAL PRIMARY KEY,
        project VARCHAR(255) NOT NULL,
        day DATE NOT NULL,
        bucket VARCHAR(20) NOT NULL,
        kind VARCHAR(40) NOT NULL,
        calls INTEGER DEFAULT 0 NOT NULL,
        units INTEGER DEFAULT 0 NOT NULL,
        refused_at TIMESTAMP WITH TIME ZONE,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT uq_youtube_quota_ledger_kind UNIQUE (project, day, bucket, kind)
    )
    """,
    """
    CREATE TABLE oauth_states (
        id BIGSERIAL PRIMARY KEY,
        state_hash VARCHAR(64) NOT NULL UNIQUE,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        platform VARCHAR(20) NOT NULL,
        flow VARCHAR(20) NOT NULL,
        redirect_uri VARCHAR(2048) NOT NULL,
        browser_hash VARCHAR(64) NOT NULL,
        verifier TEXT,
        credential_id INTEGER REFERENCES user_credentials (id) ON DELETE CASCADE,
        account_name VARCHAR(255),
        expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL
    )
    """,
    "CREATE INDEX idx_oauth_states_user ON oauth_states (user_id)",
    "CREATE INDEX idx_oauth_states_credential ON oauth_states (credential_id)",
    "CREATE INDEX idx_oauth_states_expires ON oauth_states (expires_at)",
)
TOUCH = """
    CREATE TRIGGER leap_touch BEFORE UPDATE ON {table}
        FOR EACH ROW EXECUTE FUNCTION leap_touch_updated_at()
"""
REFERENCES = {
    "upload_sessions": {"target_id": "output_targets", "credential_id": "user_credentials"},
    "target_steps": {"target_id": "output_targets"},
    "oauth_states": {"credential_id": "user_credentials"},
}


def losses(connection: Connection) -> list[str]:
    """The tables with rows among those that the downgrade drops."""
    return rows_in(connection, DROPPED)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    for table in ("upload_sessions", "target_steps", "youtube_quota_ledger"):
        op.execute(TOUCH.format(table=table))
    for table in DROPPED:
        for statement in protect(table, OWN if table in OWNED else SYSTEM_ONLY):
            op.execute(statement)
    for table, columns in REFERENCES.items():
        for statement in keep_references(table, columns):
            op.execute(statement)


def downgrade() -> None:
    for table in REFERENCES:
        for statement in forget_references(table):
            op.execute(statement)
    for table in DROPPED:
        op.execute(f"DROP TABLE {table}")
