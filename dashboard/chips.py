"""What states are called, and in which colours they stand."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.texts import t
from leap_pipeline.domain.states import RecordingStatus

NAMES: Mapping[RecordingStatus, str] = {
    RecordingStatus.PENDING_SOURCE: "At the source",
    RecordingStatus.INITIALIZED: "Waiting",
    RecordingStatus.DOWNLOADING: "Downloading",
    RecordingStatus.DOWNLOADED: "Downloaded",
    RecordingStatus.PROCESSING: "Processing",
    RecordingStatus.PROCESSED: "Prepared",
    RecordingStatus.UPLOADING: "Publishing",
    RecordingStatus.READY: "Ready",
    RecordingStatus.FAILED: "Failed",
    RecordingStatus.SKIPPED: "Skipped",
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
