"""Puts back what dead workers left, and asks for the runs that are due. The one relauncher.

`pg_locks` says who lives. Dagster is asked one thing only: whether a launch that no worker ever
claimed got lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Update, or_, select, update
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.config import ProcessingConfig
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.planner import Asset, Plan
from leap_pipeline.domain.states import DownloadStatus, Phase, Platform, RunState, StageStatus
from leap_pipeline.services.liveness import living, lock_class, try_claim_dead
from leap_pipeline.services.moves import move_download, move_run, move_stage
from leap_pipeline.services.planning import ensure_stages, plan_input
from leap_pipeline.services.projection import lock_recording, refresh_status
from leap_pipeline.services.runs import settle_plan

BATCH = 200
LAUNCH_PATIENCE = timedelta(seconds=20)


@dataclass(frozen=True)
class Launch:
    """A run to ask Dagster for."""

    run_id: int
    generation: int
    recording_id: int
    user_id: str
    partition: str
    phase: Phase
    platform: Platform | None
    selection: tuple[Asset, ...]
    run_key: str


@dataclass
class Report:
    """What one pass did: run rows put back, rows whose time came, rows ended, launches."""

    put_back: list[int] = field(default_factory=list)
    woken: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)


def reconcile(
    database: Database,
    *,
    now: datetime,
    max_attempts: int,
    launch_lost: Callable[[int, int], bool],
) -> Report:
    """One bounded pass. `launch_lost(run id, generation)` asks about an unclaimed launch."""
    report = Report()
    for run_id in _rows_without_worker(database):
        if put_back_if_dead(database, run_id, max_attempts=max_attempts):
            report.put_back.append(run_id)
    for run_id in _due(database, now):
        with database.system() as session:
            row = _locked(session, run_id)
            if row is not None and row.state == RunState.WAITING:
                _requeue(session, row)
                report.woken.append(run_id)
    for run_id in _to_launch(database, now):
        found = _launch(database, run_id, now, launch_lost)
        if isinstance(found, Launch):
            report.launches.append(found)
        elif found is not RunState.QUEUED:
            report.ended.append(run_id)
    return report


def put_back_if_dead(database: Database, run_id: int, *, max_attempts: int) -> bool:
    """Put one running row back where no worker holds its lock; True if that was done."""
    with database.system() as session:
        row = session.get(RecordingRun, run_id, options=[lazyload("*")])
        if row is None or row.state != RunState.RUNNING:
            return False
        if not try_claim_dead(session, _class_of(row), row.recording_id):
            return False
        locked = _locked(session, run_id)
        if locked is None or locked.state != RunState.RUNNING:
            return False
        put_back(session, locked, max_attempts=max_attempts)
        return True


def put_back(session: Session, row: RecordingRun, *, max_attempts: int | None = None) -> None:
    """Return a dead worker's stages to PENDING and its row to the queue, with a new token.

    Where `max_attempts` workers died over the same step in a row, the step is FAILED instead.
    """
    locked = lock_recording(session, row.recording_id)
    given_up = max_attempts is not None and row.attempts >= max_attempts
    reason = f"its worker died {row.attempts} times in a row: see the log of the run, then retry"
    if row.phase == Phase.PREPARE:
        for stage, found in locked.stages.items():
            if found.status == StageStatus.IN_PROGRESS:
                wanted = StageStatus.FAILED if given_up else StageStatus.PENDING
                move_stage(session, row.recording_id, stage, wanted, reason)
        if locked.facts.download is DownloadStatus.IN_PROGRESS:
            back = DownloadStatus.FAILED if given_up else DownloadStatus.PENDING
            move_download(session, row.recording_id, back, reason=reason)
    if given_up:
        move_run(session, row.id, RunState.FAILED, {"reason": reason})
    else:
        _requeue(session, row)
    refresh_status(session, row.recording_id)


def _requeue(session: Session, row: RecordingRun) -> None:
    fresh = {
        "generation": RecordingRun.generation + 1,
        "dagster_run_id": None,
        "requested_at": None,
        "due_at": None,
        "progress": None,
    }
    move_run(session, row.id, RunState.QUEUED, fresh)


def _rows_without_worker(database: Database) -> list[int]:
    with database.system() as session:
        running = session.scalars(
            select(RecordingRun)
            .where(RecordingRun.state == RunState.RUNNING)
            .options(lazyload("*"))
            .order_by(RecordingRun.id)
        ).all()
        alive = living(session)
        dead = [row.id for row in running if (_class_of(row), row.recording_id) not in alive]
    return dead[:BATCH]


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


def _to_launch(database: Database, now: datetime) -> list[int]:
    with database.system() as session:
        return list(
            session.scalars(
                select(RecordingRun.id)
                .where(
                    RecordingRun.state == RunState.QUEUED,
                    or_(
                        RecordingRun.requested_at.is_(None),
                        RecordingRun.requested_at < now - LAUNCH_PATIENCE,
                    ),
                )
                .order_by(RecordingRun.id)
                .limit(BATCH)
            )
        )


def _launch(
    database: Database, run_id: int, now: datetime, launch_lost: Callable[[int, int], bool]
) -> Launch | RunState:
    """Plan a queued row and mark it as asked for, or say in which state that left the row."""
    with database.system() as session:
        row = _locked(session, run_id)
        if row is None or row.state != RunState.QUEUED:
            return RunState.QUEUED if row is None else RunState(row.state)
        phase, platform = Phase(row.phase), _platform(row)
        if row.requested_at is not None:
            if not launch_lost(row.id, row.generation):
                session.execute(_asked(row.id, now))
                return RunState.QUEUED
            _requeue(session, row)
            session.refresh(row)
        locked = lock_recording(session, row.recording_id)
        ensure_stages(session, locked)
        config = plan_input(session, locked).config
        plan = settle_plan(session, locked, phase, platform)
        if not plan.selection:
            wanted = RunState.CANCELLED if plan.refused else RunState.DONE
            move_run(session, row.id, wanted, {"reason": plan.refused})
            return wanted
        session.execute(
            _asked(row.id, now).values(selection=[str(asset) for asset in plan.selection])
        )
        return _as_launch(session, row, plan, config)


def launch_now(database: Database, run_id: int, now: datetime) -> Launch | None:
    """A queued row as a launch for this very process; None where nothing is left to do."""
    found = _launch(database, run_id, now, lambda _run, _generation: True)
    return found if isinstance(found, Launch) else None


def _as_launch(session: Session, row: RecordingRun, plan: Plan, config: ProcessingConfig) -> Launch:
    slug = session.scalar(select(User.user_slug).where(User.id == row.user_id))
    phase, platform = Phase(row.phase), _platform(row)
    return Launch(
        run_id=row.id,
        generation=row.generation,
        recording_id=row.recording_id,
        user_id=row.user_id,
        partition=partition_key(slug or 0, row.recording_id),
        phase=phase,
        platform=platform,
        selection=plan.selection,
        run_key=f"{row.recording_id}:{platform or phase}:{plan.digest(config)}:{row.generation}",
    )


def _asked(run_id: int, now: datetime) -> Update:
    return update(RecordingRun).where(RecordingRun.id == run_id).values(requested_at=now)


def _locked(session: Session, run_id: int) -> RecordingRun | None:
    return session.scalars(
        select(RecordingRun)
        .where(RecordingRun.id == run_id)
        .options(lazyload("*"))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def _platform(row: RecordingRun) -> Platform | None:
    return Platform(row.target_type) if row.target_type else None


def _class_of(row: RecordingRun) -> int:
    return lock_class(Phase(row.phase), _platform(row))
