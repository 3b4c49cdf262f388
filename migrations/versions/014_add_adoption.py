"""Add the record of what was taken over from a database of the original platform.

It belongs to the system: it tells the keys of rows of all tenants. The downgrade drops it, and
with it what keeps a second adoption from taking the same rows again; with rows, only with `--yes`.

Revision ID: 014
Revises: 013
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection

from leap_pipeline.db.losses import rows_in
from leap_pipeline.db.row_security import SYSTEM_ONLY, protect

revision = "014"
down_revision: str | None = "013"
branch_labels = None
depends_on = None

ADOPTED_ROWS = """
    CREATE TABLE adopted_rows (
        id BIGSERIAL PRIMARY KEY,
        source VARCHAR(64) NOT NULL,
        table_name VARCHAR(63) NOT NULL,
        old_key VARCHAR(255) NOT NULL,
        new_key VARCHAR(255),
        outcome VARCHAR(20) NOT NULL,
        note TEXT,
        created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
        CONSTRAINT uq_adopted_rows_row UNIQUE (source, table_name, old_key)
    )
"""
TOUCH = """
    CREATE TRIGGER leap_touch BEFORE UPDATE ON adopted_rows
        FOR EACH ROW EXECUTE FUNCTION leap_touch_updated_at()
"""


def losses(connection: Connection) -> list[str]:
    """The table, if it has rows, since the downgrade drops it."""
    return rows_in(connection, ("adopted_rows",))


def upgrade() -> None:
    op.execute(ADOPTED_ROWS)
    op.execute(TOUCH)
    for statement in protect("adopted_rows", SYSTEM_ONLY):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP TABLE adopted_rows")
