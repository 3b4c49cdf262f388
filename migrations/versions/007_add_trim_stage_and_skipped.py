"""Add the stage TRIM, and the stage status SKIPPED with its reason.

TRIM takes the place of PROCESS_VIDEO, whose one job it was. From here the tables of allowed moves
in the application say what a stage may be, and the CHECKs go.

The downgrade brings the CHECKs back and maps what they do not know: TRIM -> PROCESS_VIDEO;
SKIPPED -> COMPLETED (what is below would do a declined stage otherwise), with the reason kept in
`stage_meta`, by which the upgrade knows it again; any other status -> PENDING. A stage of any
other type has no place below, and is dropped only with `--yes`.

Revision ID: 007
Revises: 006
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection, text

revision = "007"
down_revision: str | None = "006"
branch_labels = None
depends_on = None

KNOWN = "'PROCESS_VIDEO', 'TRANSCRIBE', 'EXTRACT_TOPICS', 'GENERATE_SUBTITLES'"

# A TRIM beside a PROCESS_VIDEO of the same recording, which only hand-written SQL can make,
# cannot take that name.
HOMELESS = f"""
    stage_type NOT IN ('TRIM', {KNOWN}) OR stage_type = 'PROCESS_VIDEO' AND EXISTS (
        SELECT FROM processing_stages AS other
        WHERE other.recording_id = processing_stages.recording_id AND other.stage_type = 'TRIM')
"""


def losses(connection: Connection) -> list[str]:
    """Stages whose type the schema below does not know."""
    found = connection.execute(
        text(
            "SELECT stage_type, count(*) FROM processing_stages"
            f" WHERE {HOMELESS} GROUP BY stage_type ORDER BY stage_type"
        )
    )
    return [f"processing_stages of type {stage} ({count})" for stage, count in found]


def upgrade() -> None:
    op.execute("ALTER TABLE processing_stages DROP CONSTRAINT processing_stages_stage_type_check")
    op.execute("ALTER TABLE processing_stages DROP CONSTRAINT processing_stages_status_check")
    op.execute("ALTER TABLE processing_stages ADD COLUMN skip_reason VARCHAR(500)")
    op.execute(
        "UPDATE processing_stages SET stage_type = 'TRIM' WHERE stage_type = 'PROCESS_VIDEO'"
    )
    op.execute(
        """
        UPDATE processing_stages SET
            status = 'SKIPPED',
            skip_reason = left(stage_meta ->> 'skipped_because', 500),
            stage_meta = nullif(stage_meta - 'skipped_because', '{}')
        WHERE status = 'COMPLETED' AND jsonb_typeof(stage_meta) = 'object'
            AND jsonb_exists(stage_meta, 'skipped_because')
        """
    )


def downgrade() -> None:
    op.execute(f"DELETE FROM processing_stages WHERE {HOMELESS}")
    op.execute(
        "UPDATE processing_stages SET stage_type = 'PROCESS_VIDEO' WHERE stage_type = 'TRIM'"
    )
    op.execute(
        """
        UPDATE processing_stages SET
            status = 'COMPLETED',
            stage_meta = coalesce(nullif(stage_meta, 'null'), '{}')
                || jsonb_build_object('skipped_because', skip_reason)
        WHERE status = 'SKIPPED'
            AND coalesce(jsonb_typeof(stage_meta), 'null') IN ('object', 'null')
        """
    )
    op.execute(
        """
        UPDATE processing_stages SET status = CASE status WHEN 'SKIPPED' THEN 'COMPLETED'
            ELSE 'PENDING' END
        WHERE status NOT IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED')
        """
    )
    op.execute("ALTER TABLE processing_stages DROP COLUMN skip_reason")
    op.execute(
        "ALTER TABLE processing_stages ADD CONSTRAINT processing_stages_stage_type_check"
        f" CHECK (stage_type IN ({KNOWN}))"
    )
    op.execute(
        "ALTER TABLE processing_stages ADD CONSTRAINT processing_stages_status_check"
        " CHECK (status IN ('PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED'))"
    )
