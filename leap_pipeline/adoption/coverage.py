"""What of the other database's columns and tables LEAP has no place for, and why. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from leap_pipeline.adoption.outcome import Notes, Row

STAMPS = frozenset({"id", "user_id", "created_at", "updated_at"})
# The columns that are read; any other one with something in it is said of its row.
READ: Mapping[str, frozenset[str]] = {
    "subscription_plans": frozenset(
        "name display_name description included_recordings_per_month included_storage_gb"
        " max_concurrent_tasks max_automation_jobs min_automation_interval_hours price_monthly"
        " price_yearly overage_price_per_unit overage_unit_type is_active sort_order".split()
    ),
    "users": frozenset(
        "user_slug email hashed_password full_name is_active is_verified role can_transcribe"
        " can_process_video can_upload can_create_templates can_delete_recordings"
        " can_update_uploaded_videos can_manage_credentials can_export_data timezone"
        " last_login_at".split()
    ),
    "user_subscriptions": frozenset(
        "plan_id custom_max_recordings_per_month custom_max_storage_gb custom_max_concurrent_tasks"
        " custom_max_automation_jobs custom_min_automation_interval_hours pay_as_you_go_enabled"
        " pay_as_you_go_monthly_limit starts_at expires_at created_by modified_by notes".split()
    ),
    "quota_usage": frozenset({"period", "recordings_count", "storage_bytes"}),
    "quota_change_history": frozenset(
        "changed_by change_type old_plan_id new_plan_id changes notes".split()
    ),
    "user_configs": frozenset({"config_data"}),
    "base_configs": frozenset("name description config_type config_data is_active".split()),
    "user_credentials": frozenset(
        "platform account_name encrypted_data is_active last_used_at".split()
    ),
    "input_sources": frozenset(
        "name description source_type credential_id config is_active last_sync_at".split()
    ),
    "output_presets": frozenset(
        "name description platform credential_id preset_metadata is_active".split()
    ),
    "recording_templates": frozenset(
        "name description matching_rules processing_config metadata_config output_config is_draft"
        " is_active".split()
    ),
    "automation_jobs": frozenset(
        "name description template_ids schedule sync_config processing_config is_active"
        " last_run_at filters".split()
    ),
    "recordings": frozenset(
        "input_source_id template_id display_name start_time duration status is_mapped blank_record"
        " expire_at deleted deleted_at delete_state deletion_reason soft_deleted_at hard_delete_at"
        " local_video_path processed_video_path processed_audio_path transcription_dir"
        " downloaded_at video_file_size transcription_info topic_timestamps main_topics"
        " processing_preferences failed failed_at failed_reason failed_at_stage"
        " retry_count".split()
    ),
    "processing_stages": frozenset(
        "recording_id stage_type status failed failed_at failed_reason retry_count stage_meta"
        " completed_at skip_reason".split()
    ),
    "output_targets": frozenset(
        "recording_id preset_id target_type status target_meta uploaded_at failed failed_at"
        " failed_reason retry_count".split()
    ),
    "source_metadata": frozenset(
        "recording_id input_source_id source_type source_key metadata".split()
    ),
}
PARTS = ("processing_stages", "output_targets", "source_metadata")
WHOLE_TABLES = {
    "alembic_version": "it says at which migration that database is",
    "refresh_tokens": "sessions of that platform end with it, and users log in anew",
}
CELERY = "LEAP makes its schedules from the automation jobs themselves"


def say_unread(table: str, row: Row, notes: Notes) -> None:
    """Name the columns with something in them that LEAP has no place for."""
    for column, value in row.items():
        if column not in READ[table] and column not in STAMPS and value:
            notes.say(f"`{column}` was left out", f"it was {value}")


def why_left(table: str, *, unowned: bool, all_users: bool) -> str:
    """Why a row that no tenant's turn reached is left."""
    if table in WHOLE_TABLES:
        return WHOLE_TABLES[table]
    if table.startswith("celery_"):
        return CELERY
    if table not in READ:
        return "LEAP has no such table"
    if unowned:
        return "nobody owns it, so nobody could see it"
    if not all_users:
        return "its owner was not asked for"
    return "its recording was left" if table in PARTS else "its owner is not here"
