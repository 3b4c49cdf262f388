"""Add a searchable name, and the indexes that lists, sweeps and foreign keys need.

A tenant's search reads its own part of an index from end to end, and of the index alone, which
therefore has every column that a list is filtered by: behind a policy PostgreSQL may not use an
operator such as ILIKE to choose rows, so a trigram index would not be asked. The system
has one where the server has pg_trgm and lets the migrating user install it.

Adding the column writes `recordings` anew.

Revision ID: 015
Revises: 014
"""

from __future__ import annotations

from alembic import op

from leap_pipeline.db.row_security import OWN, protect

revision = "015"
down_revision: str | None = "014"
branch_labels = None
depends_on = None

SEARCH_NAME = """
ALTER TABLE recordings
    ADD COLUMN search_name TEXT GENERATED ALWAYS AS (lower(display_name)) STORED
"""
INDEXES = {
    "idx_recordings_search": (
        "recordings (user_id, created_at DESC, id DESC) INCLUDE (search_name, start_time, status,"
        " deleted, delete_state, is_mapped, blank_record, failed, template_id, input_source_id)"
    ),
    "idx_recordings_user_start": "recordings (user_id, start_time DESC)",
    "idx_recordings_user_name": "recordings (user_id, display_name)",
    "idx_recordings_user_status": "recordings (user_id, status, created_at DESC)",
    "idx_recordings_template_created": "recordings (template_id, created_at DESC)",
    "idx_recordings_source_created": "recordings (input_source_id, created_at DESC)",
    "idx_recordings_created": "recordings (created_at DESC)",
    "idx_recordings_bin": "recordings (user_id, created_at DESC) WHERE deleted",
    "idx_recordings_hard_delete": (
        "recordings (hard_delete_at) WHERE delete_state::text = 'soft_deleted'::text"
    ),
    "idx_recordings_expire": "recordings (expire_at) WHERE expire_at IS NOT NULL",
    "idx_recordings_prefs": "recordings USING GIN (processing_preferences)",
    "idx_users_lower_email": "users (lower(email))",
    "idx_output_targets_user_status": "output_targets (user_id, status)",
    "idx_processing_stages_user_status": "processing_stages (user_id, status)",
    "idx_user_subscriptions_created_by": "user_subscriptions (created_by)",
    "idx_user_subscriptions_modified_by": "user_subscriptions (modified_by)",
    "idx_quota_history_admin": "quota_change_history (admin_user_id)",
}
# Whatever stands in the way (a right, a file that is not installed), the system does without.
TRIGRAMS = """
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX idx_recordings_name_trgm ON recordings USING GIN (display_name gin_trgm_ops);
EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE USING MESSAGE = 'no trigram index on recordings: ' || SQLERRM;
END $$
"""


def upgrade() -> None:
    op.execute(SEARCH_NAME)
    for name, definition in INDEXES.items():
        op.execute(f"CREATE INDEX {name} ON {definition}")
    op.execute(TRIGRAMS)
    for statement in protect("recordings", OWN):
        op.execute(statement)


def downgrade() -> None:
    op.execute("DROP INDEX IF EXISTS idx_recordings_name_trgm")
    for name in INDEXES:
        op.execute(f"DROP INDEX {name}")
    op.execute("ALTER TABLE recordings DROP COLUMN search_name")
