"""The stored status follows the facts: read under the recording's lock, computed, written."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage, Recording
from leap_pipeline.domain.states import (
    DownloadStatus,
    Platform,
    Stage,
    StageStatus,
    TargetStatus,
)
from leap_pipeline.domain.status import (
    DOWNLOAD,
    Failure,
    RecordingFacts,
    StageFact,
    TargetFact,
    project,
)
from leap_pipeline.errors import InputError
from leap_pipeline.services.notices import Outcome, tell_outcome


@dataclass(frozen=True)
class Locked:
    """A recording whose row is locked until the transaction ends, with its stages and targets."""

    recording: Recording
    stages: dict[Stage, ProcessingStage]
    targets: dict[Platform, OutputTarget]

    @property
    def facts(self) -> RecordingFacts:
        return RecordingFacts(
            download=DownloadStatus(self.recording.download_status),
            skip_reason=self.recording.skip_reason,
            download_failure=_download_failure(self.recording),
            stages={
                stage: StageFact(
                    StageStatus(row.status),
                    row.failed_at,
                    row.failed_reason,
                    row.retry_count or 0,
                )
                for stage, row in self.stages.items()
            },
            targets={
                platform: TargetFact(
                    TargetStatus(row.status),
                    row.failed_at,
                    row.failed_reason,
                    row.retry_count or 0,
                )
                for platform, row in self.targets.items()
            },
        )


def lock_row(session: Session, recording_id: int) -> bool:
    """Lock the row of a recording and read nothing of it; False where there is none."""
    found = session.scalar(
        select(Recording.id).where(Recording.id == recording_id).with_for_update()
    )
    return found is not None


def lock_recording(session: Session, recording_id: int) -> Locked:
    """Lock the row of a recording; raises `InputError` where the scope has no such recording."""
    recording = session.scalars(
        select(Recording)
        .where(Recording.id == recording_id)
        .options(lazyload("*"))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if recording is None:
        msg = f"There is no recording {recording_id}: `leap status` lists the ones there are."
        raise InputError(msg)
    return Locked(recording, *_parts(session, recording_id))


def _parts(
    session: Session, recording_id: int
) -> tuple[dict[Stage, ProcessingStage], dict[Platform, OutputTarget]]:
    fresh = {"populate_existing": True}
    stages = session.scalars(
        select(ProcessingStage)
        .where(ProcessingStage.recording_id == recording_id)
        .options(lazyload("*"))
        .execution_options(**fresh)
    )
    targets = session.scalars(
        select(OutputTarget)
        .where(OutputTarget.recording_id == recording_id)
        .options(lazyload("*"))
        .execution_options(**fresh)
    )
    return (
        {Stage(row.stage_type): row for row in stages},
        {Platform(row.target_type): row for row in targets},
    )


def refresh_status(session: Session, recording_id: int) -> Locked:
    """Recompute the status after a fact changed in this transaction."""
    session.flush()
    locked = lock_recording(session, recording_id)
    projection = project(locked.facts)
    recording, failure = locked.recording, projection.failure
    before = Outcome.of(recording)
    recording.status = projection.status
    recording.failed = failure is not None
    recording.failed_at = failure.at if failure else None
    recording.failed_reason = failure.reason if failure else None
    recording.failed_at_stage = failure.at_stage if failure else None
    if failure is not None:
        recording.retry_count = failure.retry_count
    elif locked.facts.download is DownloadStatus.COMPLETED:
        recording.retry_count = 0  # before that, the column counts the download's own failures
    session.flush()
    tell_outcome(session, recording, locked.targets.values(), before)
    return locked


def _download_failure(recording: Recording) -> Failure | None:
    """A failed download has no row of its own: the recording's columns keep it."""
    if recording.failed_at_stage != DOWNLOAD:
        return None
    return Failure(
        DOWNLOAD, recording.failed_at, recording.failed_reason, recording.retry_count or 0
    )
