"""Deletion and retention: the states of `recordings.delete_state`, and a user's days.

Soft-deleted, a recording can be restored until `hard_delete_at`. Deleted for good, its row stays as
a tombstone, by which a sync knows that it is not to bring the recording back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from leap_pipeline.domain.shapes.accounts import Retention

TOMBSTONE_NAME = "(deleted)"
RESTORE_DAYS = 30
# What a recording held of its content. Its source's key stays: by it a sync knows the recording.
TOMBSTONE: Mapping[str, Any] = {
    "display_name": TOMBSTONE_NAME,
    "local_video_path": None,
    "processed_video_path": None,
    "processed_audio_path": None,
    "transcription_dir": None,
    "transcription_info": None,
    "topic_timestamps": None,
    "main_topics": None,
    "processing_preferences": None,
    "video_file_size": None,
    "failed_reason": None,
    "expire_at": None,
}


class DeleteState(StrEnum):
    """`recordings.delete_state`."""

    ACTIVE = "active"
    SOFT_DELETED = "soft_deleted"
    HARD_DELETED = "hard_deleted"


class DeletionReason(StrEnum):
    """`recordings.deletion_reason`."""

    MANUAL = "manual"
    EXPIRED = "expired"
    ADMIN = "admin"


DELETION_MOVES: Mapping[DeleteState, Mapping[DeleteState, str]] = {
    DeleteState.ACTIVE: {DeleteState.SOFT_DELETED: "it was deleted, or it expired"},
    DeleteState.SOFT_DELETED: {
        DeleteState.ACTIVE: "it was restored in time",
        DeleteState.HARD_DELETED: "its time to be restored is over",
    },
    DeleteState.HARD_DELETED: {},
}


def hard_delete_at(retention: Retention, at: datetime) -> datetime:
    """When a recording that is deleted now goes for good."""
    days = retention.restore_days
    return at + timedelta(days=RESTORE_DAYS if days is None else days)


def expire_at(retention: Retention, at: datetime) -> datetime | None:
    """When a recording that comes in now expires; None = never."""
    days = retention.expire_after_days
    return None if days is None else at + timedelta(days=days)


@dataclass(frozen=True)
class Deletion:
    """The columns of a recording that are written together; names as there."""

    delete_state: DeleteState
    deleted: bool
    deleted_at: datetime | None = None
    deletion_reason: DeletionReason | None = None
    soft_deleted_at: datetime | None = None
    hard_delete_at: datetime | None = None


ACTIVE = Deletion(DeleteState.ACTIVE, deleted=False)


def soft_deleted(reason: DeletionReason, at: datetime, hard_delete_at: datetime) -> Deletion:
    return Deletion(
        DeleteState.SOFT_DELETED,
        deleted=True,
        deleted_at=at,
        deletion_reason=reason,
        soft_deleted_at=at,
        hard_delete_at=hard_delete_at,
    )
