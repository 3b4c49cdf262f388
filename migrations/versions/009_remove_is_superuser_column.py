"""Remove `users.is_superuser`: the role `admin` says it.

A superuser becomes an admin. The downgrade makes admins superusers.

Revision ID: 009
Revises: 008
"""

from __future__ import annotations

from alembic import op

revision = "009"
down_revision: str | None = "008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE users SET role = 'admin' WHERE is_superuser")
    op.execute("ALTER TABLE users DROP COLUMN is_superuser")


def downgrade() -> None:
    op.execute("ALTER TABLE users ADD COLUMN is_superuser BOOLEAN DEFAULT FALSE NOT NULL")
    op.execute("UPDATE users SET is_superuser = TRUE WHERE role = 'admin'")
