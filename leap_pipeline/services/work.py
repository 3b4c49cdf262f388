"""A claimed piece of work: a lock says that its worker lives, a fence guards its writes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import ProcessingStage, Recording
from leap_pipeline.db.models.runs import RecordingRun, StoredObject
from leap_pipeline.domain.config import ProcessingConfig
from leap_pipeline.domain.planner import STAGE_ASSET, Asset, stage_of
from leap_pipeline.domain.states import (
    DownloadStatus,
    Phase,
    Platform,
    RunState,
    Stage,
    StageStatus,
)
from leap_pipeline.errors import Superseded
from leap_pipeline.progress import ProgressCallback
from leap_pipeline.services.liveness import WorkLock
from leap_pipeline.services.moves import move_download, move_run, move_stage
from leap_pipeline.services.planning import ensure_stages, processing_config
from leap_pipeline.services.projection import Locked, lock_recording, refresh_status
from leap_pipeline.services.runs import settle_plan
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.paths import RecordingPaths

PROGRESS_SECONDS = 1.0
LAST_ASSET = {**STAGE_ASSET, Stage.TRIM: Asset.AUDIO}


@dataclass(frozen=True)
class Artifact:
    """A whole and verified scratch file, and where it goes."""

    made: Path
    kind: str
    relative: str


@dataclass(frozen=True)
class Begun:
    """What an asset gets at its start; `left_out` says why there is nothing to do."""

    left_out: str | None
    recording: Recording
    config: ProcessingConfig
    stage: Stage | None


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
    _failed: str | None = None
    _due: tuple[datetime, str] | None = None
    _told: float = 0.0

    def check(self) -> None:
        """Raises `Superseded` as soon as the lock's connection is gone."""
        if self.lock.lost.is_set():
            msg = f"The worker of recording {self.recording_id} lost its lock, so it stops."
            raise Superseded(msg)

    @contextmanager
    def fenced(self) -> Iterator[Session]:
        """A transaction that can only commit while the run token is still this worker's."""
        self.check()
        with self.database.tenant(self.user_id) as session:
            held = session.scalar(
                select(RecordingRun.id).where(*self._mine()).with_for_update(read=True)
            )
            if held is None:
                msg = f"Another worker took over recording {self.recording_id}; this one stops."
                raise Superseded(msg)
            yield session

    def progress(self) -> ProgressCallback:
        """A callback that stores the fraction about once a second and stops a superseded worker."""

        def tell(fraction: float) -> None:
            self.check()
            if time.monotonic() - self._told < PROGRESS_SECONDS:
                return
            self._told = time.monotonic()
            with self.fenced() as session:
                self._update_row(session, progress=round(min(max(fraction, 0.0), 1.0), 3))

        return tell

    @contextmanager
    def scratch(self, asset: Asset) -> Iterator[Path]:
        """A scratch folder which no other worker, earlier or later, uses."""
        name = f"{self.recording_id}-{self.phase}-{self.run_id}-{self.generation}-{asset}"
        with self.storage.scratch(name) as folder:
            yield folder

    def begin(self, asset: Asset) -> Begun:
        """Ask the planner again, and move the asset's stage to IN_PROGRESS."""
        with self.fenced() as session:
            locked = lock_recording(session, self.recording_id)
            ensure_stages(session, locked)
            plan = settle_plan(session, locked, self.phase, self.platform)
            locked = refresh_status(session, self.recording_id)
            skipped = {
                stage: row.skip_reason or ""
                for stage, row in locked.stages.items()
                if row.status == StageStatus.SKIPPED
            }
            stage = stage_of(asset, skipped)
            if asset in plan.selection:
                self._start(session, asset, stage, locked)
                locked = refresh_status(session, self.recording_id)
                self._update_row(session, progress=0.0)
            config = processing_config(session, locked)
            session.expunge_all()
        return Begun(plan.left_out.get(asset), locked.recording, config, stage)

    def complete(
        self,
        asset: Asset,
        begun: Begun,
        artifacts: Sequence[Artifact] = (),
        *,
        columns: Mapping[str, Any] | None = None,
        stage_meta: Mapping[str, Any] | None = None,
    ) -> None:
        """Put the artifacts in place and write everything that names them, in one fenced step."""
        for artifact in artifacts:
            self.storage.settle(artifact.made)
        with self.fenced() as session:
            lock_recording(session, self.recording_id)
            for artifact in artifacts:
                size = self.storage.put(artifact.made, artifact.relative)
                self._store_object(session, artifact, size)
            self._write_columns(session, columns)
            if begun.stage is not None:
                self._write_stage_meta(session, begun.stage, stage_meta)
            self._finish(session, asset, begun.stage)
            self._update_row(session, progress=None, attempts=0)
            refresh_status(session, self.recording_id)

    def fail(self, asset: Asset, begun: Begun | None, reason: str) -> None:
        """Mark the asset's stage FAILED; `close` then ends the run row as failed."""
        self._failed = reason
        with self.fenced() as session:
            if asset is Asset.RAW_VIDEO:
                move_download(session, self.recording_id, DownloadStatus.FAILED, reason=reason)
            elif begun is not None and begun.stage is not None:
                move_stage(session, self.recording_id, begun.stage, StageStatus.FAILED, reason)
            refresh_status(session, self.recording_id)

    def wait_until(self, due_at: datetime, reason: str) -> None:
        """End the run as waiting; `close` puts back what was in progress."""
        self._due = (due_at, reason)

    def close(self) -> None:
        """End the run row truthfully and free the lock; safe to call when superseded."""
        try:
            with self.fenced() as session:
                interrupted = self._release_stages(session)
                self._end_row(session, interrupted=interrupted)
                refresh_status(session, self.recording_id)
        except Superseded:
            pass  # whoever took over writes the outcome
        finally:
            self.lock.release()

    def _mine(self) -> tuple[Any, ...]:
        return (
            RecordingRun.id == self.run_id,
            RecordingRun.generation == self.generation,
            RecordingRun.state == str(RunState.RUNNING),
        )

    def _update_row(self, session: Session, **values: Any) -> None:
        session.execute(update(RecordingRun).where(*self._mine()).values(**values))

    def _start(self, session: Session, asset: Asset, stage: Stage | None, locked: Locked) -> None:
        if asset is Asset.RAW_VIDEO:
            if locked.facts.download is not DownloadStatus.IN_PROGRESS:
                move_download(session, self.recording_id, DownloadStatus.IN_PROGRESS)
        elif stage is not None and locked.facts.stages[stage].status is not StageStatus.IN_PROGRESS:
            move_stage(session, self.recording_id, stage, StageStatus.IN_PROGRESS)

    def _finish(self, session: Session, asset: Asset, stage: Stage | None) -> None:
        if asset is Asset.RAW_VIDEO:
            move_download(session, self.recording_id, DownloadStatus.COMPLETED)
        elif stage is not None and LAST_ASSET[stage] is asset:
            move_stage(session, self.recording_id, stage, StageStatus.COMPLETED)

    def _write_columns(self, session: Session, columns: Mapping[str, Any] | None) -> None:
        if columns:
            session.execute(
                update(Recording).where(Recording.id == self.recording_id).values(**columns)
            )

    def _write_stage_meta(
        self, session: Session, stage: Stage, meta: Mapping[str, Any] | None
    ) -> None:
        if not meta:
            return
        row = session.scalars(
            select(ProcessingStage).where(
                ProcessingStage.recording_id == self.recording_id,
                ProcessingStage.stage_type == stage,
            )
        ).one()
        row.stage_meta = {**(row.stage_meta or {}), **meta}
        session.flush()

    def _store_object(self, session: Session, artifact: Artifact, size: int) -> None:
        row = {
            "user_id": self.user_id,
            "recording_id": self.recording_id,
            "kind": artifact.kind,
            "path": artifact.relative,
            "bytes": size,
        }
        session.execute(
            insert(StoredObject)
            .values(**row)
            .on_conflict_do_update(
                index_elements=[StoredObject.path],
                set_={"bytes": size, "kind": artifact.kind, "updated_at": func.now()},
            )
        )

    def _release_stages(self, session: Session) -> bool:
        locked = lock_recording(session, self.recording_id)
        if self.phase is not Phase.PREPARE:
            return False
        held = [
            stage for stage, row in locked.stages.items() if row.status == StageStatus.IN_PROGRESS
        ]
        for stage in held:
            move_stage(session, self.recording_id, stage, StageStatus.PENDING)
        loading = locked.facts.download is DownloadStatus.IN_PROGRESS
        if loading:
            move_download(session, self.recording_id, DownloadStatus.PENDING)
        return bool(held) or loading

    def _end_row(self, session: Session, *, interrupted: bool) -> None:
        if self._failed is not None:
            move_run(session, self.run_id, RunState.FAILED, {"reason": self._failed})
        elif self._due is not None:
            due_at, reason = self._due
            values = {"due_at": due_at, "reason": reason, "dagster_run_id": None}
            move_run(session, self.run_id, RunState.WAITING, values)
        elif interrupted or self._something_left(session):
            move_run(session, self.run_id, RunState.CANCELLED, {"reason": "it was stopped"})
        else:
            move_run(session, self.run_id, RunState.DONE)

    def _something_left(self, session: Session) -> bool:
        asked = set(session.scalar(select(RecordingRun.selection).where(*self._mine())) or [])
        locked = lock_recording(session, self.recording_id)
        left = settle_plan(session, locked, self.phase, self.platform).selection
        return bool(asked & {str(asset) for asset in left})
