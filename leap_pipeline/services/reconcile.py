"""Puts back what dead workers left, wakes what is due, and looks after launches nobody took.

`pg_locks` says who lives. Dagster is asked two things only: what became of a launch that no worker
ever claimed, and how the run of a dead worker ended.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import ProcessingStage, Recording
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.states import (
    DownloadStatus,
    Phase,
    RecordingStatus,
    RunState,
    StageStatus,
)
from leap_pipeline.services.failing import fail_begun, fail_next, release_begun
from leap_pipeline.services.launching import LOCK_WAIT_SECONDS, for_each
from leap_pipeline.services.liveness import living, lock_class, try_claim_dead, wait_little
from leap_pipeline.services.planning import ensure_stages
from leap_pipeline.services.projection import lock_recording, refresh_status
from leap_pipeline.services.runs import end_run, lock_run, platform_of, requeue

BATCH = 200
LAUNCH_PATIENCE = timedelta(seconds=30)
CANCELLED_THERE = "it was cancelled in Dagster"


@dataclass(frozen=True)
class Asked:
    """A launch that nobody has claimed: its row, its token, and when Dagster was asked."""

    run_id: int
    generation: int
    requested_at: datetime


@dataclass(frozen=True)
class Ended:
    """How a run ended in Dagster; without a reason none was ever made, or nothing failed."""

    cancelled: bool = False
    reason: str | None = None


class Engine(Protocol):
    """What is asked of Dagster."""

    def lost(self, asked: Sequence[Asked]) -> Mapping[int, Ended]:
        """Those launches (by row) of which no run is under way any more."""
        ...

    def ended(self, dagster_run_ids: Sequence[str]) -> Mapping[str, Ended]:
        """Those runs that have ended, or are being cancelled."""
        ...


@dataclass
class Report:
    """What one pass did: run rows put back, woken, ended, lost in Dagster, passed over."""

    put_back: list[int] = field(default_factory=list)
    woken: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    orphans: list[int] = field(default_factory=list)
    """Recordings that something said to be in progress, with no run at all."""
    passed_over: list[int] = field(default_factory=list)


def reconcile(database: Database, *, now: datetime, max_attempts: int, engine: Engine) -> Report:
    """One bounded pass; its statements grow with what is wrong, not with what there is."""
    report = Report()
    dead = _rows_without_worker(database)
    ended = engine.ended([run for run in dead.values() if run]) if dead else {}
    asked = {each.run_id: each for each in _unclaimed(database, now)}
    lost = engine.lost(list(asked.values())) if asked else {}

    def back(run_id: int) -> None:
        told = ended.get(dead[run_id] or "")
        if put_back_if_dead(database, run_id, max_attempts=max_attempts, ended=told):
            report.put_back.append(run_id)

    def wake(run_id: int) -> None:
        if _wake(database, run_id):
            report.woken.append(run_id)

    def ask_again(run_id: int) -> None:
        each = asked[run_id]
        if launch_ended(database, each, lost[run_id], max_attempts=max_attempts):
            report.lost.append(run_id)

    def free(recording_id: int) -> None:
        if _free_orphan(database, recording_id):
            report.orphans.append(recording_id)

    for_each(report.passed_over, dead, back)
    for_each(report.passed_over, _due(database, now), wake)
    for_each(report.passed_over, lost, ask_again)
    for_each(report.passed_over, _orphans(database), free)
    _look_later(database, [run_id for run_id in asked if run_id not in lost], now)
    return report


def put_back_if_dead(
    database: Database, run_id: int, *, max_attempts: int, ended: Ended | None = None
) -> bool:
    """Put one running row back where no worker holds its lock; True if that was done.

    `ended` is how its run ended in Dagster, where that is known: what a person cancelled there is
    not put back but ended.
    """
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
        row = session.get(RecordingRun, run_id, options=[lazyload("*")])
        if row is None or row.state != RunState.RUNNING:
            return False
        if not try_claim_dead(session, _class_of(row), row.recording_id):
            return False
        locked = lock_run(session, run_id)
        if locked is None or locked.state != RunState.RUNNING:
            return False
        if ended is not None and ended.cancelled:
            end_run(session, locked, RunState.CANCELLED, CANCELLED_THERE)
        else:
            cause = ended.reason if ended is not None else None
            put_back(session, locked, max_attempts=max_attempts, cause=cause)
        return True


def put_back(
    session: Session,
    row: RecordingRun,
    *,
    max_attempts: int | None = None,
    cause: str | None = None,
) -> None:
    """Return a dead worker's stages to PENDING and its row to the queue, with a new token.

    Where `max_attempts` workers died over the same step in a row, the step is FAILED instead. The
    recording and the row are locked by the caller.
    """
    locked = lock_recording(session, row.recording_id)
    given_up = max_attempts is not None and row.attempts >= max_attempts
    why = f" ({cause})" if cause else ""
    reason = (
        f"its worker died {row.attempts} times in a row{why}: see the log of the run, then retry"
    )
    if given_up:
        ensure_stages(session, locked)
        fail_begun(session, locked, platform_of(row), reason)
        end_run(session, row, RunState.FAILED, reason)
        return
    if row.phase == Phase.PREPARE:  # an upload goes on where it stopped, as its platform says
        release_begun(session, locked, None)
    requeue(session, row)
    refresh_status(session, row.recording_id)


def launch_ended(database: Database, asked: Asked, ended: Ended, *, max_attempts: int) -> bool:
    """Deal with a launch that no worker claimed and that is no more; False where one has by now.

    It is asked for again; one whose run failed before its work began counts as a death, so that it
    is not asked for for ever.
    """
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
        row = lock_run(session, asked.run_id)
        if row is None or row.state != RunState.QUEUED or row.generation != asked.generation:
            return False
        if ended.cancelled:
            end_run(session, row, RunState.CANCELLED, CANCELLED_THERE)
            return True
        attempts = row.attempts + (1 if ended.reason else 0)
        if attempts < max_attempts or not ended.reason:
            requeue(session, row, {"attempts": attempts})
            return True
        reason = f"its run failed {attempts} times before its work began: {ended.reason}"
        locked = lock_recording(session, row.recording_id)
        ensure_stages(session, locked)
        fail_next(session, locked, platform_of(row), reason)
        end_run(session, row, RunState.FAILED, reason)
        return True


def _rows_without_worker(database: Database) -> dict[int, str | None]:
    """Running rows that no living worker has, and the run of Dagster in which each was."""
    with database.system() as session:
        running = session.scalars(
            select(RecordingRun)
            .where(RecordingRun.state == RunState.RUNNING)
            .options(lazyload("*"))
            .order_by(RecordingRun.id)
        ).all()
        if not running:
            return {}
        alive = living(session)
        dead = [row for row in running if (_class_of(row), row.recording_id) not in alive]
    return {row.id: row.dagster_run_id for row in dead[:BATCH]}


def _due(database: Database, now: datetime) -> list[int]:
    with database.system() as session:
        return list(
            session.scalars(
                select(RecordingRun.id)
                .where(RecordingRun.state == RunState.WAITING, RecordingRun.due_at <= now)
                .order_by(RecordingRun.due_at)
                .limit(BATCH)
            )
        )


def _unclaimed(database: Database, now: datetime) -> list[Asked]:
    """Launches that nobody has claimed for a while, those looked at longest ago first."""
    with database.system() as session:
        rows = session.execute(
            select(RecordingRun.id, RecordingRun.generation, RecordingRun.requested_at)
            .where(
                RecordingRun.state == RunState.QUEUED,
                RecordingRun.requested_at <= now - LAUNCH_PATIENCE,
            )
            .order_by(RecordingRun.requested_at, RecordingRun.id)
            .limit(BATCH)
        ).all()
    return [Asked(run_id, token, asked) for run_id, token, asked in rows if asked]


def _look_later(database: Database, run_ids: Sequence[int], now: datetime) -> None:
    """These stand in Dagster's queue still: others come first at the next look."""
    if not run_ids:
        return
    with database.system() as session:
        session.execute(
            update(RecordingRun)
            .where(RecordingRun.id.in_(run_ids), RecordingRun.state == RunState.QUEUED)
            .where(RecordingRun.requested_at.is_not(None))
            .values(requested_at=now)
        )


def _orphans(database: Database) -> list[int]:
    """Recordings with something in progress that belongs to no running row.

    Uploads are not among them: who knows how far one is, is its platform.
    """
    running = exists().where(
        RecordingRun.recording_id == Recording.id,
        RecordingRun.phase == Phase.PREPARE,
        RecordingRun.state == RunState.RUNNING,
    )
    begun = ProcessingStage.status == StageStatus.IN_PROGRESS
    with database.system() as session:
        loading = session.scalars(
            select(Recording.id)
            .where(
                Recording.status == RecordingStatus.DOWNLOADING,
                Recording.download_status == DownloadStatus.IN_PROGRESS,
                ~running,
            )
            .limit(BATCH)
        ).all()
        staged = session.scalars(
            select(Recording.id)
            .join(ProcessingStage, ProcessingStage.recording_id == Recording.id)
            .where(begun, ~running)
            .limit(BATCH)
        ).all()
    return sorted({*loading, *staged})


def _free_orphan(database: Database, recording_id: int) -> bool:
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
        if not try_claim_dead(session, lock_class(Phase.PREPARE, None), recording_id):
            return False
        locked = lock_recording(session, recording_id)
        running = session.scalar(
            select(RecordingRun.id).where(
                RecordingRun.recording_id == recording_id,
                RecordingRun.phase == Phase.PREPARE,
                RecordingRun.state == RunState.RUNNING,
            )
        )
        if running is not None:
            return False
        release_begun(session, locked, None)
        refresh_status(session, recording_id)
        return True


def _wake(database: Database, run_id: int) -> bool:
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
        row = lock_run(session, run_id)
        if row is None or row.state != RunState.WAITING:
            return False
        requeue(session, row)
        return True


def _class_of(row: RecordingRun) -> int:
    return lock_class(Phase(row.phase), platform_of(row))
