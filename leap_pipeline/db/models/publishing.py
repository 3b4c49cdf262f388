"""Uploads, the decorations of published videos, YouTube's quota, and logins at platforms."""

from __future__ import annotations

import datetime as dt
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Double,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from leap_pipeline.db.base import (
    Base,
    BigSerialId,
    CreatedAt,
    EmptyObject,
    UpdatedAt,
    ZeroByDefault,
)
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.db.models.users import OwnerId, UserCredential


class UploadSession(Base):
    """The upload of one target: its intent, its session, its receipt.

    `state` is planned, open, lost or uploaded. `session` is encrypted: what opens the way to send
    bytes, NULL once it is of no more use. `generation` counts the sessions that were opened;
    `marker` is in the video itself, so that it is found again. `account` is the channel or the
    owner at the platform. `bytes`, `sha256` and `duration` (seconds) are those of the file that is
    sent, and `sent` is what is sent with it. `closing_at` is when the bytes that could complete the
    video first went out. `absences` counts how often in a row the platform surely had no such
    video, last at `absent_at`, and `failures` how often in a row it could not go on. `processing`
    is what the platform says since: processing, processed, failed or gone; it is asked again at
    `next_look_at`. `searches` counts how often it was asked whether it has another one, which was
    sent before.
    """

    __tablename__ = "upload_sessions"
    __table_args__ = (
        Index("idx_upload_sessions_user", "user_id", text("created_at DESC")),
        Index("idx_upload_sessions_credential", "credential_id"),
        Index(
            "idx_upload_sessions_look",
            "next_look_at",
            postgresql_where=text("next_look_at IS NOT NULL"),
        ),
    )

    id: Mapped[BigSerialId]
    user_id: Mapped[OwnerId]
    target_id: Mapped[int] = mapped_column(
        ForeignKey(OutputTarget.id, ondelete="CASCADE"), unique=True
    )
    credential_id: Mapped[int | None] = mapped_column(
        ForeignKey(UserCredential.id, ondelete="SET NULL")
    )
    state: Mapped[str] = mapped_column(String(20), server_default="planned")
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    marker: Mapped[str] = mapped_column(String(64))
    account: Mapped[str | None] = mapped_column(String(255))
    session: Mapped[str | None] = mapped_column(Text)
    video_id: Mapped[str | None] = mapped_column(String(64))
    owner_id: Mapped[int | None] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    duration: Mapped[float | None] = mapped_column(Double)
    sent: Mapped[EmptyObject]
    opened_at: Mapped[datetime | None]
    closing_at: Mapped[datetime | None]
    absences: Mapped[ZeroByDefault]
    absent_at: Mapped[datetime | None]
    failures: Mapped[ZeroByDefault]
    uploaded_at: Mapped[datetime | None]
    processing: Mapped[str | None] = mapped_column(String(20))
    processing_note: Mapped[str | None] = mapped_column(Text)
    looks: Mapped[ZeroByDefault]
    searches: Mapped[ZeroByDefault]
    next_look_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class TargetStep(Base):
    """One decoration of a published video: thumbnail, captions, playlist or album.

    `name` tells several of a kind apart (captions: the language; collection: its id there). `state`
    is pending, done, failed or skipped; `wanted` and `done` say of what (a digest or an id at the
    platform), so that what is there already is not done again. `external_id` is the platform's id
    of what was made.
    """

    __tablename__ = "target_steps"
    __table_args__ = (
        UniqueConstraint("target_id", "kind", "name", name="uq_target_steps_name"),
        Index("idx_target_steps_user", "user_id", "state"),
    )

    id: Mapped[BigSerialId]
    user_id: Mapped[OwnerId]
    target_id: Mapped[int] = mapped_column(ForeignKey(OutputTarget.id, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(64), server_default="")
    state: Mapped[str] = mapped_column(String(20), server_default="pending")
    wanted: Mapped[str | None] = mapped_column(String(255))
    done: Mapped[str | None] = mapped_column(String(255))
    external_id: Mapped[str | None] = mapped_column(String(255))
    attempts: Mapped[ZeroByDefault]
    reason: Mapped[str | None] = mapped_column(Text)
    finished_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class QuotaSpent(Base):
    """What a project at Google spent on a day of the Pacific, for one kind of call.

    `bucket` is inserts or units. `refused_at`: Google itself said that nothing is left.
    """

    __tablename__ = "youtube_quota_ledger"
    __table_args__ = (
        UniqueConstraint("project", "day", "bucket", "kind", name="uq_youtube_quota_ledger_kind"),
    )

    id: Mapped[BigSerialId]
    project: Mapped[str] = mapped_column(String(255))
    day: Mapped[dt.date]
    bucket: Mapped[str] = mapped_column(String(20))
    kind: Mapped[str] = mapped_column(String(40))
    calls: Mapped[ZeroByDefault]
    units: Mapped[ZeroByDefault]
    refused_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class OAuthState(Base):
    """One login at a platform that a browser has begun; taken away when it comes back.

    `state_hash` and `browser_hash` are SHA-256 in hex; `verifier` (PKCE) is encrypted.
    `credential_id`: the account that is connected again; None: a new one, called `account_name`.
    """

    __tablename__ = "oauth_states"
    __table_args__ = (
        Index("idx_oauth_states_user", "user_id"),
        Index("idx_oauth_states_credential", "credential_id"),
        Index("idx_oauth_states_expires", "expires_at"),
    )

    id: Mapped[BigSerialId]
    state_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[OwnerId]
    platform: Mapped[str] = mapped_column(String(20))
    flow: Mapped[str] = mapped_column(String(20))
    redirect_uri: Mapped[str] = mapped_column(String(2048))
    browser_hash: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str | None] = mapped_column(Text)
    credential_id: Mapped[int | None] = mapped_column(
        ForeignKey(UserCredential.id, ondelete="CASCADE")
    )
    account_name: Mapped[str | None] = mapped_column(String(255))
    expires_at: Mapped[datetime]
    created_at: Mapped[CreatedAt]
