"""The deletion state of a recording: soft and hard there, one set of columns here. Pure."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from leap_pipeline.adoption.outcome import Notes, Row
from leap_pipeline.domain.deletion import (
    ACTIVE,
    RESTORE_DAYS,
    DeleteState,
    Deletion,
    DeletionReason,
)

STATES = {
    "active": DeleteState.ACTIVE,
    "soft": DeleteState.SOFT_DELETED,
    "hard": DeleteState.HARD_DELETED,
}


def deletion(row: Row, notes: Notes) -> dict[str, Any]:
    """The columns that are written together; what is missing among them is filled and said."""
    state = STATES.get(row["delete_state"])
    if state is None or (state is DeleteState.ACTIVE and (row["deleted"] or _expired(row))):
        state = DeleteState.SOFT_DELETED if row["deleted"] or _expired(row) else DeleteState.ACTIVE
        notes.say(f"delete_state is {state}", f"was {row['delete_state']}")
    if state is DeleteState.ACTIVE:
        return asdict(ACTIVE)
    at: datetime = row["deleted_at"] or row["soft_deleted_at"] or row["updated_at"]
    soft: datetime = row["soft_deleted_at"] or at
    hard: datetime = row["hard_delete_at"] or soft + timedelta(days=RESTORE_DAYS)
    if None in (row["deleted_at"], row["soft_deleted_at"], row["hard_delete_at"]):
        notes.say(
            "times of the deletion filled", f"deleted {at:%Y-%m-%d}, for good {hard:%Y-%m-%d}"
        )
    return asdict(
        Deletion(
            delete_state=state,
            deleted=True,
            deleted_at=at,
            deletion_reason=_reason(row, notes),
            soft_deleted_at=soft,
            hard_delete_at=hard,
        )
    )


def _expired(row: Row) -> bool:
    return bool(row["status"] == "EXPIRED")


def _reason(row: Row, notes: Notes) -> DeletionReason:
    said = row["deletion_reason"]
    if said in tuple(DeletionReason):
        return DeletionReason(said)
    found = DeletionReason.EXPIRED if _expired(row) else DeletionReason.MANUAL
    notes.say(f"deletion_reason is {found}", f"was {said}")
    return found
