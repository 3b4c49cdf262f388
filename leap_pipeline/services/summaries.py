"""A recording told in one piece, for people who follow or look at it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.recordings import ProcessingStage, Recording
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.states import DownloadStatus, Phase, RunState, Stage, StageStatus
from leap_pipeline.domain.status import DOWNLOAD
from leap_pipeline.errors import InputError


@dataclass(frozen=True)
class StageLine:
    """`progress` (0 to 1) is that of the asset at work; `reason` belongs to FAILED and SKIPPED."""

    name: str
    status: str
    reason: str | None = None
    progress: float | None = None


@dataclass(frozen=True)
class Summary:
    """Durations in seconds, paths relative to the storage root."""

    recording_id: int
    name: str
    status: str
    failed_reason: str | None
    stages: tuple[StageLine, ...]
    run_state: str | None
    run_reason: str | None
    dagster_run_id: str | None
    started_at: datetime | None
    duration: int
    timeline: dict[str, Any] | None
    transcription: dict[str, Any] | None
    topics: list[dict[str, Any]]
    main_topics: list[str]
    files: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        plain["started_at"] = self.started_at.isoformat() if self.started_at else None
        return plain


def summarize(session: Session, recording_id: int) -> Summary:
    """Raises `InputError` where the scope has no such recording."""
    recording = session.get(Recording, recording_id, options=[lazyload("*")])
    if recording is None:
        msg = f"There is no recording {recording_id}: `leap status` lists the ones there are."
        raise InputError(msg)
    stages = {
        Stage(row.stage_type): row
        for row in session.scalars(
            select(ProcessingStage)
            .where(ProcessingStage.recording_id == recording_id)
            .options(lazyload("*"))
        )
    }
    run = session.scalars(
        select(RecordingRun)
        .where(RecordingRun.recording_id == recording_id, RecordingRun.phase == Phase.PREPARE)
        .order_by(RecordingRun.id.desc())
        .options(lazyload("*"))
        .limit(1)
    ).one_or_none()
    trim = stages.get(Stage.TRIM)
    return Summary(
        recording_id=recording_id,
        name=recording.display_name,
        status=recording.status,
        failed_reason=recording.failed_reason,
        stages=_lines(recording, stages, run),
        run_state=run.state if run else None,
        run_reason=run.reason if run else None,
        dagster_run_id=run.dagster_run_id if run else None,
        started_at=run.started_at if run else None,
        duration=recording.duration,
        timeline=(trim.stage_meta or {}).get("timeline") if trim else None,
        transcription=recording.transcription_info,
        topics=list(recording.topic_timestamps or []),
        main_topics=list(recording.main_topics or []),
        files=_files(recording),
    )


def _lines(
    recording: Recording, stages: dict[Stage, ProcessingStage], run: RecordingRun | None
) -> tuple[StageLine, ...]:
    running = run is not None and run.state == RunState.RUNNING
    progress = run.progress if run is not None and running else None
    loading = recording.download_status == DownloadStatus.IN_PROGRESS
    lines = [
        StageLine(
            DOWNLOAD,
            recording.download_status,
            recording.failed_reason if recording.failed_at_stage == DOWNLOAD else None,
            progress if loading else None,
        )
    ]
    for stage in Stage:
        row = stages.get(stage)
        if row is None:
            continue
        busy = row.status == StageStatus.IN_PROGRESS
        reason = row.failed_reason or row.skip_reason
        lines.append(StageLine(stage, row.status, reason, progress if busy else None))
    return tuple(lines)


def _files(recording: Recording) -> dict[str, str]:
    paths = {
        "raw_video": recording.local_video_path,
        "trimmed_video": recording.processed_video_path,
        "audio": recording.processed_audio_path,
        "transcriptions": recording.transcription_dir,
    }
    return {name: path for name, path in paths.items() if path}
