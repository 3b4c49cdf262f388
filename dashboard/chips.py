"""What states are called, and in which colours they stand."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.texts import mark, t
from leap_pipeline.domain.states import RecordingStatus

NAMES: Mapping[RecordingStatus, str] = {
    RecordingStatus.PENDING_SOURCE: mark("At the source"),
    RecordingStatus.INITIALIZED: mark("Waiting"),
    RecordingStatus.DOWNLOADING: mark("Downloading"),
    RecordingStatus.DOWNLOADED: mark("Downloaded"),
    RecordingStatus.PROCESSING: mark("Processing"),
    RecordingStatus.PROCESSED: mark("Prepared"),
    RecordingStatus.UPLOADING: mark("Publishing"),
    RecordingStatus.READY: mark("Ready"),
    RecordingStatus.FAILED: mark("Failed"),
    RecordingStatus.SKIPPED: mark("Skipped"),
}
COLORS: Mapping[RecordingStatus, str] = {
    RecordingStatus.PENDING_SOURCE: "gray",
    RecordingStatus.INITIALIZED: "gray",
    RecordingStatus.DOWNLOADING: "blue",
    RecordingStatus.DOWNLOADED: "blue",
    RecordingStatus.PROCESSING: "blue",
    RecordingStatus.PROCESSED: "violet",
    RecordingStatus.UPLOADING: "violet",
    RecordingStatus.READY: "green",
    RecordingStatus.FAILED: "red",
    RecordingStatus.SKIPPED: "gray",
}


def status_name(status: str) -> str:
    """A recording's status as people say it."""
    return t(NAMES[RecordingStatus(status)])
