"""A user's automations as a page lists them, and a schedule before it is saved.

What the plan says is read once for a page of jobs, not once a job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.db.models.users import User
from leap_pipeline.db.repositories.catalogue import AutomationJobs
from leap_pipeline.domain.due_times import said, upcoming
from leap_pipeline.domain.quotas import Entitlement
from leap_pipeline.errors import InputError
from leap_pipeline.services.automation_rows import is_live, schedule_of, surplus_sentence
from leap_pipeline.services.jobs import (
    SCHEDULE_COLUMNS,
    count_enabled,
    plan_refusal,
    schedule_in,
)
from leap_pipeline.services.quotas import entitlement

JOBS = 20
NEXT_TIMES = 5


@dataclass(frozen=True)
class JobLine:
    """A job in a list; `problem` says why it does not fire though it is switched on."""

    row: AutomationJob
    schedule: str
    next: datetime | None
    problem: str | None
    is_running: bool


@dataclass(frozen=True)
class JobPage:
    """Jobs by name, the cursor of those after them, and what the plan allows of how many are on."""

    items: tuple[JobLine, ...]
    after: str | None
    plan: Entitlement
    enabled: int


@dataclass(frozen=True)
class Planned:
    """A schedule that is not saved yet; `refusal` says why the owner's plan does not take it."""

    said: str
    next: tuple[datetime, ...]
    refusal: str | None


def job_page(
    session: Session, user_id: str, now: datetime, *, after: str | None = None, limit: int = JOBS
) -> JobPage:
    """A page of the session's user's jobs, with their template, in a handful of statements."""
    jobs = AutomationJobs(session)
    page = jobs.page(after=after, limit=limit)
    owner, given = session.get_one(User, user_id), entitlement(session, user_id, now)
    ranks = _ranks(session, user_id)
    running = _running(session, [row.id for row in page.items])
    lines = tuple(
        _line(row, owner, given, ranks.get(row.id, 0), now, is_running=row.id in running)
        for row in page.items
    )
    return JobPage(lines, page.after, given, len(ranks))


def is_job_running(session: Session, job_id: int) -> bool:
    """Does a firing of the job wait to begin, or run?"""
    return bool(_running(session, [job_id]))


def plan_schedule(
    session: Session,
    user_id: str,
    values: Mapping[str, Any],
    now: datetime,
    *,
    job_id: int | None = None,
    enabled: bool = True,
    beyond_plan: bool = False,
) -> Planned:
    """What the columns of a schedule mean, before they are saved on a job, or on a new one.

    Raises `InputError` with the name of the column, and `NotFound`.
    """
    row = AutomationJobs(session).require(job_id) if job_id is not None else None
    owner = session.get_one(User, user_id)
    columns = {**dict.fromkeys(SCHEDULE_COLUMNS), **values}
    same = row is not None and all(getattr(row, name) == columns[name] for name in SCHEDULE_COLUMNS)
    anchor = row.anchored_at if row is not None and same else now
    schedule = schedule_in(columns, owner.timezone, anchor)
    # A job that is there is switched on or paused elsewhere: saving it takes no place of the plan.
    on = enabled if row is None else bool(row.enabled)
    others = count_enabled(session, user_id) if on and row is None else 0
    # A job that is on already keeps its place and its schedule.
    kept = same and row is not None and bool(row.enabled)
    given = entitlement(session, user_id, now)
    refusal = (
        None
        if kept
        else plan_refusal(given, schedule if on else None, others, beyond_plan=beyond_plan)
    )
    return Planned(said(schedule), tuple(upcoming(schedule, now, NEXT_TIMES)), refusal)


def _line(
    row: AutomationJob,
    owner: User,
    given: Entitlement,
    older: int,
    now: datetime,
    *,
    is_running: bool,
) -> JobLine:
    problem = None if owner.is_active else "Its owner is not active."
    told, due = "?", None
    try:
        schedule = schedule_of(row, owner.timezone)
        told = said(schedule)
        if row.enabled:
            due = upcoming(schedule, now, 1)[0]
            problem = problem or surplus_sentence(given, older)
    except InputError as error:
        problem = str(error)
    return JobLine(row, told, None if problem else due, problem, is_running)


def _ranks(session: Session, user_id: str) -> dict[int, int]:
    """The jobs that are switched on, each with how many of them are older."""
    query = (
        select(AutomationJob.id)
        .where(AutomationJob.user_id == user_id, AutomationJob.enabled.is_(True))
        .order_by(AutomationJob.created_at, AutomationJob.id)
    )
    return {job_id: older for older, job_id in enumerate(session.scalars(query))}


def _running(session: Session, job_ids: Sequence[int]) -> set[int]:
    query = select(AutomationFiring.job_id).where(AutomationFiring.job_id.in_(job_ids), is_live())
    return set(session.scalars(query)) if job_ids else set()
