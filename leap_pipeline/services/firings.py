"""Firings: each time that a job was due is one row, which whoever fires it claims.

A job never runs twice at once: while one firing of it lives, the next due times wait, and once it
has ended the newest of them counts (`due_jobs`), as after any stretch that nobody was there for.
Whoever needs several locks takes the job's row first, the firing's after it, and the month's usage
last.

A claimed row is asked for in Dagster at once by its claimant (`requested_at` says when), or, where
a person fired it or its run was lost (`requested_at` is NULL), by whoever calls `to_request`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import Row, Select, exists, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.due_times import Schedule, count_due, is_due, latest_due, next_due
from leap_pipeline.domain.shapes.accounts import FiringCounts
from leap_pipeline.errors import AlreadyRunning, InputError, NotFound, QuotaExceeded
from leap_pipeline.redaction import redact
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.automation_rows import (
    DONE,
    FAILED,
    LIVE,
    REFUSED,
    FiredBy,
    FiringState,
    close_firing,
    is_live,
    jobs_with_owner,
    live_due,
    lock_firing,
    lock_job,
    schedule_of,
    surplus,
    tell_job,
)
from leap_pipeline.services.quotas import count_automation_run


class Refusal(StrEnum):
    """Why a claim was refused; the last four are everyday."""

    NO_JOB = "no job"
    SWITCHED_OFF = "switched off"
    OWNER_INACTIVE = "owner inactive"
    UNREADABLE = "unreadable"
    OFF_GRID = "off grid"
    BEFORE_ARMED = "before armed"
    TOO_EARLY = "too early"
    PASSED_OVER = "passed over"
    STILL_RUNNING = "still running"
    CLAIMED = "claimed"


@dataclass(frozen=True)
class Claimed:
    """A firing that is the caller's to run; `missed` due times before it were passed over."""

    firing_id: int
    job_id: int
    user_id: str
    user_slug: int
    due_at: datetime
    missed: int
    attempts: int = 0


@dataclass(frozen=True)
class NotDue:
    code: Refusal
    reason: str


@dataclass(frozen=True)
class Begun:
    """What a run of a firing does; `source_ids` of () are all sources of the owner."""

    firing_id: int
    job_id: int
    user_id: str
    name: str
    job_type: str
    template_id: int | None
    source_ids: tuple[int, ...]
    due_at: datetime
    dry_run: bool
    missed: int


def claim(
    session: Session, job_id: int, due_at: datetime, fired_by: str, *, now: datetime | None = None
) -> Claimed | NotDue:
    """Take one due time of a job; of many who try, one gets it. For the system's scope."""
    now = now or datetime.now(UTC)
    job = lock_job(session, job_id)
    refused = _why_not(session, job, due_at, now)
    if refused is not None or job is None:
        return refused or NotDue(Refusal.NO_JOB, f"There is no automation {job_id}.")
    before = max(_last_due(session, job_id) or job.armed_at, job.armed_at)
    missed = count_due(schedule_of(job, job.owner_timezone), before, due_at) - 1
    firing_id = session.scalar(
        insert(AutomationFiring)
        .values(
            user_id=job.user_id,
            job_id=job_id,
            due_at=due_at,
            state=FiringState.CLAIMED,
            fired_by=fired_by,
            missed=max(missed, 0),
            requested_at=now,
        )
        .on_conflict_do_nothing(constraint="uq_automation_firings_due")
        .returning(AutomationFiring.id)
    )
    if firing_id is None:
        return _claimed_before(due_at)
    return Claimed(firing_id, job_id, job.user_id, job.user_slug, due_at, max(missed, 0))


def due_jobs(
    session: Session, now: datetime, grace: timedelta, limit: int | None = None
) -> list[tuple[int, datetime]]:
    """The jobs that nobody has fired though they are due since `grace`, each with its newest time.

    Longest overdue first. Jobs that cannot be read are left out: `leap jobs list` says why.
    """
    last = _last_claim().lateral("last")
    living = exists().where(is_live(), AutomationFiring.job_id == AutomationJob.id)
    rows = session.execute(
        jobs_with_owner()
        .add_columns(last.c.due_at.label("last_due"))
        .join(last, true(), isouter=True)
        .where(AutomationJob.enabled.is_(True), User.is_active, ~living)
    )
    found: list[tuple[datetime, int, datetime]] = []
    for job in rows:
        after = max(job.last_due or job.armed_at, job.armed_at)
        try:
            schedule = schedule_of(job, job.owner_timezone)
            first = _first_due(schedule, after)
            due = latest_due(schedule, now, after) if first <= now - grace else None
        except InputError:
            continue
        if due is not None:
            found.append((first, job.id, due))
    return [(job_id, due) for _, job_id, due in sorted(found)[:limit]]


@lru_cache(32_768)
def _first_due(schedule: Schedule, after: datetime) -> datetime:
    """The same on every turn until the job fires or changes."""
    return next_due(schedule, after)


def run_now(
    session: Session, job_id: int, *, dry_run: bool, actor: Actor, now: datetime | None = None
) -> int:
    """Fire a job by hand, switched off or not; the firing's id.

    Raises `AlreadyRunning`, and `QuotaExceeded` where the owner's plan does not have the job.
    """
    now = now or datetime.now(UTC)
    job = lock_job(session, job_id)
    if job is None:
        msg = f"There is no automation {job_id}."
        raise NotFound(msg)
    if live_due(session, job_id) is not None:
        msg = f"Automation {job_id} is running already: wait for it."
        raise AlreadyRunning(msg)
    refused = None if dry_run else surplus(session, job, now)
    if refused is not None:
        raise QuotaExceeded(refused)
    firing = AutomationFiring(
        user_id=job.user_id,
        job_id=job_id,
        due_at=now,
        state=FiringState.CLAIMED,
        fired_by=FiredBy.PERSON,
        dry_run=dry_run,
    )
    session.add(firing)
    session.flush()
    told = {"firing": firing.id, "dry_run": dry_run}
    record(session, actor, "job.run", "job", job_id, owner_id=job.user_id, after=told)
    return firing.id


def to_request(session: Session, now: datetime, limit: int = 100) -> list[Claimed]:
    """The firings that wait for somebody to ask Dagster for their run: it is the caller now.

    A run key is of the firing's id and `attempts`.
    """
    waiting = (
        select(AutomationFiring.id)
        .where(
            AutomationFiring.state == FiringState.CLAIMED, AutomationFiring.requested_at.is_(None)
        )
        .order_by(AutomationFiring.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = session.execute(
        update(AutomationFiring)
        .where(AutomationFiring.id.in_(waiting), AutomationFiring.user_id == User.id)
        .values(requested_at=now)
        .returning(
            AutomationFiring.id,
            AutomationFiring.job_id,
            AutomationFiring.user_id,
            User.user_slug,
            AutomationFiring.due_at,
            AutomationFiring.missed,
            AutomationFiring.attempts,
        )
    )
    return sorted((Claimed(*row) for row in rows), key=lambda each: each.firing_id)


def begin(
    session: Session, firing_id: int, dagster_run_id: str, *, now: datetime | None = None
) -> Begun | None:
    """Start a claimed firing, in the run that asks; None where it is not to be run.

    The owner's plan, the owner and the switch are looked at now; who is refused finds the reason on
    the firing and the job. Counts the automation run, a dry one not.
    """
    now = now or datetime.now(UTC)
    firing = lock_firing(session, firing_id)
    if firing is None or firing.state != FiringState.CLAIMED:
        return None
    job = session.execute(jobs_with_owner(firing.job_id)).one()
    refused = _why_refused(session, job, firing, now)
    if refused is not None:
        close_firing(session, firing, FiringState.FAILED, now, error=refused)
        tell_job(session, firing, REFUSED, now, refused)
        return None
    if firing.started_at is None and not firing.dry_run:
        count_automation_run(session, firing.user_id, now)
    firing.state = FiringState.RUNNING
    firing.dagster_run_id = dagster_run_id
    firing.started_at = firing.started_at or now
    session.flush()
    return Begun(
        firing_id,
        job.id,
        job.user_id,
        job.name,
        job.job_type,
        job.template_id,
        tuple(job.source_ids or ()),
        firing.due_at,
        firing.dry_run,
        firing.missed,
    )


def finish(
    session: Session,
    firing_id: int,
    counts: FiringCounts,
    error: str | None = None,
    *,
    dagster_run_id: str | None = None,
    now: datetime | None = None,
) -> bool:
    """End a firing: how it went, on the job and on Celery's entry too.

    False where it is not running, or, with `dagster_run_id`, not in that run: nothing is written
    then. An error of a firing that was never begun ends it as well.
    """
    now = now or datetime.now(UTC)
    firing = lock_firing(session, firing_id)
    if firing is None or firing.state not in LIVE:
        return False
    if firing.state == FiringState.CLAIMED and error is None:
        return False
    if dagster_run_id is not None and firing.dagster_run_id not in (None, dagster_run_id):
        return False
    said = redact(error) if error is not None else None
    state = FiringState.DONE if said is None else FiringState.FAILED
    close_firing(session, firing, state, now, error=said, counts=counts)
    tell_job(session, firing, DONE if said is None else FAILED, now, said)
    return True


def _why_not(
    session: Session, job: Row[Any] | None, due_at: datetime, now: datetime
) -> NotDue | None:
    if job is None:
        return None
    if not job.enabled:
        return NotDue(Refusal.SWITCHED_OFF, f"Automation {job.id} is switched off.")
    if not job.owner_is_active:
        return NotDue(Refusal.OWNER_INACTIVE, f"The owner of automation {job.id} is not active.")
    return _why_not_then(job, due_at, now) or _why_not_again(session, job, due_at)


def _why_not_then(job: Row[Any], due_at: datetime, now: datetime) -> NotDue | None:
    try:
        schedule = schedule_of(job, job.owner_timezone)
    except InputError as error:
        return NotDue(Refusal.UNREADABLE, f"Automation {job.id} has no schedule: {error}")
    at = f"Automation {job.id} is not due at {due_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if due_at > now:
        return NotDue(Refusal.TOO_EARLY, f"{at}: that is still to come.")
    if due_at <= job.armed_at:
        return NotDue(
            Refusal.BEFORE_ARMED, f"{at}: since then it was switched on or its schedule changed."
        )
    if not is_due(schedule, due_at):
        return NotDue(Refusal.OFF_GRID, f"{at} by its schedule.")
    newer = latest_due(schedule, now, due_at)
    if newer is None:
        return None
    return NotDue(
        Refusal.PASSED_OVER,
        f"{at} any more: it was due again at {newer:%Y-%m-%d %H:%M:%S} UTC, which counts for both.",
    )


def _why_not_again(session: Session, job: Row[Any], due_at: datetime) -> NotDue | None:
    live = live_due(session, job.id)
    last = _last_due(session, job.id)
    if last is not None and last >= due_at:
        return _claimed_before(due_at)
    if live is None:
        return None
    return NotDue(
        Refusal.STILL_RUNNING,
        f"Automation {job.id} still runs since {live:%Y-%m-%d %H:%M:%S} UTC: it is due after that.",
    )


def _claimed_before(due_at: datetime) -> NotDue:
    at = due_at.astimezone(UTC)
    return NotDue(Refusal.CLAIMED, f"{at:%Y-%m-%d %H:%M:%S} UTC was claimed already.")


def _why_refused(
    session: Session, job: Row[Any], firing: AutomationFiring, now: datetime
) -> str | None:
    if not job.owner_is_active:
        return "Its owner is not active."
    if not job.enabled and firing.fired_by != FiredBy.PERSON:
        return "It was switched off before it began."
    return None if firing.dry_run else surplus(session, job, now)


def _last_claim() -> Select[Any]:
    """The newest due time of a job that was claimed; what a person fired is beside the schedule."""
    return (
        select(AutomationFiring.due_at)
        .where(
            AutomationFiring.job_id == AutomationJob.id,
            AutomationFiring.fired_by != FiredBy.PERSON,
        )
        .order_by(AutomationFiring.due_at.desc())
        .limit(1)
        .correlate(AutomationJob)
    )


def _last_due(session: Session, job_id: int) -> datetime | None:
    return session.scalar(
        select(func.max(AutomationFiring.due_at)).where(
            AutomationFiring.job_id == job_id, AutomationFiring.fired_by != FiredBy.PERSON
        )
    )
