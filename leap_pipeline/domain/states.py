"""The words of the state machines and the tables of their allowed moves.

A table maps each state to the states it may go to, each with the event that takes it there. Nothing
else in LEAP decides whether a move is legal.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from leap_pipeline.errors import IllegalMove


class RecordingStatus(StrEnum):
    PENDING_SOURCE = "PENDING_SOURCE"
    INITIALIZED = "INITIALIZED"
    DOWNLOADING = "DOWNLOADING"
    DOWNLOADED = "DOWNLOADED"
    PROCESSING = "PROCESSING"
    PROCESSED = "PROCESSED"
    UPLOADING = "UPLOADING"
    READY = "READY"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class DownloadStatus(StrEnum):
    """How far the raw video is; `PENDING_SOURCE` means its source still prepares it."""

    PENDING_SOURCE = "PENDING_SOURCE"
    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"


class Stage(StrEnum):
    """In pipeline order."""

    TRIM = "TRIM"
    TRANSCRIBE = "TRANSCRIBE"
    EXTRACT_TOPICS = "EXTRACT_TOPICS"
    GENERATE_SUBTITLES = "GENERATE_SUBTITLES"


class StageStatus(StrEnum):
    PENDING = "PENDING"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


class Platform(StrEnum):
    """A target's platform, in pipeline order."""

    YOUTUBE = "YOUTUBE"
    VK = "VK"


class TargetStatus(StrEnum):
    NOT_UPLOADED = "NOT_UPLOADED"
    UPLOADING = "UPLOADING"
    UPLOADED = "UPLOADED"
    FAILED = "FAILED"


class UploadState(StrEnum):
    """How far the upload of a target is; `lost`: its session is gone, the video perhaps there."""

    PLANNED = "planned"
    OPEN = "open"
    LOST = "lost"
    UPLOADED = "uploaded"


class StepState(StrEnum):
    """A decoration of a published video: its thumbnail, its captions, its place in a playlist."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


class Phase(StrEnum):
    """The two halves of a recording's work; publishing has one piece of work a target."""

    PREPARE = "prepare"
    PUBLISH = "publish"


class RunState(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class HoldState(StrEnum):
    """A hold is released once and for all; whoever wants it again makes a new one."""

    LIVE = "live"
    RELEASED = "released"


class SubscriptionState(StrEnum):
    """Never stored: it follows from the subscription's two dates and the clock."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    EXPIRED = "expired"


LIVE_RUN_STATES = (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)

DOWNLOAD_MOVES: Mapping[DownloadStatus, Mapping[DownloadStatus, str]] = {
    DownloadStatus.PENDING_SOURCE: {DownloadStatus.PENDING: "the source has it ready"},
    DownloadStatus.PENDING: {
        DownloadStatus.IN_PROGRESS: "a worker began",
        DownloadStatus.PENDING_SOURCE: "the source takes it back to prepare it",
    },
    DownloadStatus.IN_PROGRESS: {
        DownloadStatus.COMPLETED: "the bytes are in storage and verified",
        DownloadStatus.FAILED: "it failed",
        DownloadStatus.PENDING: "its owner is gone, or it was cancelled",
    },
    DownloadStatus.FAILED: {
        DownloadStatus.IN_PROGRESS: "it is tried again",
        DownloadStatus.PENDING: "it was forced",
    },
    DownloadStatus.COMPLETED: {DownloadStatus.PENDING: "it was forced"},
}

STAGE_MOVES: Mapping[StageStatus, Mapping[StageStatus, str]] = {
    StageStatus.PENDING: {
        StageStatus.IN_PROGRESS: "a worker began",
        StageStatus.SKIPPED: "it is not wanted or not allowed",
    },
    StageStatus.IN_PROGRESS: {
        StageStatus.COMPLETED: "its artifacts are stored",
        StageStatus.FAILED: "it failed",
        StageStatus.PENDING: "its owner is gone, or it was cancelled",
    },
    StageStatus.FAILED: {
        StageStatus.IN_PROGRESS: "it is tried again",
        StageStatus.PENDING: "it or something before it was forced",
    },
    StageStatus.COMPLETED: {StageStatus.PENDING: "it or something before it was forced"},
    StageStatus.SKIPPED: {StageStatus.PENDING: "the reason is gone"},
}

TARGET_MOVES: Mapping[TargetStatus, Mapping[TargetStatus, str]] = {
    TargetStatus.NOT_UPLOADED: {
        TargetStatus.UPLOADING: "a worker began",
        TargetStatus.FAILED: "it failed before its first byte",
    },
    TargetStatus.UPLOADING: {
        TargetStatus.UPLOADED: "the platform confirmed it",
        TargetStatus.FAILED: "it failed",
        TargetStatus.NOT_UPLOADED: "its owner is gone and the platform was asked",
    },
    TargetStatus.FAILED: {TargetStatus.UPLOADING: "it is tried again"},
    TargetStatus.UPLOADED: {
        TargetStatus.UPLOADING: "an update was forced",
        TargetStatus.NOT_UPLOADED: "it was retracted",
    },
}

UPLOAD_MOVES: Mapping[UploadState, Mapping[UploadState, str]] = {
    UploadState.PLANNED: {UploadState.OPEN: "the platform gave a session"},
    UploadState.OPEN: {
        UploadState.UPLOADED: "the platform confirmed the video",
        UploadState.LOST: "the platform does not know the session any more",
        UploadState.PLANNED: "the file was made anew, and the session given up",
    },
    UploadState.LOST: {
        UploadState.UPLOADED: "the video was found on the platform",
        UploadState.PLANNED: "the video is surely not on the platform",
    },
    UploadState.UPLOADED: {},
}

STEP_MOVES: Mapping[StepState, Mapping[StepState, str]] = {
    StepState.PENDING: {
        StepState.DONE: "the platform took it",
        StepState.FAILED: "the platform refused it",
        StepState.SKIPPED: "it is not wanted, or the platform has no such thing",
    },
    StepState.DONE: {StepState.PENDING: "something else is wanted"},
    StepState.FAILED: {
        StepState.PENDING: "it is tried again",
        StepState.SKIPPED: "it is not wanted any more",
    },
    StepState.SKIPPED: {StepState.PENDING: "it is wanted now"},
}

RUN_MOVES: Mapping[RunState, Mapping[RunState, str]] = {
    RunState.QUEUED: {
        RunState.RUNNING: "a worker claimed it",
        RunState.QUEUED: "its launch was lost and is asked for again",
        RunState.WAITING: "it is not due yet",
        RunState.DONE: "nothing was left to do",
        RunState.FAILED: "it cannot be launched",
        RunState.CANCELLED: "it was cancelled",
    },
    RunState.RUNNING: {
        RunState.DONE: "everything it was asked for is done",
        RunState.FAILED: "something in it failed",
        RunState.WAITING: "it must wait until its due time",
        RunState.CANCELLED: "it was cancelled",
        RunState.QUEUED: "its worker is gone",
    },
    RunState.WAITING: {
        RunState.QUEUED: "its due time came",
        RunState.DONE: "nothing was left to do",
        RunState.CANCELLED: "it was cancelled",
    },
    RunState.DONE: {},
    RunState.FAILED: {},
    RunState.CANCELLED: {},
}

HOLD_MOVES: Mapping[HoldState, Mapping[HoldState, str]] = {
    HoldState.LIVE: {HoldState.RELEASED: "it was released"},
    HoldState.RELEASED: {},
}

SUBSCRIPTION_MOVES: Mapping[SubscriptionState, Mapping[SubscriptionState, str]] = {
    SubscriptionState.SCHEDULED: {
        SubscriptionState.ACTIVE: "its start came",
        SubscriptionState.EXPIRED: "it was ended before it began",
    },
    # One that began cannot become one that did not: what was used under it is counted already.
    SubscriptionState.ACTIVE: {SubscriptionState.EXPIRED: "its end came"},
    SubscriptionState.EXPIRED: {
        SubscriptionState.ACTIVE: "it was renewed",
        SubscriptionState.SCHEDULED: "it was renewed from a later day",
    },
}


S = TypeVar("S", bound=StrEnum)


def subscription_state(
    starts_at: datetime, expires_at: datetime | None, at: datetime
) -> SubscriptionState:
    """The state at a moment (all timezone-aware); no end = never expires."""
    if expires_at is not None and expires_at <= at:
        return SubscriptionState.EXPIRED
    return SubscriptionState.SCHEDULED if at < starts_at else SubscriptionState.ACTIVE


def sources_of(moves: Mapping[S, Mapping[S, str]], wanted: S) -> tuple[S, ...]:
    """The states from which `wanted` may be reached in one move."""
    return tuple(state for state, targets in moves.items() if wanted in targets)


def require_move(what: str, moves: Mapping[S, Mapping[S, str]], current: str, wanted: S) -> str:
    """The event that takes `current` to `wanted`; raises `IllegalMove` where there is none."""
    leads = next((targets for state, targets in moves.items() if state == current), None)
    if leads is not None and wanted in leads:
        return leads[wanted]
    raise IllegalMove(what, current, wanted, _why_not(current, leads))


def _why_not(current: str, leads: Mapping[S, str] | None) -> str:
    if leads is None:
        return f"{current} is not one of its states"
    if not leads:
        return f"{current} is final"
    options = [f"{state} ({event})" for state, event in leads.items()]
    return f"{current} leads only to {', '.join(options)}"
