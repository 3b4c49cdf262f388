"""Claiming a firing, and asking Dagster for its run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import dagster as dg

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.domain.due_times import Interval, latest_due
from leap_pipeline.errors import LeapError
from leap_pipeline.services.automation_rows import FiredBy
from leap_pipeline.services.firings import Claimed, NotDue, Refusal, claim
from leap_pipeline.settings import load_settings
from resources.leap import JOB_TAG

# Not `leap/user`, which is the limit of a user's recordings.
FIRING_TAG, OWNER_TAG, DUE_TAG = "leap/firing", "leap/owner", "leap/due"
JOB = "automation_tick"
Asked = dg.RunRequest | dg.SkipReason
# Asked again, these say something else.
_PASSING = (Refusal.STILL_RUNNING, Refusal.TOO_EARLY, Refusal.PASSED_OVER)


@contextmanager
def open_database() -> Iterator[Database]:
    """One tick's database, for several short transactions."""
    database = Database(resolve(load_settings()), pooled=True)
    try:
        yield database
    finally:
        database.dispose()


def ask(job_id: int, due_at: datetime, fired_by: FiredBy) -> Asked:
    """Claim a due time for its run; whoever comes second is told why there is none.

    A database that cannot be asked is no failure of the tick: the dispatcher takes the firing.
    """
    try:
        with open_database() as database:
            found = claim_one(database, job_id, due_at, fired_by)
    except LeapError as error:
        return dg.SkipReason(str(error))
    return request_of(found) if isinstance(found, Claimed) else dg.SkipReason(found.reason)


def ask_newest(context: dg.SensorEvaluationContext, job_id: int, interval: Interval) -> Asked:
    """Claim the newest due time of an interval. The cursor holds the last one that is settled."""
    now = datetime.now(UTC)
    due_at = latest_due(interval, now, interval.anchored_at)
    if due_at is None or context.cursor == due_at.isoformat():
        return dg.SkipReason(f"Due next at {_next(interval, due_at):%Y-%m-%d %H:%M:%S} UTC.")
    try:
        with open_database() as database:
            found = claim_one(database, job_id, due_at, FiredBy.SENSOR, now)
    except LeapError as error:
        return dg.SkipReason(str(error))
    if isinstance(found, NotDue):
        if found.code not in _PASSING:
            context.update_cursor(due_at.isoformat())
        return dg.SkipReason(found.reason)
    context.update_cursor(due_at.isoformat())
    return request_of(found)


def claim_one(
    database: Database,
    job_id: int,
    due_at: datetime,
    fired_by: FiredBy,
    now: datetime | None = None,
) -> Claimed | NotDue:
    """`now` is the moment for which `due_at` was found to be the newest."""
    with database.system() as session:
        return claim(session, job_id, due_at, fired_by, now=now)


def request_of(claimed: Claimed) -> dg.RunRequest:
    """A run of the tick job; a firing that is asked for again has another key."""
    return dg.RunRequest(
        run_key=f"{claimed.firing_id}:{claimed.attempts}",
        job_name=JOB,
        tags={
            JOB_TAG: str(claimed.job_id),
            FIRING_TAG: str(claimed.firing_id),
            OWNER_TAG: claimed.user_id,
            DUE_TAG: claimed.due_at.astimezone(UTC).isoformat(),
        },
    )


def _next(interval: Interval, due_at: datetime | None) -> datetime:
    return ((due_at or interval.anchored_at) + interval.step).astimezone(UTC)
