"""Deletion and retention: the states of `recordings.delete_state`, and a user's days.

Soft-deleted, a recording can be restored until `hard_delete_at`. Deleted for good, its row stays as
a tombstone, by which a sync knows that it is not to bring the recording back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import Field

from leap_pipeline.domain.shapes.base import Shape

TOMBSTONE_NAME = "(deleted)"
MOST_DAYS = 36_500


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


class Retention(Shape):
    """`user_configs.preferences.retention`, in days.

    A deleted recording can be restored for `soft_delete_days` (0 = not at all); a recording
    expires `expire_after_days` after it came in (None = never).
    """

    soft_delete_days: int = Field(default=30, ge=0, le=MOST_DAYS)
    expire_after_days: int | None = Field(default=None, ge=1, le=MOST_DAYS)

    def hard_delete_at(self, at: datetime) -> datetime:
        """When a recording that is deleted now goes for good."""
        return at + timedelta(days=self.soft_delete_days)

    def expire_at(self, at: datetime) -> datetime | None:
        """When a recording that comes in now expires."""
        if self.expire_after_days is None:
            return None
        return at + timedelta(days=self.expire_after_days)


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


def disagreement(found: Deletion) -> str | None:
    """What of the columns does not fit the rest; None where all agree."""
    active = found.delete_state is DeleteState.ACTIVE
    if found.deleted is active:
        return f"deleted is {found.deleted} in the state {found.delete_state}"
    rest = ("deleted_at", "deletion_reason", "soft_deleted_at", "hard_delete_at")
    wrong = [name for name in rest if (getattr(found, name) is None) is not active]
    if wrong:
        return f"{', '.join(wrong)} cannot be so in the state {found.delete_state}"
    return None
