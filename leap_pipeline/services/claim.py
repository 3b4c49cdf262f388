"""Taking a piece of work for this process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.states import Phase, Platform, RunState, Stage
from leap_pipeline.errors import AlreadyRunning, InputError, Superseded
from leap_pipeline.services.liveness import WorkLock, let_go_when_frozen, lock_class
from leap_pipeline.services.moves import move_run
from leap_pipeline.services.planning import why_refused
from leap_pipeline.services.projection import lock_recording
from leap_pipeline.services.quotas import count_task
from leap_pipeline.services.reconcile import put_back
from leap_pipeline.services.runs import force_stage, live_run, new_run, platform_of, requeue
from leap_pipeline.services.work import Work, scratch_prefix
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.paths import RecordingPaths

LOCK_WAIT_SECONDS = 3.0


@dataclass(frozen=True)
class Token:
    """The run token that a launch carries: a run row and its generation when it was queued."""

    run_id: int
    generation: int


def claim(
    database: Database,
    storage: LocalStorage,
    recording_id: int,
    *,
    phase: Phase,
    platform: Platform | None = None,
    token: Token | None = None,
    force: Stage | None = None,
    dagster_run_id: str | None = None,
    requested_by: str = "dagster",
) -> Work:
    """Take a piece of work for this process.

    A launch made by LEAP carries its `token`; a run that a person started in Dagster has none and
    gets a row of its own. Raises `AlreadyRunning` where another worker lives, `Superseded` where
    the token is out of date, `QuotaExceeded` where the owner's plan does not allow such a run.
    `force` redoes a stage and all that uses its result.
    """
    user_id, slug = _owner(database, recording_id)
    lock = WorkLock(database.lock_connection(), lock_class(phase, platform), recording_id)
    try:
        if not lock.acquire(LOCK_WAIT_SECONDS):
            msg = f"Recording {recording_id} is being processed by another worker."
            raise AlreadyRunning(msg)
        with database.tenant(user_id) as session:
            let_go_when_frozen(session)
            row, adopted = _row_to_claim(
                session, recording_id, phase, platform, token, requested_by
            )
            if force is not None and token is None and _may_begin(session, row):
                force_stage(session, recording_id, force)
                row.forced_from = force
                session.flush()
            if row.started_at is None:  # a run counts once, however many workers it takes
                count_task(session, user_id, datetime.now(UTC))
            values = {
                "attempts": RecordingRun.attempts + 1,
                "generation": RecordingRun.generation + 1,
                "dagster_run_id": dagster_run_id,
                "started_at": func.coalesce(RecordingRun.started_at, func.now()),
                "reason": None,
            }
            move_run(session, row.id, RunState.RUNNING, values)
            session.refresh(row)
            run_id, generation = row.id, row.generation
        # What an earlier worker left here it can no longer put in place, should it wake up.
        storage.sweep_scratch(scratch_prefix(recording_id, phase, platform))
    except BaseException:
        lock.release()
        raise
    return Work(
        database=database,
        storage=storage,
        recording_id=recording_id,
        user_id=user_id,
        paths=RecordingPaths(slug, recording_id),
        phase=phase,
        platform=platform,
        run_id=run_id,
        generation=generation,
        lock=lock,
        adopted=adopted,
    )


def _owner(database: Database, recording_id: int) -> tuple[str, int]:
    with database.system() as session:
        found = session.execute(
            select(User.id, User.user_slug)
            .join(Recording, Recording.user_id == User.id)
            .where(Recording.id == recording_id)
        ).one_or_none()
    if found is None:
        msg = f"There is no recording {recording_id} with an owner: check its number."
        raise InputError(msg)
    return found[0], found[1]


def _may_begin(session: Session, row: RecordingRun) -> bool:
    """What is refused is not reset either; each asset of the run then says why it is left out."""
    locked = lock_recording(session, row.recording_id)
    return why_refused(session, locked, Phase(row.phase), platform_of(row)) is None


def _row_to_claim(
    session: Session,
    recording_id: int,
    phase: Phase,
    platform: Platform | None,
    token: Token | None,
    requested_by: str,
) -> tuple[RecordingRun, bool]:
    """The row, locked, and whether it was taken from the queue without having its token."""
    locked = lock_recording(session, recording_id)
    row = live_run(session, recording_id, phase, platform)
    if token is not None:
        known = row is not None and (row.id, row.generation) == (token.run_id, token.generation)
        if row is None or not known or row.state != RunState.QUEUED:
            msg = f"This launch of recording {recording_id} is out of date: a newer one has it."
            raise Superseded(msg)
        return row, False
    if row is None:
        return new_run(session, locked, phase, platform, requested_by), False
    if row.state == RunState.RUNNING:
        put_back(session, row)  # the lock is ours, so whoever ran it is dead
    elif row.state == RunState.WAITING:
        requeue(session, row)
    return row, True
