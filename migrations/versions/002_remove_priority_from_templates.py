"""Remove the priority of templates: the oldest template that matches wins.

The downgrade gives every template the priority 0; the former numbers are gone.

Revision ID: 002
Revises: 001
"""

from __future__ import annotations

from alembic import op

revision = "002"
down_revision: str | None = "001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX idx_recording_templates_priority")
    op.execute("ALTER TABLE recording_templates DROP COLUMN priority")


def downgrade() -> None:
    op.execute("ALTER TABLE recording_templates ADD COLUMN priority INTEGER DEFAULT 0 NOT NULL")
    op.execute(
        "CREATE INDEX idx_recording_templates_priority"
        " ON recording_templates (user_id, priority DESC)"
    )
