"""Which queued rows become runs of Dagster, and which recordings are queued by themselves.

Rows wait here, in the database, and only a few of each user's stand in Dagster's queue: what the
user may have running, and a little more. So a thousand queued recordings of one user hold up
nobody, and a plan that is changed counts for all that still waits here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Update, func, select, update
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.fair_shares import Claimant, fair_shares
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.planner import Asset, Plan
from leap_pipeline.domain.shapes.processing import ProcessingConfig
from leap_pipeline.domain.states import Phase, Platform, RunState
from leap_pipeline.errors import DataError, QuotaExceeded, TransientError, UserActionError
from leap_pipeline.services.candidates import ready_unscheduled
from leap_pipeline.services.concurrency import concurrency_limits
from leap_pipeline.services.failing import fail_next
from leap_pipeline.services.liveness import wait_little
from leap_pipeline.services.planning import ensure_stages, processing_config
from leap_pipeline.services.projection import lock_recording, refresh_status
from leap_pipeline.services.runs import (
    end_run,
    lock_run,
    platform_of,
    request_run,
    requeue,
    settle_plan,
)

BATCH = 16
READY_BATCH, READY_PER_USER = 50, 10
LOOK_AHEAD = 2
STANDING = 100
"""Rows of all users that Dagster was asked for and has not begun."""
LOCK_WAIT_SECONDS = 2
PASSED_OVER = 3
REFUSED_FOR = timedelta(minutes=5)
BY_ITSELF = "new recording"


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
class Launched:
    """What one pass did: runs to ask for, rows that ended without one or were passed over."""

    launches: list[Launch] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    passed_over: list[int] = field(default_factory=list)


@dataclass
class Queued:
    """Recordings that were queued, could not be planned, or have no room in their user's plan."""

    recordings: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


@dataclass
class Refusals:
    """Users whose plan has no room now, and until when they are not asked about again."""

    until: dict[str, datetime] = field(default_factory=dict)

    def at(self, now: datetime) -> set[str]:
        self.until = {user: until for user, until in self.until.items() if until > now}
        return set(self.until)


def launch(database: Database, *, now: datetime, slots: int) -> Launched:
    """One bounded pass over the rows that nobody has asked Dagster for.

    `slots` is how many runs of recordings may go on at once.
    """
    found = Launched()

    def ask(run_id: int) -> None:
        made = launch_or_end(database, run_id, now)
        if isinstance(made, Launch):
            found.launches.append(made)
        elif made is not None:
            found.ended.append(run_id)

    for_each(found.passed_over, _next_rows(database, now, slots), ask)
    return found


def queue_ready(database: Database, *, now: datetime, refusals: Refusals) -> Queued:
    """Queue recordings that have become ready and that no schedule of their owner fetches.

    A user whose plan refused is left alone for minutes, and costs nothing meanwhile.
    """
    found = Queued()
    with database.system() as session:
        ready = ready_unscheduled(session, READY_BATCH, READY_PER_USER, without=refusals.at(now))
    for user_id, recording_id in ready:
        if user_id in refusals.until:
            continue
        try:
            with database.system() as session:
                wait_little(session, LOCK_WAIT_SECONDS)
                request_run(session, recording_id, requested_by=BY_ITSELF)
            found.recordings.append(recording_id)
        except QuotaExceeded as refusal:
            refusals.until[user_id] = now + REFUSED_FOR
            found.refused[user_id] = str(refusal)
        except TransientError:
            continue  # busy just now
        except (UserActionError, DataError) as error:
            # It says so itself, and is not tried again and again.
            if _fail_recording(database, recording_id, str(error)):
                found.failed.append(recording_id)
    return found


def launch_now(database: Database, run_id: int, now: datetime) -> Launch | None:
    """A queued row as a launch for this very process; None where nothing is left to do.

    A launch of it that is under way becomes void.
    """
    found = launch_or_end(database, run_id, now, anew=True)
    return found if isinstance(found, Launch) else None


def launch_or_end(
    database: Database, run_id: int, now: datetime, *, anew: bool = False
) -> Launch | RunState | None:
    """A queued row as a launch, or the state in which it ended; None where it is left alone.

    One that was asked for before is left alone, or with `anew` gets a new token.
    """
    try:
        return _launch(database, run_id, now, anew=anew)
    except (UserActionError, DataError) as error:  # of this recording alone: others go on
        return _cannot_launch(database, run_id, str(error))


def for_each(passed_over: list[int], run_ids: Iterable[int], step: Callable[[int], None]) -> None:
    """Passes over a row that another transaction holds; several of those end the pass."""
    for run_id in run_ids:
        if len(passed_over) >= PASSED_OVER:
            return
        try:
            step(run_id)
        except TransientError:
            passed_over.append(run_id)


def _next_rows(database: Database, now: datetime, slots: int) -> list[int]:
    """The rows to ask for, users in turn and each user's oldest first; three statements."""
    with database.system() as session:
        crowd, standing = _crowd(session, now, slots)
        shares = fair_shares(crowd, min(BATCH, STANDING - standing))
        served = {user_id: share for user_id, share in shares.items() if share}
        if not served:
            return []
        place = func.row_number().over(partition_by=RecordingRun.user_id, order_by=RecordingRun.id)
        placed = (
            select(RecordingRun.id, RecordingRun.user_id, place.label("place"))
            .where(
                RecordingRun.state == RunState.QUEUED,
                RecordingRun.requested_at.is_(None),
                RecordingRun.user_id.in_(served),
            )
            .subquery()
        )
        rows = session.execute(
            select(placed.c.place, placed.c.user_id, placed.c.id).where(
                placed.c.place <= max(served.values())
            )
        ).all()
    held = {each.user_id: each.running for each in crowd}
    turns = sorted(
        (held[user_id] + place, user_id, run_id)
        for place, user_id, run_id in rows
        if place <= served[user_id]
    )
    return [run_id for _, _, run_id in turns]


def _crowd(session: Session, now: datetime, slots: int) -> tuple[list[Claimant], int]:
    """Every user with a row that waits, and how many rows stand in Dagster's queue."""
    unasked = (RecordingRun.state == RunState.QUEUED) & RecordingRun.requested_at.is_(None)
    running = RecordingRun.state == RunState.RUNNING
    counts = session.execute(
        select(
            RecordingRun.user_id,
            func.count().filter(running),
            func.count().filter(~running & ~unasked),
            func.count().filter(unasked),
            func.min(RecordingRun.updated_at).filter(unasked),
            func.max(RecordingRun.requested_at),
        )
        .where(RecordingRun.state.in_([str(RunState.QUEUED), str(RunState.RUNNING)]))
        .group_by(RecordingRun.user_id)
    ).all()
    waiting = [row for row in counts if row[3]]
    limits = concurrency_limits(session, [row[0] for row in waiting], now) if waiting else {}
    crowd = [
        Claimant(user_id, live + asked, queued, _at_once(limits[user_id], slots), since, served)
        for user_id, live, asked, queued, since, served in waiting
    ]
    return crowd, sum(row[2] for row in counts)


def _at_once(limit: int | None, slots: int) -> int:
    """How many of a user's rows may run or stand in Dagster's queue."""
    most = slots if limit is None else min(limit, slots)
    return most + LOOK_AHEAD if most > 0 else 0


def _launch(
    database: Database, run_id: int, now: datetime, *, anew: bool
) -> Launch | RunState | None:
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
        row = lock_run(session, run_id)
        if row is None or row.state != RunState.QUEUED:
            return None
        if row.requested_at is not None:
            if not anew:
                return None  # another pass has just asked for it
            requeue(session, row)
        locked = lock_recording(session, row.recording_id)
        ensure_stages(session, locked)
        plan = settle_plan(session, locked, Phase(row.phase), platform_of(row))
        if not plan.selection:
            wanted = RunState.CANCELLED if plan.refused else RunState.DONE
            end_run(session, row, wanted, plan.refused)
            return wanted
        selection = [str(asset) for asset in plan.selection]
        session.execute(_asked(row.id, now).values(selection=selection))
        return _as_launch(session, row, plan, processing_config(session, locked))


def _cannot_launch(database: Database, run_id: int, reason: str) -> RunState | None:
    """End a queued row that cannot be planned, and say so on its recording."""
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
        row = lock_run(session, run_id)
        if row is None or row.state != RunState.QUEUED:
            return None
        locked = lock_recording(session, row.recording_id)
        ensure_stages(session, locked)
        fail_next(session, locked, platform_of(row), reason)
        end_run(session, row, RunState.FAILED, reason)
        return RunState.FAILED


def _fail_recording(database: Database, recording_id: int, reason: str) -> bool:
    """FAILED without a row: it was never queued; False where somebody else has it by now."""
    with database.system() as session:
        wait_little(session, LOCK_WAIT_SECONDS)
        locked = lock_recording(session, recording_id)
        live = session.scalar(
            select(RecordingRun.id).where(RecordingRun.recording_id == recording_id).limit(1)
        )
        if live is not None or locked.recording.deleted:
            return False
        ensure_stages(session, locked)
        fail_next(session, locked, None, reason)
        refresh_status(session, recording_id)
        return True


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
