"""What Dagster's runs and LEAP's rows have to know of each other's ends.

A worker writes its outcome itself. Here is what it could not write, because it was killed, or died
before its work began; and which runs of Dagster are void because their row was taken from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.states import RunState
from leap_pipeline.services.liveness import firing_key, living
from leap_pipeline.services.reconcile import Asked, Ended, launch_ended, put_back_if_dead

# So long a worker may take to notice by itself, and to end its run.
GRACE = timedelta(seconds=10)
# So long a run may take from its start to the claim of its work; after that it is dead.
CLAIM_PATIENCE = timedelta(minutes=2)

Token = tuple[int, int]
"""A run row and its generation when it was launched."""


@dataclass(frozen=True)
class Standing:
    """A run that waits in Dagster's queue, or goes on since it was begun.

    No token where a person launched it; `firing` where it is the tick of a job.
    """

    dagster_run_id: str
    token: Token | None = None
    begun_at: datetime | None = None
    firing: int | None = None


def run_ended(
    database: Database,
    dagster_run_id: str,
    token: Token | None,
    ended: Ended,
    *,
    now: datetime,
    max_attempts: int,
) -> int | None:
    """Write what the worker of an ended run could not; the row that was changed.

    A run that lost its work to another, or never got it, has no row here, and changes nothing.
    """
    with database.system() as session:
        claimed = session.scalar(
            select(RecordingRun.id).where(
                RecordingRun.dagster_run_id == dagster_run_id,
                RecordingRun.state == RunState.RUNNING,
            )
        )
    if claimed is not None:
        done = put_back_if_dead(database, claimed, max_attempts=max_attempts, ended=ended)
        return claimed if done else None
    if token is None:
        return None
    asked = Asked(*token, requested_at=now)
    done = launch_ended(database, asked, ended, max_attempts=max_attempts)
    return asked.run_id if done else None


def void_runs(database: Database, standing: Sequence[Standing], *, now: datetime) -> list[str]:
    """The runs of Dagster whose work is not, or no longer, theirs.

    It was cancelled, another has it by now, or their worker died together with the code server
    that would have noticed: Dagster would keep their slots for ever.
    """
    if not standing:
        return []
    tokens = {each.dagster_run_id: each.token for each in standing if each.token}
    with database.system() as session:
        rows = session.scalars(
            select(RecordingRun)
            .where(
                or_(
                    RecordingRun.id.in_({row for row, _ in tokens.values()}),
                    RecordingRun.dagster_run_id.in_([each.dagster_run_id for each in standing]),
                )
            )
            .options(lazyload("*"))
        ).all()
        alive = living(session) if any(each.firing is not None for each in standing) else set()
    by_id, by_run = {row.id: row for row in rows}, {row.dagster_run_id: row for row in rows}

    def is_void(each: Standing) -> bool:
        if each.firing is not None:
            return _overslept(each, now) and firing_key(each.firing) not in alive
        if each.token is not None:
            return _has_lost(each, by_id.get(each.token[0]), now)
        row = by_run.get(each.dagster_run_id)
        return _overslept(each, now) if row is None else _has_lost(each, row, now)

    return [each.dagster_run_id for each in standing if is_void(each)]


def _overslept(run: Standing, now: datetime) -> bool:
    return run.begun_at is not None and run.begun_at < now - CLAIM_PATIENCE


def _has_lost(run: Standing, row: RecordingRun | None, now: datetime) -> bool:
    if row is None:
        return True  # its recording is gone
    if run.begun_at is not None and row.updated_at > now - GRACE:
        return False
    if row.state == RunState.RUNNING:
        return row.dagster_run_id != run.dagster_run_id
    if row.state == RunState.QUEUED and run.token is not None:
        return row.generation != run.token[1]
    return True
