"""A claimed piece of work: a lock says that its worker lives, a fence guards its writes."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import ProcessingStage, Recording
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.planner import Asset, missing_input, stage_of
from leap_pipeline.domain.shapes.processing import ProcessingConfig
from leap_pipeline.domain.shapes.registry import validate_column
from leap_pipeline.domain.states import Phase, Platform, RunState, Stage, StageStatus
from leap_pipeline.errors import Superseded, TransientError, UserActionError
from leap_pipeline.progress import ProgressCallback
from leap_pipeline.services import steps
from leap_pipeline.services.failing import release_begun
from leap_pipeline.services.liveness import WorkLock, let_go_when_frozen
from leap_pipeline.services.moves import move_run, storable
from leap_pipeline.services.planning import ensure_stages, processing_config
from leap_pipeline.services.projection import Locked, lock_recording, lock_row, refresh_status
from leap_pipeline.services.quotas import refresh_storage
from leap_pipeline.services.runs import end_run, requeue, settle_plan
from leap_pipeline.services.stored_objects import store_object
from leap_pipeline.services.targets import publish_by_itself
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.paths import RecordingPaths

PROGRESS_SECONDS = 1.0
STOPPED = "it was stopped"


@dataclass(frozen=True)
class Artifact:
    """A whole and verified scratch file, and where it goes."""

    made: Path
    kind: str
    relative: str


@dataclass(frozen=True)
class Begun:
    """What an asset gets at its start; `left_out` says why there is nothing to do.

    `cpu_seconds` is what this process and its ended children had taken of the processors by then.
    """

    left_out: str | None
    recording: Recording
    config: ProcessingConfig
    stage: Stage | None
    cpu_seconds: float


@dataclass
class Work:
    """One worker's hold on one piece of work; made by `claim`, ended by `close`."""

    database: Database
    storage: LocalStorage
    recording_id: int
    user_id: str
    paths: RecordingPaths
    phase: Phase
    platform: Platform | None
    run_id: int
    generation: int
    lock: WorkLock
    adopted: bool = False
    """Taken from the queue by a run of somebody's own, which need not do all that was asked."""
    shut_down: bool = False
    """Its process was told to end and nobody cancelled the work: it goes on at the next start."""
    _failed: str | None = None
    _due: tuple[datetime, str] | None = None
    _told: float = 0.0
    _busy: bool = False
    _faltered: bool = False

    def check(self) -> None:
        """Raises `Superseded` as soon as the lock's connection is gone."""
        if self.lock.lost.is_set():
            msg = f"The worker of recording {self.recording_id} lost its lock, so it stops."
            raise Superseded(msg)

    @contextmanager
    def fenced(self) -> Iterator[Session]:
        """A transaction that can only commit while the run token is still this worker's.

        It holds the locks of the recording and of its run row, taken in this order.
        """
        with self._footing_watched(), self._fence() as session:
            yield session

    def progress(self) -> ProgressCallback:
        """A callback that stores the fraction about once a second and stops a superseded worker."""

        def tell(fraction: float) -> None:
            self.check()
            if time.monotonic() - self._told < PROGRESS_SECONDS:
                return
            self._told = time.monotonic()
            # A number to look at is not worth the step: while the lock holds, the next one will do.
            with suppress(TransientError), self._fence() as session:
                self._update_row(session, progress=round(min(max(fraction, 0.0), 1.0), 3))

        return tell

    @contextmanager
    def scratch(self, asset: Asset) -> Iterator[Path]:
        """A scratch folder which no other worker, earlier or later, uses."""
        prefix = scratch_prefix(self.recording_id, self.phase, self.platform)
        name = f"{prefix}{self.run_id}-{self.generation}-{asset}"
        with self._footing_watched(), self.storage.scratch(name) as folder:
            yield folder

    def begin(self, asset: Asset) -> Begun:
        """Ask the planner again, and move the asset's stage to IN_PROGRESS."""
        with self.fenced() as session:
            locked = lock_recording(session, self.recording_id)
            ensure_stages(session, locked)
            plan = settle_plan(session, locked, self.phase, self.platform)
            locked = refresh_status(session, self.recording_id)
            stage = stage_of(asset, _skipped(locked))
            missing = missing_input(asset, plan)
            left_out = plan.left_out.get(asset)
            if left_out is None and missing is not None:
                left_out = f"{missing} is not made yet: materialize it first"
            if left_out is None:
                steps.start(session, locked, asset, stage)
                locked = refresh_status(session, self.recording_id)
                self._update_row(session, progress=0.0)
            config = processing_config(session, locked)
            session.expunge_all()
        self._busy = left_out is None
        return Begun(left_out, locked.recording, config, stage, _cpu_seconds())

    def complete(
        self,
        asset: Asset,
        begun: Begun,
        artifacts: Sequence[Artifact] = (),
        *,
        columns: Mapping[str, Any] | None = None,
        stage_meta: Mapping[str, Any] | None = None,
        target_meta: Mapping[str, Any] | None = None,
    ) -> None:
        """Put the artifacts in place and write everything that names them, in one fenced step.

        `target_meta` is what the platform answered: its video's id, URL and the like.
        """
        for artifact in artifacts:
            self.storage.settle(artifact.made)
        with self.fenced() as session:
            lock_recording(session, self.recording_id)
            for artifact in artifacts:
                size = self.storage.put(artifact.made, artifact.relative)
                store_object(
                    session,
                    self.user_id,
                    artifact.kind,
                    artifact.relative,
                    size,
                    recording_id=self.recording_id,
                )
            if begun.stage is not None:
                spent = {str(asset): round(_cpu_seconds() - begun.cpu_seconds, 2)}
                self._write_stage_meta(session, begun.stage, stage_meta or {}, spent)
            steps.finish(
                session, self.recording_id, asset, begun.stage, columns or {}, target_meta or {}
            )
            # This worker's life counts as the first attempt at whatever comes next.
            self._update_row(session, progress=None, attempts=1)
            refresh_status(session, self.recording_id)
        self._busy = False

    def let_go(self) -> None:
        """Nothing more is to be done of what was begun: what became of it is written already."""
        self._busy = False

    def fail(self, asset: Asset, begun: Begun | None, reason: str) -> None:
        """Mark the asset's stage FAILED; `close` then ends the run row as failed.

        `begun` is None where the asset failed before it could begin, as by a wrong configuration.
        """
        with self.fenced() as session:
            locked = lock_recording(session, self.recording_id)
            ensure_stages(session, locked)
            stage = begun.stage if begun is not None else stage_of(asset, _skipped(locked))
            steps.fail(session, locked, asset, stage, reason)
            refresh_status(session, self.recording_id)
        self._failed, self._busy = storable(reason), False

    def wait_until(self, due_at: datetime, reason: str) -> None:
        """End the run as waiting; `close` puts back what was in progress."""
        self._due = (due_at, storable(reason))
        self._busy = False

    def close(self) -> None:
        """End the run row truthfully and free the lock; safe to call when superseded.

        Where the database or a service went away in the middle of a step nothing is written: that
        is a death like any other, so `reconcile` counts it, puts the work back and launches again.
        """
        if self._faltered and self._failed is None:
            self.lock.release()
            return
        try:
            with self.fenced() as session:
                if self.phase is Phase.PREPARE:
                    release_begun(session, lock_recording(session, self.recording_id), None)
                self._end_row(session)
                refresh_status(session, self.recording_id)
                refresh_storage(session, self.user_id, datetime.now(UTC))
        except Superseded:
            pass  # whoever took over writes the outcome
        finally:
            self.lock.release()

    @contextmanager
    def _fence(self) -> Iterator[Session]:
        self.check()
        with self.database.tenant(self.user_id) as session:
            let_go_when_frozen(session)
            lock_row(session, self.recording_id)
            held = session.scalar(select(RecordingRun.id).where(*self._mine()).with_for_update())
            if held is None:
                raise Superseded(self._why_superseded(session))
            yield session

    @contextmanager
    def _footing_watched(self) -> Iterator[None]:
        try:
            yield
        except (TransientError, DBAPIError):
            self._faltered = True
            raise

    def _why_superseded(self, session: Session) -> str:
        state = session.scalar(select(RecordingRun.state).where(RecordingRun.id == self.run_id))
        if state == RunState.CANCELLED:
            return f"The run of recording {self.recording_id} was cancelled; its worker stops."
        return f"Another worker took over recording {self.recording_id}; this one stops."

    def _mine(self) -> tuple[Any, ...]:
        return (
            RecordingRun.id == self.run_id,
            RecordingRun.generation == self.generation,
            RecordingRun.state == str(RunState.RUNNING),
        )

    def _update_row(self, session: Session, **values: Any) -> None:
        session.execute(update(RecordingRun).where(*self._mine()).values(**values))

    def _write_stage_meta(
        self,
        session: Session,
        stage: Stage,
        meta: Mapping[str, Any],
        cpu_seconds: Mapping[str, float],
    ) -> None:
        row = session.scalars(
            select(ProcessingStage).where(
                ProcessingStage.recording_id == self.recording_id,
                ProcessingStage.stage_type == stage,
            )
        ).one()
        known = row.stage_meta or {}
        spent = {**(known.get("cpu_seconds") or {}), **cpu_seconds}
        together = {**known, **meta, "cpu_seconds": spent}
        row.stage_meta = validate_column("processing_stages", "stage_meta", together, kind=stage)
        session.flush()

    def _end_row(self, session: Session) -> None:
        row = session.get_one(RecordingRun, self.run_id, options=[lazyload("*")])
        if self._failed is not None:
            end_run(session, row, RunState.FAILED, self._failed)
        elif self._due is not None:
            due_at, reason = self._due
            # It did not die, however often it has to wait.
            values = {"due_at": due_at, "reason": reason, "dagster_run_id": None, "attempts": 0}
            move_run(session, self.run_id, RunState.WAITING, values)
        elif self._busy and self.shut_down:
            requeue(session, row, {"attempts": 0})
        elif self._busy:
            end_run(session, row, RunState.CANCELLED, STOPPED)
        else:
            self._end_by_plan(session, row)

    def _end_by_plan(self, session: Session, row: RecordingRun) -> None:
        """Nothing happened to it: does the plan still want something of what was asked for?"""
        locked = lock_recording(session, self.recording_id)
        try:
            plan = settle_plan(session, locked, self.phase, self.platform)
        except UserActionError as error:
            end_run(session, row, RunState.FAILED, str(error))
            return
        left = set(row.selection) & {str(asset) for asset in plan.selection}
        if plan.refused is not None:
            end_run(session, row, RunState.CANCELLED, plan.refused)
        elif not left:
            end_run(session, row, RunState.DONE)
            if self.phase is Phase.PREPARE and not plan.selection:
                publish_by_itself(session, self.recording_id)
        elif self.adopted:
            requeue(session, row, {"attempts": 0})
        else:
            end_run(session, row, RunState.CANCELLED, STOPPED)


def _cpu_seconds() -> float:
    """Of this process and its ended children: runs work on one asset after the other."""
    taken = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in taken)


def scratch_prefix(recording_id: int, phase: Phase, platform: Platform | None) -> str:
    """What the scratch names of a piece of work begin with, and no other's."""
    return f"{recording_id}-{platform or phase}-".lower()


def _skipped(locked: Locked) -> dict[Stage, str]:
    return {
        stage: row.skip_reason or ""
        for stage, row in locked.stages.items()
        if row.status == StageStatus.SKIPPED
    }
