"""What people ask for on many recordings at once: a table beyond the design."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, String, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
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
from leap_pipeline.db.models.users import OwnerId


class BulkAction(Base):
    """One kind of action on recordings of one owner (`user_id`), as `asked_by` (a user's id) asked.

    `recording_ids` were chosen when it was asked for, and are forgotten when it ends; the first
    `done` of them are dealt with, of which `changed` were changed and `refused` could not be.
    `state` is queued, running, done or cancelled.
    """

    __tablename__ = "bulk_actions"
    __table_args__ = (
        Index("idx_bulk_actions_user", "user_id", text("created_at DESC")),
        Index("idx_bulk_actions_asked", "asked_by", text("created_at DESC")),
        Index(
            "idx_bulk_actions_live",
            "updated_at",
            "id",
            postgresql_where=text("state IN ('queued', 'running')"),
        ),
    )

    id: Mapped[BigSerialId]
    user_id: Mapped[OwnerId]
    action: Mapped[str] = mapped_column(String(20))
    parameters: Mapped[EmptyObject]
    recording_ids: Mapped[list[int]] = mapped_column(
        ARRAY(Integer), server_default=text("'{}'"), deferred=True
    )
    asked_by: Mapped[str] = mapped_column(String(26))
    requested_by: Mapped[str] = mapped_column(String(255))
    total: Mapped[ZeroByDefault]
    done: Mapped[ZeroByDefault]
    changed: Mapped[ZeroByDefault]
    refused: Mapped[ZeroByDefault]
    refusals: Mapped[EmptyArray]
    state: Mapped[str] = mapped_column(String(20), server_default="queued")
    reason: Mapped[str | None] = mapped_column(Text)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
