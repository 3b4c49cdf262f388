"""One recording as a page shows it: what became of each step, what holds it up, what was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage, Recording
from leap_pipeline.db.models.runs import RecordingHold, RecordingRun
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.db.repositories.catalogue import Runs
from leap_pipeline.db.repositories.recordings import Recordings
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.recording_acts import Standing
from leap_pipeline.domain.shapes.registry import read_column
from leap_pipeline.domain.shapes.results import TranscriptionInfo, TrimMeta
from leap_pipeline.domain.states import (
    LIVE_RUN_STATES,
    DownloadStatus,
    Phase,
    Platform,
    RecordingStatus,
    RunState,
    Stage,
    StageStatus,
    TargetStatus,
)
from leap_pipeline.domain.status import DOWNLOAD
from leap_pipeline.services.holds import live_holds

TABLE = Recording.__tablename__
NEWEST_RUNS, MOST_RUNS = 30, 200
ENDED = (StageStatus.COMPLETED, StageStatus.FAILED, TargetStatus.UPLOADED)
AT_WORK = (StageStatus.IN_PROGRESS, TargetStatus.UPLOADING)


@dataclass(frozen=True)
class RunsOf:
    """The runs of one recording."""

    recording_id: int

    def conditions(self) -> list[ColumnElement[bool]]:
        return [RecordingRun.recording_id == self.recording_id]


@dataclass(frozen=True)
class Line:
    """A step: the download, a stage, or the upload to a platform.

    `failures` are those since it last succeeded. `seconds` is how long it took, or has taken so
    far; None where nobody knows. `facts` are what it made, by what they are called; `progress` (0
    to 1) is that of what it makes just now. `run` is the run that did it, or that does.
    """

    name: str
    status: str
    at: datetime | None = None
    seconds: float | None = None
    failures: int = 0
    reason: str | None = None
    progress: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    run: RecordingRun | None = None
    url: str | None = None

    @property
    def is_at_work(self) -> bool:
        return self.status in AT_WORK

    @property
    def has_failed(self) -> bool:
        return self.status == StageStatus.FAILED


@dataclass(frozen=True)
class View:
    """`runs` are the newest, newest first; `lines` in pipeline order. `is_cut_off`: what failed
    needs an account that is switched off.
    """

    recording: Recording
    lines: tuple[Line, ...]
    holds: tuple[RecordingHold, ...]
    runs: tuple[RecordingRun, ...]
    is_cut_off: bool = False

    @property
    def live_runs(self) -> tuple[RecordingRun, ...]:
        return tuple(each for each in self.runs if each.state in LIVE_RUN_STATES)

    @property
    def failed(self) -> Line | None:
        """The first step that failed, where the recording counts as failed."""
        if self.recording.status != RecordingStatus.FAILED:
            return None
        return next((each for each in self.lines if each.has_failed), None)

    @property
    def state(self) -> DeleteState:
        return DeleteState(self.recording.delete_state or DeleteState.ACTIVE)

    @property
    def seconds(self) -> float | None:
        """Playing time of the video on whose timeline the topics stand, where it was measured."""
        row = self.recording
        trim = next((each.stage_meta for each in row.stages if each.stage_type == Stage.TRIM), None)
        meta = read_column("processing_stages", "stage_meta", trim, kind=Stage.TRIM).value
        if row.processed_video_path and isinstance(meta, TrimMeta) and meta.timeline is not None:
            return sum(end - start for start, end in meta.timeline.keep)
        heard = read_column(TABLE, "transcription_info", row.transcription_info).value
        return heard.duration if isinstance(heard, TranscriptionInfo) else None

    @property
    def standing(self) -> Standing:
        row = self.recording
        done = (StageStatus.COMPLETED, StageStatus.SKIPPED)
        stages = [each.status for each in row.stages]
        loaded = row.download_status == DownloadStatus.COMPLETED
        failed = self.failed
        return Standing(
            status=RecordingStatus(row.status),
            state=self.state,
            at_work=bool(self.live_runs),
            unfinished=not loaded or not stages or any(each not in done for each in stages),
            has_targets=bool(row.targets) or bool(self._wanted_presets()),
            failed_at=failed.name if failed is not None else None,
            paused=any(
                each.kind == HoldKind.PAUSE and each.target_type is None for each in self.holds
            ),
        )

    def _wanted_presets(self) -> Sequence[int]:
        """Named by its template or itself; targets are made of them when it is prepared."""
        row = self.recording
        own = (row.processing_preferences or {}).get("output_config") or {}
        template = (row.template.output_config if row.template else None) or {}
        return list(own.get("preset_ids", template.get("preset_ids")) or ())


def load_view(session: Session, recording_id: int, now: datetime) -> View:
    """In 5 statements, and one more where something failed; raises `NotFound` where the scope has
    no such recording.
    """
    row = Recordings(session).require(recording_id)
    runs = tuple(Runs(session).page(RunsOf(recording_id), limit=NEWEST_RUNS).items)
    holds = tuple(live_holds(session, recording_id))
    found = View(row, tuple(_lines(row, runs, now)), holds, runs)
    return replace(found, is_cut_off=_is_cut_off(session, found))


def runs_of(session: Session, recording_id: int, limit: int = MOST_RUNS) -> list[RecordingRun]:
    """The newest runs, newest first."""
    return Runs(session).page(RunsOf(recording_id), limit=limit).items


def _is_cut_off(session: Session, view: View) -> bool:
    failed, row = view.failed, view.recording
    if failed is None:
        return False
    account = row.input_source.credential_id if row.input_source else None
    if failed.name in tuple(Platform):
        presets = (each.preset for each in row.targets if each.target_type == failed.name)
        account = next((each.credential_id for each in presets if each is not None), None)
    elif failed.name != DOWNLOAD:
        return False
    active = select(UserCredential.is_active).where(UserCredential.id == account)
    return account is not None and session.scalar(active) is False


def _lines(row: Recording, runs: Sequence[RecordingRun], now: datetime) -> Iterator[Line]:
    prepare = [each for each in runs if each.phase == Phase.PREPARE]
    ends = [row.downloaded_at, *(each.completed_at or each.failed_at for each in row.stages)]
    known = [each for each in ends if each is not None]
    yield _download(row, prepare, known, now)
    by_stage = {Stage(each.stage_type): each for each in row.stages}
    for stage in Stage:
        if stage in by_stage:
            yield _stage(by_stage[stage], prepare, known, now)
    for target in sorted(row.targets, key=lambda each: tuple(Platform).index(_platform(each))):
        published = [each for each in runs if each.target_type == target.target_type]
        yield _target(target, published, now)


def _download(
    row: Recording, runs: Sequence[RecordingRun], ends: Sequence[datetime], now: datetime
) -> Line:
    failed = row.failed_at_stage == DOWNLOAD and row.download_status == DownloadStatus.FAILED
    at = row.failed_at if failed else row.downloaded_at
    run = _run_of(runs, row.download_status, at)
    facts = {"bytes": row.video_file_size} if row.video_file_size else {}
    return Line(
        DOWNLOAD,
        row.download_status,
        at,
        _seconds(run, row.download_status, at, ends, now),
        (row.retry_count or 0) if failed else 0,
        row.failed_reason if failed else None,
        _progress(run, row.download_status),
        facts,
        run,
    )


def _stage(
    row: ProcessingStage, runs: Sequence[RecordingRun], ends: Sequence[datetime], now: datetime
) -> Line:
    at = row.completed_at or row.failed_at
    run = _run_of(runs, row.status, at)
    return Line(
        row.stage_type,
        row.status,
        at,
        _seconds(run, row.status, at, ends, now),
        row.retry_count or 0,
        row.failed_reason or row.skip_reason,
        _progress(run, row.status),
        _facts(row),
        run,
    )


def _facts(row: ProcessingStage) -> dict[str, Any]:
    meta = read_column("processing_stages", "stage_meta", row.stage_meta, kind=row.stage_type).value
    return {} if meta is None else meta.model_dump(mode="json", exclude_none=True)


def _target(row: OutputTarget, runs: Sequence[RecordingRun], now: datetime) -> Line:
    at = row.failed_at if row.status == TargetStatus.FAILED else row.uploaded_at
    run = _run_of(runs, row.status, at) or next(
        (each for each in runs if each.state in LIVE_RUN_STATES), None
    )
    waits = run is not None and run.state == RunState.WAITING
    return Line(
        row.target_type,
        row.status,
        at,
        _seconds(run, row.status, at, (), now),
        row.retry_count or 0,
        row.failed_reason or (run.reason if run is not None and waits else None),
        _progress(run, row.status),
        {"due": run.due_at} if run is not None and waits else {},
        run,
        (row.target_meta or {}).get("url"),
    )


def _platform(target: OutputTarget) -> Platform:
    return Platform(target.target_type)


def _run_of(runs: Sequence[RecordingRun], status: str, at: datetime | None) -> RecordingRun | None:
    """The run that is at it, or that had begun when it ended; runs come newest first."""
    if status in AT_WORK:
        return next((each for each in runs if each.state == RunState.RUNNING), None)
    if at is None or status not in ENDED:
        return None
    return next(
        (each for each in runs if each.started_at is not None and each.started_at <= at), None
    )


def _seconds(
    run: RecordingRun | None,
    status: str,
    at: datetime | None,
    ends: Sequence[datetime],
    now: datetime,
) -> float | None:
    """A run does one thing after the other: each begins where the one before it ended."""
    if run is None or run.started_at is None:
        return None
    until = now if status in AT_WORK else at
    if until is None:
        return None
    begun = max([run.started_at, *(each for each in ends if run.started_at < each < until)])
    return max(0.0, (until - begun).total_seconds())


def _progress(run: RecordingRun | None, status: str) -> float | None:
    return run.progress if run is not None and status in AT_WORK else None
