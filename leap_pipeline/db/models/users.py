"""Users, what they log in with, and their defaults."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import ForeignKey, Index, Integer, Sequence, String, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import Mapped, mapped_column, relationship
from ulid import ULID

from leap_pipeline.db.base import (
    Base,
    BigSerialId,
    CreatedAt,
    EmptyObject,
    FalseByDefault,
    SerialId,
    TrueByDefault,
    UpdatedAt,
)

USER_SLUG_SEQ = Sequence("user_slug_seq", metadata=Base.metadata)


def new_user_id() -> str:
    """A ULID: sorts by its time of birth to the millisecond."""
    return str(ULID())


class User(Base):
    """One tenant. `id` is the key everywhere; `user_slug` names the storage folder."""

    __tablename__ = "users"
    __table_args__ = (
        Index("idx_users_email", "email"),
        Index("idx_users_user_slug", "user_slug"),
        Index("idx_users_active", "is_active", "role"),
        Index("idx_users_lower_email", text("lower(email)")),  # beyond the design (015)
    )

    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_user_id)
    user_slug: Mapped[int] = mapped_column(Integer, USER_SLUG_SEQ, unique=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    hashed_password: Mapped[str] = mapped_column(String(255))
    full_name: Mapped[str | None] = mapped_column(String(255))

    is_active: Mapped[TrueByDefault]
    is_verified: Mapped[FalseByDefault]
    role: Mapped[str] = mapped_column(String(50), server_default="user")

    can_transcribe: Mapped[TrueByDefault]
    can_process_video: Mapped[TrueByDefault]
    can_upload: Mapped[TrueByDefault]
    can_create_templates: Mapped[TrueByDefault]
    can_delete_recordings: Mapped[TrueByDefault]
    can_update_uploaded_videos: Mapped[TrueByDefault]
    can_manage_credentials: Mapped[TrueByDefault]
    can_export_data: Mapped[TrueByDefault]

    timezone: Mapped[str] = mapped_column(String(50), server_default="UTC")

    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    last_login_at: Mapped[datetime | None]

    config: Mapped[UserConfig | None] = relationship(passive_deletes=True)


OwnerId = Annotated[str, mapped_column(String(26), ForeignKey(User.id, ondelete="CASCADE"))]
AuthorId = Annotated[str, mapped_column(String(26), ForeignKey(User.id, ondelete="SET NULL"))]


class RefreshToken(Base):
    """One refresh token of a login session; `token` holds its hash."""

    __tablename__ = "refresh_tokens"
    __table_args__ = (
        Index("idx_refresh_tokens_user", "user_id"),
        Index("idx_refresh_tokens_token", "token", postgresql_where=text("NOT revoked")),
        Index("idx_refresh_tokens_expiry", "expires_at", postgresql_where=text("NOT revoked")),
        Index("idx_refresh_tokens_family", "family_id"),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId]
    token: Mapped[str] = mapped_column(String(500), unique=True)
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt | None]
    revoked: Mapped[FalseByDefault | None]
    ip_address: Mapped[str | None] = mapped_column(INET)
    user_agent: Mapped[str | None] = mapped_column(Text)

    # Beyond the design (012): all tokens that one login led to, and when this one was rotated.
    family_id: Mapped[str | None] = mapped_column(String(26))
    replaced_at: Mapped[datetime | None]


class OneTimeLink(Base):
    """What a link that works once allows: verify_email or reset_password. Keeps its SHA-256."""

    __tablename__ = "one_time_links"
    __table_args__ = (
        Index("idx_one_time_links_user", "user_id"),
        Index("idx_one_time_links_author", "created_by"),
    )

    id: Mapped[BigSerialId]
    user_id: Mapped[OwnerId]
    purpose: Mapped[str] = mapped_column(String(50))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    created_by: Mapped[AuthorId | None]
    created_at: Mapped[CreatedAt]


class UserCredential(Base):
    """An encrypted account of a user at a platform (zoom, youtube, vk, fireworks, deepseek)."""

    __tablename__ = "user_credentials"
    __table_args__ = (
        UniqueConstraint(
            "user_id", "platform", "account_name", name="unique_user_platform_account"
        ),
        Index("idx_user_credentials_user", "user_id", "platform"),
        Index("idx_user_credentials_active", "is_active"),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId]
    platform: Mapped[str] = mapped_column(String(50))
    account_name: Mapped[str | None] = mapped_column(String(255))
    encrypted_data: Mapped[str] = mapped_column(Text)
    is_active: Mapped[TrueByDefault | None]
    last_used_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]


class UserConfig(Base):
    """A user's defaults, under which template configurations are merged."""

    __tablename__ = "user_configs"
    __table_args__ = (Index("idx_user_configs_user", "user_id"),)

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId] = mapped_column(unique=True)
    processing_config: Mapped[EmptyObject | None]
    transcription_config: Mapped[EmptyObject | None]
    metadata_config: Mapped[EmptyObject | None]
    upload_config: Mapped[EmptyObject | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]

    preferences: Mapped[EmptyObject]  # beyond the design (012): language, retention


class BaseConfig(Base):
    """A named configuration; without an owner it is global."""

    __tablename__ = "base_configs"
    __table_args__ = (
        Index("idx_base_configs_user", "user_id", "config_type"),
        Index("idx_base_configs_type", "config_type", "is_active"),
    )

    id: Mapped[SerialId]
    user_id: Mapped[OwnerId | None]
    name: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    config_type: Mapped[str | None] = mapped_column(String(50))
    config_data: Mapped[dict[str, Any]]
    is_active: Mapped[TrueByDefault | None]
    created_at: Mapped[CreatedAt | None]
    updated_at: Mapped[UpdatedAt | None]
