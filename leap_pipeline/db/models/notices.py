"""Notices to owners, and where they are sent: tables beyond the design (020)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from leap_pipeline.db.base import (
    Base,
    BigSerialId,
    CreatedAt,
    EmptyArray,
    UpdatedAt,
    ZeroByDefault,
)
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.users import OwnerId, UserCredential


class Notice(Base):
    """Something that its owner should know, once for each `fact`.

    `kind` is connect, held, failed, ready or test; `mail_state` and `webhook_state` are due, sent
    or given_up, and NULL where the owner did not ask for it.
    """

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("user_id", "fact", name="uq_notices_fact"),
        Index("idx_notices_user", "user_id", text("created_at DESC")),
        Index("idx_notices_unread", "user_id", postgresql_where=text("read_at IS NULL")),
        Index("idx_notices_mail", "user_id", postgresql_where=text("mail_state = 'due'")),
        Index("idx_notices_webhook", "user_id", postgresql_where=text("webhook_state = 'due'")),
        Index("idx_notices_recording", "recording_id"),
        Index("idx_notices_credential", "credential_id"),
        Index("idx_notices_created", "created_at"),
    )

    id: Mapped[BigSerialId]
    user_id: Mapped[OwnerId]
    kind: Mapped[str] = mapped_column(String(20))
    fact: Mapped[str] = mapped_column(String(200))
    recording_id: Mapped[int | None] = mapped_column(ForeignKey(Recording.id, ondelete="CASCADE"))
    credential_id: Mapped[int | None] = mapped_column(
        ForeignKey(UserCredential.id, ondelete="CASCADE")
    )
    subject: Mapped[str] = mapped_column(String(500))
    about: Mapped[str] = mapped_column(String(50), server_default="")
    reason: Mapped[str | None] = mapped_column(Text)
    read_at: Mapped[datetime | None]
    mail_state: Mapped[str | None] = mapped_column(String(20))
    webhook_state: Mapped[str | None] = mapped_column(String(20))
    created_at: Mapped[CreatedAt]


class NoticeChannel(Base):
    """Where a user wants notices sent, and of which `kinds`; no row = nowhere.

    `address` is the webhook's, encrypted; a mail goes to the user's own address. Nothing is sent
    before `next_at`: after a digest, a failure, or while somebody sends. `attempts` counts those
    since the last success.
    """

    __tablename__ = "notice_channels"
    __table_args__ = (
        UniqueConstraint("user_id", "channel", name="uq_notice_channels_channel"),
        Index("idx_notice_channels_next", "next_at"),
    )

    id: Mapped[BigSerialId]
    user_id: Mapped[OwnerId]
    channel: Mapped[str] = mapped_column(String(20))
    kinds: Mapped[EmptyArray]
    address: Mapped[str | None] = mapped_column(Text)
    next_at: Mapped[datetime | None]
    attempts: Mapped[ZeroByDefault]
    last_error: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
