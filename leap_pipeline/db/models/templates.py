"""What a user configures: templates, sources and presets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leap_pipeline.db.base import (
    Base,
    CreatedAt,
    FalseByDefault,
    SerialId,
    TrueByDefault,
    UpdatedAt,
    ZeroByDefault,
)
from leap_pipeline.db.models.users import OwnerId, UserCredential


class RecordingTemplate(Base):
    """Which recordings it takes, and what happens to them."""

    __tablename__ = "recording_templates"
    __table_args__ = (
        UniqueConstraint("user_id", "name", name="unique_user_template_name"),
        Index("idx_recording_templates_user", "user_id", "is_active"),
        Index("idx_recording_templates_active", "is_active", "created_at"),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId]
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    matching_rules: Mapped[dict[str, Any] | None]
    processing_config: Mapped[dict[str, Any] | None]
    metadata_config: Mapped[dict[str, Any] | None]
    output_config: Mapped[dict[str, Any] | None]
    is_draft: Mapped[FalseByDefault | None]
    is_active: Mapped[TrueByDefault | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]


class InputSource(Base):
    """An account from which recordings are fetched."""

    __tablename__ = "input_sources"
    __table_args__ = (
        UniqueConstraint(
            "user_id",
            "name",
            "source_type",
            "credential_id",
            name="uq_input_sources_user_name_type_credential",
        ),
        Index("idx_input_sources_user", "user_id", "is_active"),
        Index("idx_input_sources_credential", "credential_id"),
        Index("idx_input_sources_type", "source_type"),
        # Beyond the design (016).
        Index(
            "idx_input_sources_due",
            text("next_poll_at NULLS FIRST"),
            postgresql_where=text("is_active"),
        ),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId]
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    source_type: Mapped[str] = mapped_column(String(50))
    credential_id: Mapped[int | None] = mapped_column(
        ForeignKey(UserCredential.id, ondelete="SET NULL")
    )
    config: Mapped[dict[str, Any] | None]
    is_active: Mapped[TrueByDefault | None]
    last_sync_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    # Beyond the design (016): how far it was read, when it is due, failures in a row, the last
    # one's sentence, and the counts of the last sync.
    cursor: Mapped[dict[str, Any] | None]
    next_poll_at: Mapped[datetime | None]
    failures: Mapped[ZeroByDefault]
    last_error: Mapped[str | None] = mapped_column(Text)
    last_result: Mapped[dict[str, Any] | None]

    credential: Mapped[UserCredential | None] = relationship(lazy="raise", viewonly=True)


class OutputPreset(Base):
    """How and with which account a platform is published to."""

    __tablename__ = "output_presets"
    __table_args__ = (
        UniqueConstraint("user_id", "name", name="unique_user_preset_name"),
        Index("idx_output_presets_user", "user_id", "is_active"),
        Index("idx_output_presets_platform", "platform", "is_active"),
        Index("idx_output_presets_credential", "credential_id"),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId]
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    platform: Mapped[str] = mapped_column(String(50))
    credential_id: Mapped[int] = mapped_column(ForeignKey(UserCredential.id, ondelete="CASCADE"))
    preset_metadata: Mapped[dict[str, Any] | None]
    is_active: Mapped[TrueByDefault | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    credential: Mapped[UserCredential] = relationship(lazy="raise", viewonly=True)
