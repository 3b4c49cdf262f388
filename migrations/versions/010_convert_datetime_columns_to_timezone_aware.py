"""Convert every datetime column to TIMESTAMP WITH TIME ZONE.

The naive times were UTC, and are read as UTC whatever the session's time zone: each direction
sets its transaction's own. PostgreSQL then converts without writing the tables anew (release
notes of version 12), so that a large table is locked for a moment only.

Revision ID: 010
Revises: 009
"""

from __future__ import annotations

from alembic import op

revision = "010"
down_revision: str | None = "009"
branch_labels = None
depends_on = None

# Columns whose default is the current time, and those without a default.
BORN = ("created_at",)
KEPT = ("created_at", "updated_at")
COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "users": (KEPT, ("last_login_at",)),
    "refresh_tokens": (BORN, ("expires_at",)),
    "user_credentials": (KEPT, ("last_used_at",)),
    "user_configs": (KEPT, ()),
    "base_configs": (KEPT, ()),
    "subscription_plans": (KEPT, ()),
    "user_subscriptions": (("starts_at", *KEPT), ("expires_at",)),
    "quota_usage": (("last_updated_at",), ()),
    "quota_change_history": (BORN, ()),
    "recording_templates": (KEPT, ()),
    "input_sources": (KEPT, ("last_sync_at",)),
    "output_presets": (KEPT, ()),
    "recordings": (
        KEPT,
        (
            "start_time",
            "deleted_at",
            "soft_deleted_at",
            "hard_delete_at",
            "expire_at",
            "failed_at",
            "downloaded_at",
        ),
    ),
    "source_metadata": (BORN, ()),
    "output_targets": (KEPT, ("uploaded_at", "failed_at")),
    "processing_stages": (KEPT, ("completed_at", "failed_at")),
    "automation_jobs": (KEPT, ("last_run_at",)),
    "celery_beat_schedule_entry": (("date_changed",), ("expires", "last_run_at")),
}


def _convert(wanted: str, now: str) -> None:
    op.execute("SET LOCAL TimeZone = 'UTC'")
    for table, (defaulted, plain) in COLUMNS.items():
        actions = [f"ALTER COLUMN {column} DROP DEFAULT" for column in defaulted]
        actions += [f"ALTER COLUMN {column} TYPE {wanted}" for column in (*defaulted, *plain)]
        actions += [f"ALTER COLUMN {column} SET DEFAULT {now}" for column in defaulted]
        op.execute(f"ALTER TABLE {table} {', '.join(actions)}")


def upgrade() -> None:
    _convert("TIMESTAMP WITH TIME ZONE", "now()")


def downgrade() -> None:
    _convert("TIMESTAMP WITHOUT TIME ZONE", "timezone('utc', now())")
