"""Create the schema, with ULIDs as the users' keys, and seed the four plans.

This is the older shape, from which the following migrations start: templates have a priority,
statuses and stage types are CHECKed, users have `is_superuser`, an automation job keeps its whole
schedule in one column, and all times are naive (UTC).

Seeding keeps a plan that is there already. The downgrade takes the seeded plans away again; every
other row is the operator's, and is dropped only with `--yes`.

Revision ID: 001
Revises:
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import Connection, text

from leap_pipeline.db.losses import rows_in

revision = "001"
down_revision: str | None = None
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE users (
        id VARCHAR(26) PRIMARY KEY,
        user_slug INTEGER NOT NULL UNIQUE,
        email VARCHAR(255) NOT NULL UNIQUE,
        hashed_password VARCHAR(255) NOT NULL,
        full_name VARCHAR(255),
        is_active BOOLEAN DEFAULT TRUE NOT NULL,
        is_verified BOOLEAN DEFAULT FALSE NOT NULL,
        is_superuser BOOLEAN DEFAULT FALSE NOT NULL,
        role VARCHAR(50) DEFAULT 'user' NOT NULL,
        can_transcribe BOOLEAN DEFAULT TRUE NOT NULL,
        can_process_video BOOLEAN DEFAULT TRUE NOT NULL,
        can_upload BOOLEAN DEFAULT TRUE NOT NULL,
        can_create_templates BOOLEAN DEFAULT TRUE NOT NULL,
        can_delete_recordings BOOLEAN DEFAULT TRUE NOT NULL,
        can_update_uploaded_videos BOOLEAN DEFAULT TRUE NOT NULL,
        can_manage_credentials BOOLEAN DEFAULT TRUE NOT NULL,
        can_export_data BOOLEAN DEFAULT TRUE NOT NULL,
        timezone VARCHAR(50) DEFAULT 'UTC' NOT NULL,
        created_at TIMESTAMP DEFAULT timezone('utc', now()) NOT NULL,
        updated_at TIMESTAMP DEFAULT timezone('utc', now()) NOT NULL,
        last_login_at TIMESTAMP
    )
    """,
    """
    CREATE TABLE refresh_tokens (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        token VARCHAR(500) NOT NULL UNIQUE,
        expires_at TIMESTAMP NOT NULL,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        revoked BOOLEAN DEFAULT FALSE,
        ip_address INET,
        user_agent TEXT
    )
    """,
    """
    CREATE TABLE user_credentials (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        platform VARCHAR(50) NOT NULL,
        account_name VARCHAR(255),
        encrypted_data TEXT NOT NULL,
        is_active BOOLEAN DEFAULT TRUE,
        last_used_at TIMESTAMP,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now()),
        CONSTRAINT unique_user_platform_account UNIQUE (user_id, platform, account_name)
    )
    """,
    """
    CREATE TABLE user_configs (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
        processing_config JSONB DEFAULT '{}',
        transcription_config JSONB DEFAULT '{}',
        metadata_config JSONB DEFAULT '{}',
        upload_config JSONB DEFAULT '{}',
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now())
    )
    """,
    """
    CREATE TABLE base_configs (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) REFERENCES users (id) ON DELETE CASCADE,
        name VARCHAR(255) NOT NULL,
        description TEXT,
        config_type VARCHAR(50),
        config_data JSONB NOT NULL,
        is_active BOOLEAN DEFAULT TRUE,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now())
    )
    """,
    """
    CREATE TABLE subscription_plans (
        id SERIAL PRIMARY KEY,
        name VARCHAR(50) NOT NULL UNIQUE,
        display_name VARCHAR(100) NOT NULL,
        description TEXT,
        included_recordings_per_month INTEGER,
        included_storage_gb INTEGER,
        max_concurrent_tasks INTEGER,
        max_automation_jobs INTEGER,
        min_automation_interval_hours INTEGER,
        price_monthly NUMERIC(10, 2) DEFAULT 0 NOT NULL,
        price_yearly NUMERIC(10, 2) DEFAULT 0 NOT NULL,
        overage_price_per_unit NUMERIC(10, 4),
        overage_unit_type VARCHAR(50),
        is_active BOOLEAN DEFAULT TRUE NOT NULL,
        sort_order INTEGER DEFAULT 0,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now())
    )
    """,
    """
    CREATE TABLE user_subscriptions (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE,
        plan_id INTEGER NOT NULL REFERENCES subscription_plans (id) ON DELETE RESTRICT,
        custom_max_recordings_per_month INTEGER,
        custom_max_storage_gb INTEGER,
        custom_max_concurrent_tasks INTEGER,
        custom_max_automation_jobs INTEGER,
        custom_min_automation_interval_hours INTEGER,
        pay_as_you_go_enabled BOOLEAN DEFAULT FALSE NOT NULL,
        pay_as_you_go_monthly_limit NUMERIC(10, 2),
        starts_at TIMESTAMP DEFAULT timezone('utc', now()) NOT NULL,
        expires_at TIMESTAMP,
        created_by VARCHAR(26) REFERENCES users (id) ON DELETE SET NULL,
        modified_by VARCHAR(26) REFERENCES users (id) ON DELETE SET NULL,
        notes TEXT,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now())
    )
    """,
    """
    CREATE TABLE quota_usage (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        period VARCHAR(6) NOT NULL,
        recordings_count INTEGER DEFAULT 0,
        storage_used_gb NUMERIC(10, 2) DEFAULT 0,
        tasks_run_count INTEGER DEFAULT 0,
        automation_runs_count INTEGER DEFAULT 0,
        last_updated_at TIMESTAMP DEFAULT timezone('utc', now()),
        CONSTRAINT unique_user_period UNIQUE (user_id, period)
    )
    """,
    """
    CREATE TABLE quota_change_history (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        admin_user_id VARCHAR(26) REFERENCES users (id) ON DELETE SET NULL,
        change_type VARCHAR(50) NOT NULL,
        old_value JSONB,
        new_value JSONB,
        reason TEXT,
        created_at TIMESTAMP DEFAULT timezone('utc', now())
    )
    """,
    """
    CREATE TABLE recording_templates (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        name VARCHAR(255) NOT NULL,
        description TEXT,
        priority INTEGER DEFAULT 0 NOT NULL,
        matching_rules JSONB,
        processing_config JSONB,
        metadata_config JSONB,
        output_config JSONB,
        is_draft BOOLEAN DEFAULT FALSE,
        is_active BOOLEAN DEFAULT TRUE,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now()),
        CONSTRAINT unique_user_template_name UNIQUE (user_id, name)
    )
    """,
    """
    CREATE TABLE input_sources (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        name VARCHAR(255) NOT NULL,
        description TEXT,
        source_type VARCHAR(50) NOT NULL,
        credential_id INTEGER REFERENCES user_credentials (id) ON DELETE SET NULL,
        config JSONB,
        is_active BOOLEAN DEFAULT TRUE,
        last_sync_at TIMESTAMP,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now()),
        CONSTRAINT uq_input_sources_user_name_type_credential
            UNIQUE (user_id, name, source_type, credential_id)
    )
    """,
    """
    CREATE TABLE output_presets (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        name VARCHAR(255) NOT NULL,
        description TEXT,
        platform VARCHAR(50) NOT NULL,
        credential_id INTEGER NOT NULL REFERENCES user_credentials (id) ON DELETE CASCADE,
        preset_metadata JSONB,
        is_active BOOLEAN DEFAULT TRUE,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now()),
        CONSTRAINT unique_user_preset_name UNIQUE (user_id, name)
    )
    """,
    """
    CREATE TABLE recordings (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) REFERENCES users (id) ON DELETE CASCADE,
        input_source_id INTEGER REFERENCES input_sources (id) ON DELETE SET NULL,
        template_id INTEGER REFERENCES recording_templates (id) ON DELETE SET NULL,
        is_mapped BOOLEAN DEFAULT FALSE,
        display_name VARCHAR(500) NOT NULL,
        start_time TIMESTAMP NOT NULL,
        duration INTEGER NOT NULL,
        status VARCHAR(50) DEFAULT 'INITIALIZED' NOT NULL,
        blank_record BOOLEAN DEFAULT FALSE,
        local_video_path VARCHAR(1000),
        processed_video_path VARCHAR(1000),
        processed_audio_path VARCHAR(1000),
        transcription_dir VARCHAR(1000),
        transcription_info JSONB,
        topic_timestamps JSONB,
        main_topics JSONB,
        processing_preferences JSONB,
        deleted BOOLEAN DEFAULT FALSE,
        deleted_at TIMESTAMP,
        delete_state VARCHAR(20) DEFAULT 'active',
        deletion_reason VARCHAR(20),
        soft_deleted_at TIMESTAMP,
        hard_delete_at TIMESTAMP,
        expire_at TIMESTAMP,
        failed BOOLEAN DEFAULT FALSE,
        failed_at TIMESTAMP,
        failed_reason VARCHAR(1000),
        failed_at_stage VARCHAR(50),
        retry_count INTEGER DEFAULT 0,
        downloaded_at TIMESTAMP,
        video_file_size BIGINT,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now()),
        CONSTRAINT recordings_status_check CHECK (status IN (
            'INITIALIZED', 'DOWNLOADING', 'DOWNLOADED', 'PROCESSING', 'PROCESSED', 'UPLOADED',
            'FAILED'
        ))
    )
    """,
    """
    CREATE TABLE source_metadata (
        id SERIAL PRIMARY KEY,
        recording_id INTEGER NOT NULL UNIQUE REFERENCES recordings (id) ON DELETE CASCADE,
        user_id VARCHAR(26) REFERENCES users (id) ON DELETE CASCADE,
        input_source_id INTEGER REFERENCES input_sources (id) ON DELETE SET NULL,
        source_type VARCHAR(50) NOT NULL,
        source_key VARCHAR(1000) NOT NULL,
        meta JSONB,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        CONSTRAINT unique_source_per_recording UNIQUE (source_type, source_key, recording_id)
    )
    """,
    """
    CREATE TABLE output_targets (
        id SERIAL PRIMARY KEY,
        recording_id INTEGER NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
        user_id VARCHAR(26) REFERENCES users (id) ON DELETE CASCADE,
        preset_id INTEGER REFERENCES output_presets (id) ON DELETE SET NULL,
        target_type VARCHAR(50) NOT NULL,
        status VARCHAR(50) DEFAULT 'NOT_UPLOADED' NOT NULL,
        target_meta JSONB,
        uploaded_at TIMESTAMP,
        failed BOOLEAN DEFAULT FALSE,
        failed_at TIMESTAMP,
        failed_reason VARCHAR(1000),
        retry_count INTEGER DEFAULT 0,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now()),
        CONSTRAINT unique_target_per_recording UNIQUE (recording_id, target_type),
        CONSTRAINT output_targets_status_check CHECK (status IN (
            'NOT_UPLOADED', 'UPLOADED', 'FAILED'
        ))
    )
    """,
    """
    CREATE TABLE processing_stages (
        id SERIAL PRIMARY KEY,
        recording_id INTEGER NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
        user_id VARCHAR(26) REFERENCES users (id) ON DELETE CASCADE,
        stage_type VARCHAR(50) NOT NULL,
        status VARCHAR(50) DEFAULT 'PENDING' NOT NULL,
        completed_at TIMESTAMP,
        failed BOOLEAN DEFAULT FALSE,
        failed_at TIMESTAMP,
        failed_reason VARCHAR(1000),
        retry_count INTEGER DEFAULT 0,
        stage_meta JSONB,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now()),
        CONSTRAINT unique_stage_per_recording UNIQUE (recording_id, stage_type),
        CONSTRAINT processing_stages_stage_type_check CHECK (stage_type IN (
            'PROCESS_VIDEO', 'TRANSCRIBE', 'TOPICS', 'SUBTITLES'
        )),
        CONSTRAINT processing_stages_status_check CHECK (status IN (
            'PENDING', 'IN_PROGRESS', 'COMPLETED', 'FAILED'
        ))
    )
    """,
    """
    CREATE TABLE automation_jobs (
        id SERIAL PRIMARY KEY,
        user_id VARCHAR(26) NOT NULL REFERENCES users (id) ON DELETE CASCADE,
        template_id INTEGER REFERENCES recording_templates (id) ON DELETE CASCADE,
        name VARCHAR(255) NOT NULL,
        description TEXT,
        job_type VARCHAR(50) NOT NULL,
        schedule JSONB NOT NULL,
        source_ids JSONB,
        enabled BOOLEAN DEFAULT TRUE,
        last_run_at TIMESTAMP,
        last_run_status VARCHAR(50),
        last_run_error TEXT,
        created_at TIMESTAMP DEFAULT timezone('utc', now()),
        updated_at TIMESTAMP DEFAULT timezone('utc', now()),
        CONSTRAINT unique_user_job_name UNIQUE (user_id, name)
    )
    """,
)

INDEXES = """
idx_users_email ON users (email)
idx_users_user_slug ON users (user_slug)
idx_users_active ON users (is_active, role)
idx_refresh_tokens_user ON refresh_tokens (user_id)
idx_refresh_tokens_token ON refresh_tokens (token) WHERE NOT revoked
idx_refresh_tokens_expiry ON refresh_tokens (expires_at) WHERE NOT revoked
idx_user_credentials_user ON user_credentials (user_id, platform)
idx_user_credentials_active ON user_credentials (is_active)
idx_user_configs_user ON user_configs (user_id)
idx_base_configs_user ON base_configs (user_id, config_type)
idx_base_configs_type ON base_configs (config_type, is_active)
idx_subscription_plans_active ON subscription_plans (is_active, sort_order)
idx_user_subscriptions_user ON user_subscriptions (user_id)
idx_user_subscriptions_plan ON user_subscriptions (plan_id)
idx_user_subscriptions_expires ON user_subscriptions (expires_at)
idx_quota_usage_user_period ON quota_usage (user_id, period DESC)
idx_quota_history_user ON quota_change_history (user_id, created_at DESC)
idx_recording_templates_user ON recording_templates (user_id, is_active)
idx_recording_templates_active ON recording_templates (is_active, created_at)
idx_recording_templates_priority ON recording_templates (user_id, priority DESC)
idx_input_sources_user ON input_sources (user_id, is_active)
idx_input_sources_credential ON input_sources (credential_id)
idx_input_sources_type ON input_sources (source_type)
idx_output_presets_user ON output_presets (user_id, is_active)
idx_output_presets_platform ON output_presets (platform, is_active)
idx_output_presets_credential ON output_presets (credential_id)
idx_recordings_user ON recordings (user_id, created_at DESC)
idx_recordings_status ON recordings (status, user_id)
idx_recordings_template ON recordings (template_id, status)
idx_recordings_source ON recordings (input_source_id)
idx_recordings_mapped ON recordings (is_mapped, user_id)
idx_recordings_blank ON recordings (blank_record, user_id)
idx_recordings_deleted ON recordings (deleted, user_id)
idx_recordings_delete_state ON recordings (delete_state)
idx_recordings_failed ON recordings (failed, user_id) WHERE failed = TRUE
idx_source_metadata_recording ON source_metadata (recording_id)
idx_source_metadata_source ON source_metadata (source_type, source_key)
idx_source_metadata_user ON source_metadata (user_id)
idx_source_metadata_input_source ON source_metadata (input_source_id)
idx_output_targets_recording ON output_targets (recording_id)
idx_output_targets_user ON output_targets (user_id)
idx_output_targets_preset ON output_targets (preset_id)
idx_output_targets_status ON output_targets (target_type, status)
idx_output_targets_failed ON output_targets (status) WHERE status = 'FAILED'
idx_processing_stages_recording ON processing_stages (recording_id)
idx_processing_stages_user ON processing_stages (user_id)
idx_processing_stages_status ON processing_stages (status, stage_type)
idx_automation_jobs_user ON automation_jobs (user_id, enabled)
idx_automation_jobs_template ON automation_jobs (template_id)
idx_automation_jobs_enabled ON automation_jobs (enabled)
"""

# Recordings a month, storage in GB, tasks at once, automation jobs, hours between them
# (NULL = unlimited), dollars a month and a year, dollars for each recording beyond.
PLAN_COLUMNS = (
    "name, display_name, description, included_recordings_per_month, included_storage_gb,"
    " max_concurrent_tasks, max_automation_jobs, min_automation_interval_hours, price_monthly,"
    " price_yearly, overage_price_per_unit, overage_unit_type, is_active, sort_order"
)
PLANS = """
    ('Free', 'Free', 'For trying LEAP on a few lectures a month.',
        10, 5, 1, 0, NULL, 0.00, 0.00, NULL, NULL, TRUE, 1),
    ('Plus', 'Plus', 'For one course: more recordings and a few scheduled jobs.',
        50, 25, 2, 3, 12, 10.00, 100.00, 0.20, 'recording', TRUE, 2),
    ('Pro', 'Pro', 'For a department: many courses, five tasks at once.',
        200, 100, 5, 10, 6, 30.00, 300.00, 0.20, 'recording', TRUE, 3),
    ('Enterprise', 'Enterprise', 'For a whole university, without limits; price on request.',
        NULL, NULL, 10, NULL, 1, 0.00, 0.00, NULL, NULL, FALSE, 4)
"""

DROPPED = (
    "automation_jobs",
    "processing_stages",
    "output_targets",
    "source_metadata",
    "recordings",
    "output_presets",
    "input_sources",
    "recording_templates",
    "quota_change_history",
    "quota_usage",
    "user_subscriptions",
    "subscription_plans",
    "base_configs",
    "user_configs",
    "user_credentials",
    "refresh_tokens",
    "users",
)


def losses(connection: Connection) -> list[str]:
    """What the downgrade would drop beyond the plans that the upgrade seeded."""
    kept = [table for table in DROPPED if table != "subscription_plans"]
    edited = connection.scalar(
        text(
            f"SELECT count(*) FROM (SELECT {PLAN_COLUMNS} FROM subscription_plans"
            f" EXCEPT SELECT * FROM (VALUES {PLANS}) AS seeded) AS edited"
        )
    )
    return rows_in(connection, kept) + ([f"subscription_plans ({edited})"] if edited else [])


def upgrade() -> None:
    op.execute("CREATE SEQUENCE user_slug_seq")
    for table in TABLES:
        op.execute(table)
    for index in INDEXES.strip().splitlines():
        op.execute(f"CREATE INDEX {index}")
    op.execute(
        f"INSERT INTO subscription_plans ({PLAN_COLUMNS}) VALUES {PLANS}"
        " ON CONFLICT (name) DO NOTHING"
    )


def downgrade() -> None:
    for table in DROPPED:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP SEQUENCE user_slug_seq")
