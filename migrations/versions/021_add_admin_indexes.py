"""Add indexes for what an admin looks at: the overview's finished work, and one person's acts.

The downgrade drops them; no row is lost.

Revision ID: 021
Revises: 020
"""

from __future__ import annotations

from alembic import op

revision = "021"
down_revision: str | None = "020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX idx_recording_runs_prepared ON recording_runs (finished_at) "
        "INCLUDE (started_at) WHERE phase = 'prepare' AND state = 'done'"
    )
    op.execute("CREATE INDEX idx_audit_log_actor ON audit_log (actor_id, at DESC)")


def downgrade() -> None:
    op.execute("DROP INDEX idx_audit_log_actor")
    op.execute("DROP INDEX idx_recording_runs_prepared")
