"""Update the stage types: TOPICS becomes EXTRACT_TOPICS, SUBTITLES becomes GENERATE_SUBTITLES.

The downgrade maps them back.

Revision ID: 004
Revises: 003
"""

from __future__ import annotations

from alembic import op

revision = "004"
down_revision: str | None = "003"
branch_labels = None
depends_on = None

DROP_CHECK = "ALTER TABLE processing_stages DROP CONSTRAINT processing_stages_stage_type_check"
ADD_CHECK = (
    "ALTER TABLE processing_stages ADD CONSTRAINT processing_stages_stage_type_check"
    " CHECK (stage_type IN ({}))"
)
RENAME = "UPDATE processing_stages SET stage_type = '{}' WHERE stage_type = '{}'"


def upgrade() -> None:
    op.execute(DROP_CHECK)
    op.execute(RENAME.format("EXTRACT_TOPICS", "TOPICS"))
    op.execute(RENAME.format("GENERATE_SUBTITLES", "SUBTITLES"))
    op.execute(
        ADD_CHECK.format("'PROCESS_VIDEO', 'TRANSCRIBE', 'EXTRACT_TOPICS', 'GENERATE_SUBTITLES'")
    )


def downgrade() -> None:
    op.execute(DROP_CHECK)
    op.execute(RENAME.format("TOPICS", "EXTRACT_TOPICS"))
    op.execute(RENAME.format("SUBTITLES", "GENERATE_SUBTITLES"))
    op.execute(ADD_CHECK.format("'PROCESS_VIDEO', 'TRANSCRIBE', 'TOPICS', 'SUBTITLES'"))
