"""Puts back what dead workers left, and asks for the runs that are due. The one relauncher.

`pg_locks` says who lives. Dagster is asked one thing only: whether a launch that no worker ever
claimed got lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Update, or_, select, update
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.planner import Asset, Plan
from leap_pipeline.domain.shapes.processing import ProcessingConfig
from leap_pipeline.domain.states import Phase, Platform, RunState
from leap_pipeline.errors import DataError, TransientError, UserActionError
from leap_pipeline.services.failing import fail_begun, fail_next, release_begun
from leap_pipeline.services.liveness import living, lock_class, try_claim_dead, wait_little
from leap_pipeline.services.planning import ensure_stages, processing_config
from leap_pipeline.services.projection import lock_recording, lock_row, refresh_status
from leap_pipeline.services.runs import end_run, platform_of, requeue, settle_plan

BATCH = 200
LAUNCH_PATIENCE = timedelta(seconds=20)
LOCK_WAIT_SECONDS = 2
PASSED_OVER = 3

LaunchLost = Callable[[int, int], bool]


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
    """What one pass did: run rows put back, woken, ended, and passed over till the next one."""

    put_back: list[int] = field(default_factory=list)
    woken: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    launches: list[Launch] = field(default_factory=list)
    passed_over: list[int] = field(default_factory=list)


def reconcile(
    database: Database,
    *,
    now: datetime,
    max_attempts: int,
    launch_lost: LaunchLost,
) -> Report:
    """One bounded pass. `launch_lost(run id, generation)` asks about an unclaimed launch."""
    report = Report()

    def back(run_id: int) -> None:
        if put_back_if_dead(database, run_id, max_attempts=max_attempts):
            report.put_back.append(run_id)

    def wake(run_id: int) -> None:
        if _wake(database, run_id):
            report.woken.append(run_id)

    def launch(run_id: int) -> None:
        found = _launch_or_end(database, run_id, now, launch_lost)
        if isinstance(found, Launch):
            report.launches.append(found)
        elif found is not None:
            report.ended.append(run_id)

    _for_each(report, _rows_without_worker(database), back)
    _for_each(report, _due(database, now), wake)
    _for_each(report, _to_launch(database, now), launch)
    return report


def _for_each(report: Report, run_ids: Iterable[int], step: Callable[[int], None]) -> None:
    """Passes over a row that another transaction holds; several of those end the pass."""
    for run_id in run_ids:
        if len(report.passed_over) >= PASSED_OVER:
            return
        try:
            step(run_id)
        except TransientError:
            report.passed_over.append(run_id)


def put_back_if_dead(database: Database, run_id: int, *, max_attempts: int) -> bool:
    """Put one running row back where no worker holds its lock; True if that was done."""
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
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

    Where `max_attempts` workers died over the same step in a row, the step is FAILED instead. The
    recording and the row are locked by the caller.
    """
    locked = lock_recording(session, row.recording_id)
    given_up = max_attempts is not None and row.attempts >= max_attempts
    reason = f"its worker died {row.attempts} times in a row: see the log of the run, then retry"
    if given_up:
        ensure_stages(session, locked)
        fail_begun(session, locked, platform_of(row), reason)
        end_run(session, row, RunState.FAILED, reason)
        return
    if row.phase == Phase.PREPARE:  # an upload goes on where it stopped, as its platform says
        release_begun(session, locked, None)
    requeue(session, row)
    refresh_status(session, row.recording_id)


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
                # Rows never asked for come first: a long queue is looked through again and again.
                .order_by(RecordingRun.requested_at.asc().nulls_first(), RecordingRun.id)
                .limit(BATCH)
            )
        )


def _wake(database: Database, run_id: int) -> bool:
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
        row = _locked(session, run_id)
        if row is None or row.state != RunState.WAITING:
            return False
        requeue(session, row)
        return True


def _launch_or_end(
    database: Database, run_id: int, now: datetime, launch_lost: LaunchLost | None
) -> Launch | RunState | None:
    """A queued row as a launch, or the state in which it ended; None where it is left alone.

    Without `launch_lost` a launch that is under way is not waited for: it becomes void.
    """
    try:
        return _launch(database, run_id, now, launch_lost)
    except (UserActionError, DataError) as error:  # of this recording alone: others go on
        return _cannot_launch(database, run_id, str(error))


def _launch(
    database: Database, run_id: int, now: datetime, launch_lost: LaunchLost | None
) -> Launch | RunState | None:
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
        row = _locked(session, run_id)
        if row is None or row.state != RunState.QUEUED:
            return None
        if row.requested_at is not None:
            if launch_lost is not None:
                if row.requested_at > now - LAUNCH_PATIENCE:
                    return None  # another pass has just asked for it
                if not launch_lost(row.id, row.generation):
                    session.execute(_asked(row.id, now))
                    return None
            requeue(session, row)
        locked = lock_recording(session, row.recording_id)
        ensure_stages(session, locked)
        plan = settle_plan(session, locked, Phase(row.phase), platform_of(row))
        if not plan.selection:
            wanted = RunState.CANCELLED if plan.refused else RunState.DONE
            end_run(session, row, wanted, plan.refused)
            return wanted
        session.execute(
            _asked(row.id, now).values(selection=[str(asset) for asset in plan.selection])
        )
        return _as_launch(session, row, plan, processing_config(session, locked))


def _cannot_launch(database: Database, run_id: int, reason: str) -> RunState | None:
    """End a queued row that cannot be planned, and say so on its recording."""
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
        row = _locked(session, run_id)
        if row is None or row.state != RunState.QUEUED:
            return None
        locked = lock_recording(session, row.recording_id)
        ensure_stages(session, locked)
        fail_next(session, locked, platform_of(row), reason)
        end_run(session, row, RunState.FAILED, reason)
        return RunState.FAILED


def launch_now(database: Database, run_id: int, now: datetime) -> Launch | None:
    """A queued row as a launch for this very process; None where nothing is left to do."""
    found = _launch_or_end(database, run_id, now, None)
    return found if isinstance(found, Launch) else None


def _as_launch(session: Session, row: RecordingRun, plan: Plan, config: ProcessingConfig) -> Launch:
    slug = session.scalar(select(User.user_slug).where(User.id == row.user_id))
    phase, platform = Phase(row.phase), platform_of(row)
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
    """A run row, locked after its recording as everywhere; None where it is gone."""
    recording_id = session.scalar(
        select(RecordingRun.recording_id).where(RecordingRun.id == run_id)
    )
    if recording_id is None or not lock_row(session, recording_id):
        return None
    return session.scalars(
        select(RecordingRun)
        .where(RecordingRun.id == run_id)
        .options(lazyload("*"))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def _class_of(row: RecordingRun) -> int:
    return lock_class(Phase(row.phase), platform_of(row))
