"""What becomes of the stages that a worker had begun, or never came to begin."""

from __future__ import annotations

from sqlalchemy.orm import Session

from leap_pipeline.domain.states import DownloadStatus, Stage, StageStatus
from leap_pipeline.services.moves import move_download, move_stage
from leap_pipeline.services.projection import Locked

# Nothing is left to fail in a stage that has its result or is not wanted.
UNFAILING = (StageStatus.COMPLETED, StageStatus.SKIPPED)


def fail_stage(session: Session, locked: Locked, stage: Stage, reason: str) -> None:
    """FAILED from PENDING, IN_PROGRESS or FAILED; a stage that is finished stays as it is."""
    row = locked.stages.get(stage)
    if row is None or row.status in UNFAILING:
        return
    recording_id = locked.recording.id
    if row.status != StageStatus.IN_PROGRESS:
        move_stage(session, recording_id, stage, StageStatus.IN_PROGRESS)
    move_stage(session, recording_id, stage, StageStatus.FAILED, reason)


def fail_download(session: Session, locked: Locked, reason: str) -> None:
    """FAILED from PENDING, IN_PROGRESS or FAILED; a finished download stays as it is."""
    status = locked.facts.download
    if status in (DownloadStatus.COMPLETED, DownloadStatus.PENDING_SOURCE):
        return
    recording_id = locked.recording.id
    if status is not DownloadStatus.IN_PROGRESS:
        move_download(session, recording_id, DownloadStatus.IN_PROGRESS)
    move_download(session, recording_id, DownloadStatus.FAILED, reason=reason)


def release_begun(session: Session, locked: Locked) -> None:
    """Put what is in progress back to PENDING: nobody works on it any more."""
    recording_id = locked.recording.id
    for stage, row in locked.stages.items():
        if row.status == StageStatus.IN_PROGRESS:
            move_stage(session, recording_id, stage, StageStatus.PENDING)
    if locked.facts.download is DownloadStatus.IN_PROGRESS:
        move_download(session, recording_id, DownloadStatus.PENDING)


def fail_begun(session: Session, locked: Locked, reason: str) -> None:
    """Mark FAILED what is in progress; where nothing is, the first stage that is not finished."""
    stages = [each for each, row in locked.stages.items() if row.status == StageStatus.IN_PROGRESS]
    loading = locked.facts.download is DownloadStatus.IN_PROGRESS
    for stage in stages:
        fail_stage(session, locked, stage, reason)
    if loading:
        fail_download(session, locked, reason)
    if not stages and not loading:
        fail_next(session, locked, reason)


def fail_next(session: Session, locked: Locked, reason: str) -> None:
    """Mark FAILED the first stage that is not finished, where none of them had begun."""
    stage = next((each for each in Stage if _unfinished(locked, each)), None)
    if stage is not None:
        fail_stage(session, locked, stage, reason)


def _unfinished(locked: Locked, stage: Stage) -> bool:
    row = locked.stages.get(stage)
    return row is not None and row.status not in UNFAILING
