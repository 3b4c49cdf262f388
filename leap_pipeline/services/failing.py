"""What becomes of what a worker had begun, or never came to begin.

A piece of work is the prepare phase (no platform) or the upload to one platform.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.states import DownloadStatus, Platform, Stage, StageStatus, TargetStatus
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.holds import hold
from leap_pipeline.services.moves import move_download, move_stage, move_target
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


def fail_target(session: Session, locked: Locked, platform: Platform, reason: str) -> None:
    """FAILED from any state but UPLOADED; where there is no target, nothing fails."""
    row = locked.targets.get(platform)
    if row is None or row.status == TargetStatus.UPLOADED:
        return
    recording_id = locked.recording.id
    if row.status == TargetStatus.FAILED:
        move_target(session, recording_id, platform, TargetStatus.UPLOADING)
    move_target(session, recording_id, platform, TargetStatus.FAILED, reason=reason)


def release_begun(session: Session, locked: Locked, platform: Platform | None) -> None:
    """Put back what is in progress in a piece of work: nobody works on it any more."""
    if platform is not None:
        _release_target(session, locked, platform)
        return
    recording_id = locked.recording.id
    for stage, row in locked.stages.items():
        if row.status == StageStatus.IN_PROGRESS:
            move_stage(session, recording_id, stage, StageStatus.PENDING)
    if locked.facts.download is DownloadStatus.IN_PROGRESS:
        move_download(session, recording_id, DownloadStatus.PENDING)


def _release_target(session: Session, locked: Locked, platform: Platform) -> None:
    """Nobody knows what reached the platform, so a person has to look before it is sent again."""
    row = locked.targets.get(platform)
    if row is None or row.status != TargetStatus.UPLOADING:
        return
    recording_id = locked.recording.id
    if row.uploaded_at is not None:  # an update was cut short: the video is there as before
        move_target(session, recording_id, platform, TargetStatus.UPLOADED)
        return
    move_target(session, recording_id, platform, TargetStatus.NOT_UPLOADED)
    if session.scalar(select(UploadSession.id).where(UploadSession.target_id == row.id)):
        return  # the next run asks the platform what became of it
    name = PLATFORM_NAMES[platform]
    reason = f"the upload was stopped half-way: see whether the video is on {name}, then release it"
    hold(
        session,
        recording_id,
        HoldKind.DOUBTFUL_UPLOAD,
        reason,
        platform=platform,
        actor=SYSTEM,
    )


def fail_begun(session: Session, locked: Locked, platform: Platform | None, reason: str) -> None:
    """Mark FAILED what is in progress; where nothing is, the first that is not finished."""
    if platform is not None:
        fail_target(session, locked, platform, reason)
        return
    stages = [each for each, row in locked.stages.items() if row.status == StageStatus.IN_PROGRESS]
    loading = locked.facts.download is DownloadStatus.IN_PROGRESS
    for stage in stages:
        fail_stage(session, locked, stage, reason)
    if loading:
        fail_download(session, locked, reason)
    if not stages and not loading:
        fail_next(session, locked, platform, reason)


def fail_next(session: Session, locked: Locked, platform: Platform | None, reason: str) -> None:
    """Mark FAILED the target, or the first stage that is not finished, where none had begun."""
    if platform is not None:
        fail_target(session, locked, platform, reason)
        return
    stage = next((each for each in Stage if _unfinished(locked, each)), None)
    if stage is not None:
        fail_stage(session, locked, stage, reason)


def _unfinished(locked: Locked, stage: Stage) -> bool:
    row = locked.stages.get(stage)
    return row is not None and row.status not in UNFAILING
