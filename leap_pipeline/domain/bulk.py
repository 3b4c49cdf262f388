"""What a person can ask for on many recordings at once."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from leap_pipeline.domain.permissions import Permission


class BulkKind(StrEnum):
    """The values of `bulk_actions.action`."""

    RUN = "run"
    FORCE = "force"
    SKIP = "skip"
    UNSKIP = "unskip"
    CANCEL = "cancel"
    DELETE = "delete"
    RESTORE = "restore"
    REMATCH = "rematch"
    PUBLISH = "publish"
    UPDATE = "update"


class BulkState(StrEnum):
    """The values of `bulk_actions.state`."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


LIVE_BULK_STATES = (BulkState.QUEUED, BulkState.RUNNING)

NEEDED: Mapping[BulkKind, Permission] = {
    BulkKind.DELETE: Permission.DELETE_RECORDINGS,
    BulkKind.RESTORE: Permission.DELETE_RECORDINGS,
    BulkKind.REMATCH: Permission.CREATE_TEMPLATES,
    BulkKind.PUBLISH: Permission.UPLOAD,
    BulkKind.UPDATE: Permission.UPDATE_UPLOADED_VIDEOS,
}
"""The permission that whoever asks needs; the other kinds need none."""
