"""Add the statuses that recordings and targets were missing.

Recordings get UPLOADING, READY (which UPLOADED becomes) and SKIPPED, targets get UPLOADING. From
here the tables of allowed moves in the application say what a status may be, and the CHECKs go.

The downgrade brings the CHECKs back and maps what they do not know:

    recordings  READY -> UPLOADED, UPLOADING -> PROCESSED, SKIPPED -> FAILED (nothing below would
                leave it alone otherwise) with `failed_at_stage` SKIPPED, by which the upgrade
                knows it again; any other label -> INITIALIZED
    targets     UPLOADING and any other label -> NOT_UPLOADED

Revision ID: 005
Revises: 004
"""

from __future__ import annotations

from alembic import op

revision = "005"
down_revision: str | None = "004"
branch_labels = None
depends_on = None

RECORDING_STATUSES = """
    'PENDING_SOURCE', 'INITIALIZED', 'DOWNLOADING', 'DOWNLOADED', 'PROCESSING', 'PROCESSED',
    'UPLOADED', 'FAILED'
"""
TARGET_STATUSES = "'NOT_UPLOADED', 'UPLOADED', 'FAILED'"


def upgrade() -> None:
    op.execute("ALTER TABLE recordings DROP CONSTRAINT recordings_status_check")
    op.execute("ALTER TABLE output_targets DROP CONSTRAINT output_targets_status_check")
    op.execute("UPDATE recordings SET status = 'READY' WHERE status = 'UPLOADED'")
    op.execute(
        """
        UPDATE recordings SET status = 'SKIPPED', failed = FALSE, failed_at_stage = NULL
        WHERE status = 'FAILED' AND failed_at_stage = 'SKIPPED'
        """
    )


def downgrade() -> None:
    op.execute(
        """
        UPDATE recordings SET failed = TRUE, failed_at_stage = 'SKIPPED' WHERE status = 'SKIPPED'
        """
    )
    op.execute(
        f"""
        UPDATE recordings SET status = CASE status
            WHEN 'READY' THEN 'UPLOADED'
            WHEN 'UPLOADING' THEN 'PROCESSED'
            WHEN 'SKIPPED' THEN 'FAILED'
            ELSE 'INITIALIZED' END
        WHERE status NOT IN ({RECORDING_STATUSES})
        """
    )
    op.execute(
        f"""
        UPDATE output_targets SET status = 'NOT_UPLOADED' WHERE status NOT IN ({TARGET_STATUSES})
        """
    )
    op.execute(
        "ALTER TABLE recordings ADD CONSTRAINT recordings_status_check"
        f" CHECK (status IN ({RECORDING_STATUSES}))"
    )
    op.execute(
        "ALTER TABLE output_targets ADD CONSTRAINT output_targets_status_check"
        f" CHECK (status IN ({TARGET_STATUSES}))"
    )
