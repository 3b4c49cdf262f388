"""What an asset's start, end and failure mean for the download, stage or target it is booked on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import OutputTarget, Recording
from leap_pipeline.domain.planner import PLATFORM_OF, STAGE_ASSET, Asset
from leap_pipeline.domain.shapes.registry import COLUMNS, validate_column
from leap_pipeline.domain.states import DownloadStatus, Platform, Stage, StageStatus, TargetStatus
from leap_pipeline.services.failing import fail_download, fail_stage, fail_target
from leap_pipeline.services.moves import move_download, move_stage, move_target
from leap_pipeline.services.projection import Locked

LAST_ASSET = {**STAGE_ASSET, Stage.TRIM: Asset.AUDIO}


def start(session: Session, locked: Locked, asset: Asset, stage: Stage | None) -> None:
    """In progress, where it is not so already."""
    recording_id, facts = locked.recording.id, locked.facts
    if asset is Asset.RAW_VIDEO:
        if facts.download is not DownloadStatus.IN_PROGRESS:
            move_download(session, recording_id, DownloadStatus.IN_PROGRESS)
    elif asset in PLATFORM_OF:
        platform = PLATFORM_OF[asset]
        # An upload whose worker died is taken up as it is: the platform may have some of it. Of a
        # published one only what stands beside the video is left to do.
        status = facts.targets[platform].status
        if status not in (TargetStatus.UPLOADING, TargetStatus.UPLOADED):
            move_target(session, recording_id, platform, TargetStatus.UPLOADING)
    elif stage is not None and facts.stages[stage].status is not StageStatus.IN_PROGRESS:
        move_stage(session, recording_id, stage, StageStatus.IN_PROGRESS)


def finish(
    session: Session,
    recording_id: int,
    asset: Asset,
    stage: Stage | None,
    columns: Mapping[str, Any],
    target_meta: Mapping[str, Any],
) -> None:
    """Done, with the recording's columns that name the result, or what the platform answered."""
    values = _checked(columns)
    if asset is Asset.RAW_VIDEO:
        move_download(session, recording_id, DownloadStatus.COMPLETED, values=values)
        return
    if values:
        session.execute(update(Recording).where(Recording.id == recording_id).values(**values))
    if asset in PLATFORM_OF:
        platform = PLATFORM_OF[asset]
        if not _is_published(session, recording_id, platform):
            meta = validate_column("output_targets", "target_meta", target_meta, kind=platform)
            move_target(session, recording_id, platform, TargetStatus.UPLOADED, meta=meta)
    elif stage is not None and LAST_ASSET[stage] is asset:
        move_stage(session, recording_id, stage, StageStatus.COMPLETED)


def _is_published(session: Session, recording_id: int, platform: Platform) -> bool:
    """The receipt is written as soon as the platform has confirmed the video."""
    status = session.scalar(
        select(OutputTarget.status).where(
            OutputTarget.recording_id == recording_id, OutputTarget.target_type == platform
        )
    )
    return status == TargetStatus.UPLOADED


def fail(session: Session, locked: Locked, asset: Asset, stage: Stage | None, reason: str) -> None:
    """FAILED, where it is not finished."""
    if asset is Asset.RAW_VIDEO:
        fail_download(session, locked, reason)
    elif asset in PLATFORM_OF:
        fail_target(session, locked, PLATFORM_OF[asset], reason)
    elif stage is not None:
        fail_stage(session, locked, stage, reason)


def _checked(columns: Mapping[str, Any]) -> dict[str, Any]:
    table = Recording.__tablename__
    return {
        name: validate_column(table, name, value) if (table, name) in COLUMNS else value
        for name, value in columns.items()
    }
