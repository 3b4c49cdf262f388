"""Pieces of work, what holds them up, and the files they left: tables beyond the design."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Double, ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from leap_pipeline.db.base import (
    Base,
    BigSerialId,
    CreatedAt,
    EmptyArray,
    EmptyObject,
    UpdatedAt,
    ZeroByDefault,
)
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.users import OwnerId


class RecordingRun(Base):
    """One run of a piece of work: a recording's prepare phase, or one of its targets.

    `phase` is prepare or publish; `state` is queued, running, waiting, done, failed or cancelled.
    The first three are live, of which a piece of work has at most one, and the `generation` of
    that row is the token by which its worker's writes are fenced.
    """

    __tablename__ = "recording_runs"
    __table_args__ = (
        Index(
            "uq_recording_runs_live",
            "recording_id",
            "phase",
            text("COALESCE(target_type, '')"),
            unique=True,
            postgresql_where=text("state IN ('queued', 'running', 'waiting')"),
        ),
        Index("idx_recording_runs_recording", "recording_id"),
        Index("idx_recording_runs_user", "user_id", text("created_at DESC")),
        Index("idx_recording_runs_due", "state", "due_at"),
        # Beyond the design (021): how long work took of late.
        Index(
            "idx_recording_runs_prepared",
            "finished_at",
            postgresql_include=["started_at"],
            postgresql_where=text("phase = 'prepare' AND state = 'done'"),
        ),
    )

    id: Mapped[BigSerialId]
    recording_id: Mapped[int] = mapped_column(ForeignKey(Recording.id, ondelete="CASCADE"))
    user_id: Mapped[OwnerId]
    phase: Mapped[str] = mapped_column(String(20))
    target_type: Mapped[str | None] = mapped_column(String(50))
    state: Mapped[str] = mapped_column(String(20), server_default="queued")
    generation: Mapped[int] = mapped_column(server_default=text("1"))
    attempts: Mapped[ZeroByDefault]
    dagster_run_id: Mapped[str | None] = mapped_column(String(64))
    requested_by: Mapped[str] = mapped_column(String(255), server_default="system")
    selection: Mapped[EmptyArray]
    forced_from: Mapped[str | None] = mapped_column(String(50))
    due_at: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)
    progress: Mapped[float | None] = mapped_column(Double)  # of the current asset, 0.0 to 1.0
    requested_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class RecordingHold(Base):
    """Why a recording, or one of its targets, must not go on until a person says so.

    `kind` is quality, doubtful_upload, approval or pause; live until `released_at`, and at most one
    of a kind.
    """

    __tablename__ = "recording_holds"
    __table_args__ = (
        Index(
            "uq_recording_holds_live",
            "recording_id",
            text("COALESCE(target_type, '')"),
            "kind",
            unique=True,
            postgresql_where=text("released_at IS NULL"),
        ),
        Index("idx_recording_holds_recording", "recording_id"),
        Index("idx_recording_holds_user", "user_id", text("created_at DESC")),
    )

    id: Mapped[BigSerialId]
    user_id: Mapped[OwnerId]
    recording_id: Mapped[int] = mapped_column(ForeignKey(Recording.id, ondelete="CASCADE"))
    target_type: Mapped[str | None] = mapped_column(String(50))
    kind: Mapped[str] = mapped_column(String(50))
    reason: Mapped[str] = mapped_column(Text)
    facts: Mapped[EmptyObject]
    held_by: Mapped[str] = mapped_column(String(255), server_default="system")
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None] = mapped_column(String(255))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class StoredObject(Base):
    """A file in storage, written after its bytes; `path` is its key, `bytes` its size."""

    __tablename__ = "stored_objects"
    __table_args__ = (
        UniqueConstraint("user_id", "path", name="uq_stored_objects_path"),
        Index("idx_stored_objects_recording", "recording_id"),
        Index("idx_stored_objects_user", "user_id", "kind"),
    )

    id: Mapped[BigSerialId]
    user_id: Mapped[OwnerId]
    recording_id: Mapped[int | None] = mapped_column(ForeignKey(Recording.id, ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(50))
    path: Mapped[str] = mapped_column(String(1000))
    bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
