"""How far each target of a recording is, told in one piece for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.states import LIVE_RUN_STATES, Phase, Platform, RunState, TargetStatus
from leap_pipeline.services.configuration import load_configuration
from leap_pipeline.services.holds import live_holds
from leap_pipeline.services.target_steps import (
    CAPTIONS,
    COLLECTION,
    LISTING,
    THUMBNAIL,
    StepLine,
    lines,
)
from leap_pipeline.services.targets import never_sent

TITLES: Mapping[str, str] = {
    LISTING: "title, description and settings",
    THUMBNAIL: "thumbnail",
    CAPTIONS: "captions",
}
COLLECTIONS: Mapping[Platform, str] = {Platform.YOUTUBE: "playlist", Platform.VK: "album"}


@dataclass(frozen=True)
class RunLine:
    """A publish run: queued, running (`progress` of 0 to 1), waiting until `due_at`, or failed.

    `reason` is why it waits or failed.
    """

    state: str
    due_at: datetime | None
    reason: str | None
    progress: float | None


@dataclass(frozen=True)
class HoldLine:
    """What stops the target until somebody releases it."""

    kind: str
    reason: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class TargetLine:
    """One target. `reason` is why it FAILED; `processing` is what the platform says of the video,
    with a note where there is something to say about it. `run` is the live run, or the last one if
    it failed.
    """

    platform: Platform
    status: str
    url: str | None
    uploaded_at: datetime | None
    reason: str | None
    processing: str | None
    processing_note: str | None
    run: RunLine | None
    holds: tuple[HoldLine, ...]
    steps: tuple[StepLine, ...]


def target_lines(session: Session, recording_id: int) -> list[TargetLine]:
    """The targets that the recording has or is to have, in the order of the platforms.

    Looking writes nothing: a target that is only to be is told as one, and made when it is
    published. Raises `InputError` where there is no such recording or its configuration is wrong.
    """
    wanted = load_configuration(session, recording_id).presets
    rows = session.scalars(select(OutputTarget).where(OutputTarget.recording_id == recording_id))
    there = {
        row.target_type: row
        for row in rows
        if row.target_type in wanted or not never_sent(session, row)
    }
    return [
        _line(session, platform, there[platform])
        if platform in there
        else _to_be(session, recording_id, platform)
        for platform in Platform
        if platform in there or platform in wanted
    ]


def step_title(platform: Platform, kind: str, name: str = "") -> str:
    """What a step beside a video is called there."""
    title = COLLECTIONS[platform] if kind == COLLECTION else TITLES.get(kind, kind)
    return f"{title} ({name})" if name else title


def _to_be(session: Session, recording_id: int, platform: Platform) -> TargetLine:
    return TargetLine(
        platform=platform,
        status=TargetStatus.NOT_UPLOADED,
        url=None,
        uploaded_at=None,
        reason=None,
        processing=None,
        processing_note=None,
        run=_run(session, recording_id, platform),
        holds=_holds(session, recording_id, platform),
        steps=(),
    )


def _holds(session: Session, recording_id: int, platform: Platform) -> tuple[HoldLine, ...]:
    return tuple(
        HoldLine(row.kind, row.reason, row.facts)
        for row in live_holds(session, recording_id)
        if row.target_type in (None, platform)
    )


def _line(session: Session, platform: Platform, target: OutputTarget) -> TargetLine:
    upload = session.execute(
        select(UploadSession.processing, UploadSession.processing_note).where(
            UploadSession.target_id == target.id
        )
    ).one_or_none()
    return TargetLine(
        platform=platform,
        status=target.status,
        url=(target.target_meta or {}).get("url"),
        uploaded_at=target.uploaded_at,
        reason=target.failed_reason,
        processing=upload.processing if upload else None,
        processing_note=upload.processing_note if upload else None,
        run=_run(session, target.recording_id, platform),
        holds=_holds(session, target.recording_id, platform),
        steps=tuple(lines(session, target.id)),
    )


def _run(session: Session, recording_id: int, platform: Platform) -> RunLine | None:
    """Nobody is waited for: what a worker writes just now is seen the next time."""
    row = session.execute(
        select(RecordingRun.state, RecordingRun.due_at, RecordingRun.reason, RecordingRun.progress)
        .where(
            RecordingRun.recording_id == recording_id,
            RecordingRun.phase == Phase.PUBLISH,
            RecordingRun.target_type == platform,
        )
        .order_by(RecordingRun.id.desc())
        .limit(1)
    ).one_or_none()
    shown = row is not None and row.state in (*LIVE_RUN_STATES, RunState.FAILED)
    return RunLine(*row) if row is not None and shown else None
