"""Recordings, where they came from, their stages and their targets."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    Computed,
    Connection,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leap_pipeline.db.base import (
    Base,
    BigSerialId,
    CreatedAt,
    FalseByDefault,
    SerialId,
    UpdatedAt,
    ZeroByDefault,
)
from leap_pipeline.db.models.templates import InputSource, OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import OwnerId

_OWNED = "all, delete-orphan"


# What a search can be combined with, all of it in one index.
SEARCHED_COLUMNS = (
    "search_name",
    "start_time",
    "status",
    "deleted",
    "delete_state",
    "is_mapped",
    "blank_record",
    "failed",
    "template_id",
    "input_source_id",
)
TRIGRAM_INDEX = "idx_recordings_name_trgm"


def has_trigrams(_ddl: object, _target: object, bind: Connection | None, **_: Any) -> bool:
    """Does the database have pg_trgm, which the index for the system's searches needs?"""
    query = "SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'"
    return bind is not None and bind.scalar(text(query)) is not None


class Recording(Base):
    """One lecture; `duration` in seconds, `video_file_size` in bytes, paths are storage keys."""

    __tablename__ = "recordings"
    __table_args__ = (
        Index("idx_recordings_user", "user_id", text("created_at DESC")),
        Index("idx_recordings_status", "status", "user_id"),
        Index("idx_recordings_template", "template_id", "status"),
        Index("idx_recordings_source", "input_source_id"),
        Index("idx_recordings_mapped", "is_mapped", "user_id"),
        Index("idx_recordings_blank", "blank_record", "user_id"),
        Index("idx_recordings_deleted", "deleted", "user_id"),
        Index("idx_recordings_delete_state", "delete_state"),
        Index("idx_recordings_failed", "failed", "user_id", postgresql_where=text("failed = TRUE")),
        # Beyond the design (015).
        Index(
            "idx_recordings_search",
            "user_id",
            text("created_at DESC"),
            text("id DESC"),
            postgresql_include=list(SEARCHED_COLUMNS),
        ),
        Index("idx_recordings_user_start", "user_id", text("start_time DESC")),
        Index("idx_recordings_user_name", "user_id", "display_name"),
        Index("idx_recordings_user_status", "user_id", "status", text("created_at DESC")),
        Index("idx_recordings_template_created", "template_id", text("created_at DESC")),
        Index("idx_recordings_source_created", "input_source_id", text("created_at DESC")),
        Index("idx_recordings_created", text("created_at DESC")),
        Index(
            "idx_recordings_bin",
            "user_id",
            text("created_at DESC"),
            postgresql_where=text("deleted"),
        ),
        Index(
            "idx_recordings_hard_delete",
            "hard_delete_at",
            postgresql_where=text("delete_state = 'soft_deleted'"),
        ),
        Index(
            "idx_recordings_expire",
            "expire_at",
            postgresql_where=text("expire_at IS NOT NULL"),
        ),
        Index(
            "idx_recordings_look",
            "next_look_at",
            postgresql_where=text("next_look_at IS NOT NULL"),
        ),
        Index(
            "idx_recordings_ready",
            "user_id",
            "start_time",
            postgresql_where=text("status = 'INITIALIZED' AND is_mapped"),
        ),
        Index("idx_recordings_prefs", "processing_preferences", postgresql_using="gin"),
        Index(
            TRIGRAM_INDEX,
            "display_name",
            postgresql_using="gin",
            postgresql_ops={"display_name": "gin_trgm_ops"},
        ).ddl_if(callable_=cast("Any", has_trigrams)),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId | None]
    input_source_id: Mapped[int | None] = mapped_column(
        ForeignKey(InputSource.id, ondelete="SET NULL")
    )
    template_id: Mapped[int | None] = mapped_column(
        ForeignKey(RecordingTemplate.id, ondelete="SET NULL")
    )
    is_mapped: Mapped[FalseByDefault | None]

    display_name: Mapped[str] = mapped_column(String(500))
    start_time: Mapped[datetime]
    duration: Mapped[int]
    status: Mapped[str] = mapped_column(String(50), server_default="INITIALIZED")
    blank_record: Mapped[FalseByDefault | None]

    local_video_path: Mapped[str | None] = mapped_column(String(1000))
    processed_video_path: Mapped[str | None] = mapped_column(String(1000))
    processed_audio_path: Mapped[str | None] = mapped_column(String(1000))
    transcription_dir: Mapped[str | None] = mapped_column(String(1000))

    transcription_info: Mapped[dict[str, Any] | None]
    topic_timestamps: Mapped[list[Any] | None]
    main_topics: Mapped[list[Any] | None]
    processing_preferences: Mapped[dict[str, Any] | None]

    deleted: Mapped[FalseByDefault | None]
    deleted_at: Mapped[datetime | None]
    delete_state: Mapped[str | None] = mapped_column(String(20), server_default="active")
    deletion_reason: Mapped[str | None] = mapped_column(String(20))
    soft_deleted_at: Mapped[datetime | None]
    hard_delete_at: Mapped[datetime | None]
    expire_at: Mapped[datetime | None]

    failed: Mapped[FalseByDefault | None]
    failed_at: Mapped[datetime | None]
    failed_reason: Mapped[str | None] = mapped_column(String(1000))
    failed_at_stage: Mapped[str | None] = mapped_column(String(50))
    retry_count: Mapped[ZeroByDefault | None]

    downloaded_at: Mapped[datetime | None]
    video_file_size: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    # Beyond the design (011): the facts behind SKIPPED, and PENDING_SOURCE, PENDING, IN_PROGRESS,
    # COMPLETED or FAILED for the raw video, from which `status` is computed.
    skip_reason: Mapped[str | None] = mapped_column(String(1000))
    download_status: Mapped[str] = mapped_column(String(50), server_default="PENDING")
    # Beyond the design (015): what a search reads.
    search_name: Mapped[str | None] = mapped_column(
        Text, Computed("lower(display_name)", persisted=True), deferred=True
    )
    # Beyond the design (016): when its source is asked again whether it has become ready.
    next_look_at: Mapped[datetime | None]

    # No joined loading here: a status move locks the recording's row with FOR UPDATE, which
    # PostgreSQL refuses on the nullable side of an outer join.
    source: Mapped[SourceMetadata | None] = relationship(
        lazy="selectin", cascade=_OWNED, passive_deletes=True
    )
    stages: Mapped[list[ProcessingStage]] = relationship(
        lazy="selectin", cascade=_OWNED, passive_deletes=True, order_by="ProcessingStage.id"
    )
    targets: Mapped[list[OutputTarget]] = relationship(
        lazy="selectin", cascade=_OWNED, passive_deletes=True, order_by="OutputTarget.id"
    )
    # Read where they are asked for with the row, never one by one.
    template: Mapped[RecordingTemplate | None] = relationship(lazy="raise", viewonly=True)
    input_source: Mapped[InputSource | None] = relationship(lazy="raise", viewonly=True)


class RecordingCount(Base):
    """A change of how many recordings an owner has in a status and deletion state.

    Written by triggers of `recordings` alone; the sum of the changes is the number. Appended, not
    counted up, so that two who change recordings of one owner never wait for each other.
    """

    __tablename__ = "recording_counts"
    __table_args__ = (Index("idx_recording_counts_user", "user_id"),)

    id: Mapped[BigSerialId]
    user_id: Mapped[str | None] = mapped_column(String(26))
    status: Mapped[str] = mapped_column(String(50))
    delete_state: Mapped[str] = mapped_column(String(20))
    recordings: Mapped[int] = mapped_column(BigInteger)


class SourceMetadata(Base):
    """What the source said about a recording; `source_key` names it there."""

    __tablename__ = "source_metadata"
    __table_args__ = (
        UniqueConstraint(
            "source_type", "source_key", "recording_id", name="unique_source_per_recording"
        ),
        Index("idx_source_metadata_recording", "recording_id"),
        Index("idx_source_metadata_source", "source_type", "source_key"),
        Index("idx_source_metadata_user", "user_id"),
        Index("idx_source_metadata_input_source", "input_source_id"),
        Index("uq_source_metadata_user_key", "user_id", "source_type", "source_key", unique=True),
    )

    id: Mapped[SerialId]
    recording_id: Mapped[int] = mapped_column(
        ForeignKey(Recording.id, ondelete="CASCADE"), unique=True
    )
    user_id: Mapped[OwnerId | None]
    input_source_id: Mapped[int | None] = mapped_column(
        ForeignKey(InputSource.id, ondelete="SET NULL")
    )
    source_type: Mapped[str] = mapped_column(String(50))
    source_key: Mapped[str] = mapped_column(String(1000))
    meta: Mapped[dict[str, Any] | None]
    created_at: Mapped[CreatedAt | None]


class OutputTarget(Base):
    """One place where a recording is published; at most one a `target_type`."""

    __tablename__ = "output_targets"
    __table_args__ = (
        UniqueConstraint("recording_id", "target_type", name="unique_target_per_recording"),
        Index("idx_output_targets_recording", "recording_id"),
        Index("idx_output_targets_user", "user_id"),
        Index("idx_output_targets_preset", "preset_id"),
        Index("idx_output_targets_status", "target_type", "status"),
        Index("idx_output_targets_failed", "status", postgresql_where=text("status = 'FAILED'")),
        Index("idx_output_targets_user_status", "user_id", "status"),
    )

    id: Mapped[SerialId]
    recording_id: Mapped[int] = mapped_column(ForeignKey(Recording.id, ondelete="CASCADE"))
    user_id: Mapped[OwnerId | None]
    preset_id: Mapped[int | None] = mapped_column(ForeignKey(OutputPreset.id, ondelete="SET NULL"))
    target_type: Mapped[str] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(50), server_default="NOT_UPLOADED")
    target_meta: Mapped[dict[str, Any] | None]
    uploaded_at: Mapped[datetime | None]
    failed: Mapped[FalseByDefault | None]
    failed_at: Mapped[datetime | None]
    failed_reason: Mapped[str | None] = mapped_column(String(1000))
    retry_count: Mapped[ZeroByDefault | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    preset: Mapped[OutputPreset | None] = relationship(lazy="raise", viewonly=True)


class ProcessingStage(Base):
    """One stage of a recording; at most one a `stage_type`."""

    __tablename__ = "processing_stages"
    __table_args__ = (
        UniqueConstraint("recording_id", "stage_type", name="unique_stage_per_recording"),
        Index("idx_processing_stages_recording", "recording_id"),
        Index("idx_processing_stages_user", "user_id"),
        Index("idx_processing_stages_status", "status", "stage_type"),
        Index("idx_processing_stages_user_status", "user_id", "status"),
    )

    id: Mapped[SerialId]
    recording_id: Mapped[int] = mapped_column(ForeignKey(Recording.id, ondelete="CASCADE"))
    user_id: Mapped[OwnerId | None]
    stage_type: Mapped[str] = mapped_column(String(50))
    status: Mapped[str] = mapped_column(String(50), server_default="PENDING")
    completed_at: Mapped[datetime | None]
    failed: Mapped[FalseByDefault | None]
    failed_at: Mapped[datetime | None]
    failed_reason: Mapped[str | None] = mapped_column(String(1000))
    skip_reason: Mapped[str | None] = mapped_column(String(500))
    retry_count: Mapped[ZeroByDefault | None]
    stage_meta: Mapped[dict[str, Any] | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]
