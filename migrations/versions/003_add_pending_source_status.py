"""Add the recording status PENDING_SOURCE: seen at a source that still prepares it.

The downgrade maps PENDING_SOURCE to INITIALIZED.

Revision ID: 003
Revises: 002
"""

from __future__ import annotations

from alembic import op

revision = "003"
down_revision: str | None = "002"
branch_labels = None
depends_on = None

BEFORE = """
    'INITIALIZED', 'DOWNLOADING', 'DOWNLOADED', 'PROCESSING', 'PROCESSED', 'UPLOADED', 'FAILED'
"""


def upgrade() -> None:
    op.execute("ALTER TABLE recordings DROP CONSTRAINT recordings_status_check")
    op.execute(
        "ALTER TABLE recordings ADD CONSTRAINT recordings_status_check"
        f" CHECK (status IN ('PENDING_SOURCE', {BEFORE}))"
    )


def downgrade() -> None:
    op.execute("UPDATE recordings SET status = 'INITIALIZED' WHERE status = 'PENDING_SOURCE'")
    op.execute("ALTER TABLE recordings DROP CONSTRAINT recordings_status_check")
    op.execute(
        "ALTER TABLE recordings ADD CONSTRAINT recordings_status_check"
        f" CHECK (status IN ({BEFORE}))"
    )
