"""Rows in every table of the design, for what must survive a migration."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

from tests.support.catalogue import facts

USER = "01J00000000000000000000001"
ADMIN = "01J00000000000000000000002"

STATEMENTS = f"""
INSERT INTO users (id, user_slug, email, hashed_password, role, created_at, last_login_at)
    VALUES ('{USER}', 1, 'ada@example.org', 'x', 'user', '2026-03-08 02:30:00+00', NULL),
           ('{ADMIN}', 2, 'bob@example.org', 'x', 'admin', '2026-01-01 00:00:00+00',
            '2026-07-01 12:34:56.789012+00');
INSERT INTO refresh_tokens (user_id, token, expires_at, ip_address, user_agent)
    VALUES ('{USER}', 'hash', '2027-01-01 00:00:00+00', '192.0.2.7', 'Firefox');
INSERT INTO user_credentials (user_id, platform, account_name, encrypted_data)
    VALUES ('{USER}', 'youtube', 'channel', 'gAAAA');
INSERT INTO user_configs (user_id, processing_config) VALUES ('{USER}', '{{"a": [1, 2]}}');
INSERT INTO base_configs (user_id, name, config_data) VALUES (NULL, 'global', '{{}}'),
    ('{USER}', 'mine', '{{"b": null}}');
INSERT INTO user_subscriptions (user_id, plan_id, custom_max_storage_gb, created_by)
    SELECT '{USER}', id, 7, '{ADMIN}' FROM subscription_plans WHERE name = 'Plus';
INSERT INTO quota_usage (user_id, period, storage_used_gb) VALUES ('{USER}', '202611', 1.25);
INSERT INTO quota_change_history (user_id, admin_user_id, change_type, old_value)
    VALUES ('{USER}', '{ADMIN}', 'plan_upgrade', '{{"plan": "Free"}}');
INSERT INTO recording_templates (user_id, name, matching_rules)
    VALUES ('{USER}', 'Machine learning', '{{"keywords": ["ML"]}}');
INSERT INTO input_sources (user_id, name, source_type, credential_id, last_sync_at)
    SELECT user_id, 'Zoom', 'ZOOM', id, '2026-02-03 04:05:06+00' FROM user_credentials;
INSERT INTO output_presets (user_id, name, platform, credential_id, preset_metadata)
    SELECT user_id, 'Channel', 'YOUTUBE', id, '{{"privacy": "unlisted"}}' FROM user_credentials;
INSERT INTO recordings (id, user_id, input_source_id, template_id, display_name, start_time,
        duration, status, local_video_path, downloaded_at, failed, failed_at, failed_reason,
        failed_at_stage, video_file_size, download_status, skip_reason)
    SELECT row.id, '{USER}', source.id, template.id, 'Lecture ' || row.id,
        '2026-03-29 01:30:00+00', 5400, row.status, 'users/user_000001/' || row.id,
        '2026-11-01 06:00:00+00', row.status = 'FAILED',
        CASE row.status WHEN 'FAILED' THEN TIMESTAMPTZ '2026-11-01 07:00:00+00' END,
        CASE row.status WHEN 'FAILED' THEN 'no speech' END,
        CASE row.status WHEN 'FAILED' THEN 'TRANSCRIBE' END, 30000000000, 'COMPLETED',
        CASE row.status WHEN 'SKIPPED' THEN 'Skipped before reasons were kept.' END
    FROM input_sources AS source, recording_templates AS template, (VALUES
        (101, 'INITIALIZED'), (102, 'DOWNLOADING'), (103, 'DOWNLOADED'), (104, 'PROCESSING'),
        (105, 'PROCESSED'), (106, 'READY'), (107, 'FAILED'), (108, 'SKIPPED')) AS row (id, status);
INSERT INTO source_metadata (recording_id, user_id, source_type, source_key, meta)
    SELECT id, user_id, 'ZOOM', 'meeting-' || id, '{{"topic": "Лекция"}}' FROM recordings;
INSERT INTO output_targets (recording_id, user_id, preset_id, target_type, status, uploaded_at)
    SELECT 106, '{USER}', id, 'YOUTUBE', 'UPLOADED', '2026-11-02 00:00:00+00' FROM output_presets;
INSERT INTO output_targets (recording_id, user_id, target_type, status)
    VALUES (107, '{USER}', 'VK', 'FAILED'), (105, '{USER}', 'VK', 'NOT_UPLOADED');
INSERT INTO processing_stages (recording_id, user_id, stage_type, status, skip_reason, stage_meta)
    VALUES (106, '{USER}', 'TRIM', 'COMPLETED', NULL, '{{"cuts": 3}}'),
           (106, '{USER}', 'TRANSCRIBE', 'COMPLETED', NULL, NULL),
           (106, '{USER}', 'EXTRACT_TOPICS', 'SKIPPED', 'topics are switched off', '{{"by": 1}}'),
           (106, '{USER}', 'GENERATE_SUBTITLES', 'SKIPPED', NULL, NULL),
           (107, '{USER}', 'TRIM', 'FAILED', NULL, NULL),
           (104, '{USER}', 'TRANSCRIBE', 'IN_PROGRESS', NULL, NULL);
INSERT INTO automation_jobs (user_id, template_id, name, job_type, schedule_type, crontab_minute,
        crontab_hour, crontab_day_of_week, source_ids)
    SELECT user_id, id, 'nightly', 'sync_and_process', 'crontab', '0, 30', '2', 'mon-fri', '[1]'
    FROM recording_templates;
INSERT INTO automation_jobs (user_id, name, job_type, schedule_type, interval_every,
        interval_period, enabled)
    VALUES ('{USER}', 'often', 'process_recordings', 'interval', 6, 'hours', FALSE);
"""
CELERY = """
INSERT INTO celery_beat_schedule_entry (name, task, args) VALUES ('sync', 'tasks.sync', '[1]')
"""
BEYOND = f"""
INSERT INTO recording_runs (recording_id, user_id, phase) VALUES (106, '{USER}', 'prepare');
INSERT INTO stored_objects (user_id, kind, path, bytes) VALUES ('{USER}', 'raw', 'a/b', 7);
"""
UNKNOWN_STAGE = f"""
INSERT INTO processing_stages (recording_id, user_id, stage_type) VALUES (101, '{USER}', 'DUB')
"""


def insert(connection: Connection, *scripts: str) -> None:
    """Run the statements of the scripts and commit."""
    for statement in ";".join(scripts).split(";"):
        if statement.strip():
            connection.execute(text(statement.replace(":", r"\:")))
    connection.commit()


def contents(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table as JSON, times in UTC, in the order of the keys."""
    connection.execute(text("SET TimeZone = 'UTC'"))
    found = {
        table: list(connection.scalars(text(f"SELECT to_jsonb(t) FROM {table} AS t ORDER BY id")))
        for table in facts(connection)["tables"]
    }
    connection.rollback()
    return found
