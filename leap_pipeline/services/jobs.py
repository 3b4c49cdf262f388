"""Automation jobs as people change them: rights asked, plan limits kept, acts noted.

A plan's `max_automation_jobs` counts the jobs that are switched on, when one is, and again when one
fires (`services.automation_rows.surplus`). `min_automation_interval_hours` is held against the
shortest gap that a schedule really has, on the wall clock; an admin may set a shorter one, which
stays until somebody else changes the schedule or switches the job on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.db.models.users import User
from leap_pipeline.db.repositories.catalogue import AutomationJobs
from leap_pipeline.domain.crontab_fields import FIELDS
from leap_pipeline.domain.due_times import Schedule, parse, said, shortest_gap, upcoming
from leap_pipeline.domain.identity import job_name
from leap_pipeline.domain.permissions import require_admin
from leap_pipeline.domain.quotas import Entitlement
from leap_pipeline.domain.wall_clock import zone_of
from leap_pipeline.errors import InputError, QuotaExceeded
from leap_pipeline.services import firings
from leap_pipeline.services.automation_rows import schedule_of, surplus
from leap_pipeline.services.catalogue import note_change
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.quotas import entitlement, lock_usage

JOB_TYPES = ("sync_and_process", "process_recordings")
SCHEDULE_COLUMNS = (
    "schedule_type",
    "timezone",
    "interval_every",
    "interval_period",
    *(field.column for field in FIELDS),
)
_OF_KIND = {
    "crontab": tuple(field.column for field in FIELDS),
    "interval": ("interval_every", "interval_period"),
}
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class JobView:
    """A job as lists show it; `next` are its next due times, none where it is switched off.

    `problem` says why it does not fire though it is switched on: a schedule that cannot be read, or
    a plan that does not have it.
    """

    id: int
    dagster_name: str
    user: str
    name: str
    description: str | None
    job_type: str
    schedule: str
    timezone: str
    template_id: int | None
    source_ids: tuple[int, ...]
    enabled: bool
    next: tuple[datetime, ...]
    problem: str | None
    last_run_at: datetime | None
    last_run_status: str | None
    last_run_error: str | None


def create_job(
    session: Session, editor: Editor, *, beyond_plan: bool = False, **values: Any
) -> AutomationJob:
    """A new job of the session's user.

    Raises `InputError` for values that cannot be saved, and `QuotaExceeded` where the owner's plan
    has no room for it or no schedule so close; `beyond_plan` is an admin's word for the latter.
    """
    jobs = AutomationJobs(session)
    given = _settled({"enabled": True, "source_ids": [], **values})
    row = jobs.create(**given)
    _require_schedule(session, row)
    _require_allowed(session, editor, row, beyond_plan=beyond_plan, switched=True, moved=True)
    session.refresh(row)
    note_change(session, editor, "job.create", row, None, given)
    return row


def update_job(
    session: Session,
    editor: Editor,
    job_id: int,
    *,
    unchanged_since: datetime | None = None,
    unchanged: Mapping[str, Any] | None = None,
    beyond_plan: bool = False,
    **values: Any,
) -> AutomationJob:
    """Change a job; a new schedule counts from now. Raises as `create_job`, and `StaleChange`.

    Each run moves `updated_at`, so a person's `unchanged` are the columns as they were seen.
    """
    jobs = AutomationJobs(session)
    before = jobs.require(job_id)
    given = _settled(values)
    was = {name: getattr(before, name, None) for name in given}
    was_on, schedule = bool(before.enabled), _schedule_columns(before)
    row = jobs.update(job_id, unchanged_since=unchanged_since, unchanged=unchanged, **given)
    moved = _schedule_columns(row) != schedule
    switched = bool(row.enabled) and not was_on
    if moved or switched:
        _require_schedule(session, row)
    _require_allowed(
        session, editor, row, beyond_plan=beyond_plan, switched=switched, moved=moved or switched
    )
    note_change(session, editor, "job.update", row, was, given)
    return row


def enable_job(
    session: Session, editor: Editor, job_id: int, *, beyond_plan: bool = False
) -> AutomationJob:
    """Switch a job on, in its old phase: what was due meanwhile is not made up for."""
    return update_job(session, editor, job_id, beyond_plan=beyond_plan, enabled=True)


def disable_job(session: Session, editor: Editor, job_id: int) -> AutomationJob:
    """Switch a job off; a firing that runs goes on to its end."""
    return update_job(session, editor, job_id, enabled=False)


def delete_job(session: Session, editor: Editor, job_id: int) -> None:
    """Delete a job with its history; what it launched goes on."""
    jobs = AutomationJobs(session)
    row = jobs.require(job_id)
    note_change(session, editor, "job.delete", row, {"name": row.name}, {})
    jobs.delete(job_id)


def run_job(session: Session, editor: Editor, job_id: int, *, dry_run: bool = False) -> int:
    """Fire a job by hand; the firing's id. Raises as `services.firings.run_now`."""
    AutomationJobs(session).require(job_id)
    return firings.run_now(session, job_id, dry_run=dry_run, actor=editor.actor)


def next_times(session: Session, job_id: int, number: int, after: datetime) -> list[datetime]:
    """The next due times of a job, switched on or not; raises `InputError` for its schedule."""
    row = AutomationJobs(session).require(job_id)
    return upcoming(schedule_of(row, _owner(session, row).timezone), after, number)


def job_history(session: Session, job_id: int, limit: int = 20) -> list[AutomationFiring]:
    """A job's newest firings, the newest first."""
    AutomationJobs(session).require(job_id)
    return list(
        session.scalars(
            select(AutomationFiring)
            .where(AutomationFiring.job_id == job_id)
            .order_by(AutomationFiring.due_at.desc())
            .limit(limit)
        )
    )


def view_job(session: Session, job_id: int, now: datetime, *, times: int = 1) -> JobView:
    """A job as it is shown, with its next due times."""
    return _view(session, AutomationJobs(session).require(job_id), now, times)


def list_jobs(
    session: Session, now: datetime, *, of: str | None = None, times: int = 1
) -> list[JobView]:
    """The jobs in the session's scope, oldest first; `of` narrows the system's to one user."""
    return [_view(session, row, now, times) for row in AutomationJobs(session, of).all()]


def _view(session: Session, row: AutomationJob, now: datetime, times: int) -> JobView:
    owner = _owner(session, row)
    problem = None if owner.is_active else "Its owner is not active."
    told, due = "?", []
    try:
        schedule = schedule_of(row, owner.timezone)
        told = said(schedule)
        due = upcoming(schedule, now, times) if row.enabled else []
        if row.enabled:
            problem = problem or surplus(session, row, now)
    except InputError as error:
        problem = str(error)
    return JobView(
        row.id,
        job_name(owner.user_slug, row.id),
        owner.email,
        row.name,
        row.description,
        row.job_type,
        told,
        row.timezone or owner.timezone,
        row.template_id,
        tuple(row.source_ids or ()),
        bool(row.enabled),
        () if problem else tuple(due),
        problem,
        row.last_run_at,
        row.last_run_status,
        row.last_run_error,
    )


def _settled(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with the columns of the other kind of schedule emptied."""
    given = dict(values)
    if "job_type" in given and given["job_type"] not in JOB_TYPES:
        msg = f"`job_type` is “{given['job_type']}”: it must be one of {', '.join(JOB_TYPES)}."
        raise InputError(msg)
    if "name" in given and not str(given["name"] or "").strip():
        msg = "An automation needs a name."
        raise InputError(msg)
    if given.get("timezone") is not None:
        zone_of(given["timezone"])
    kind = given.get("schedule_type")
    for other in {"crontab", "interval"} - {kind} if kind in _OF_KIND else ():
        given |= dict.fromkeys(_OF_KIND[other])
    return given


def schedule_in(columns: Mapping[str, Any], owner_timezone: str, anchor: datetime) -> Schedule:
    """The schedule of columns that are to be saved; raises `InputError` with a column's name."""
    zone = columns["timezone"] or owner_timezone
    return parse({**columns, "timezone": zone, "anchored_at": anchor})


def _require_schedule(session: Session, row: AutomationJob) -> Schedule:
    zone = _owner(session, row).timezone
    return schedule_in(_schedule_columns(row), zone, datetime.now(UTC))


def _require_allowed(
    session: Session,
    editor: Editor,
    row: AutomationJob,
    *,
    beyond_plan: bool,
    switched: bool,
    moved: bool,
) -> None:
    """Raise `QuotaExceeded` where the owner's plan does not allow what is asked for."""
    if beyond_plan:
        require_admin(editor.rights)
    if not (switched or moved):
        return
    now = datetime.now(UTC)
    given = entitlement(session, row.user_id, now)
    schedule = _require_schedule(session, row) if row.enabled else None
    if switched and row.enabled and given.limits.automation_jobs:
        # Of two who switch on their last one at once, one waits here and counts the other's.
        lock_usage(session, row.user_id, now)
    others = count_enabled(session, row.user_id, but=row.id) if switched and row.enabled else 0
    refused = plan_refusal(given, schedule, others, beyond_plan=beyond_plan)
    if refused is not None:
        raise QuotaExceeded(refused)


def count_enabled(session: Session, user_id: str, *, but: int | None = None) -> int:
    """How many of a user's jobs are switched on, one of them left out."""
    query = select(func.count(AutomationJob.id)).where(
        AutomationJob.user_id == user_id, AutomationJob.enabled.is_(True)
    )
    return session.scalar(query.where(AutomationJob.id != but) if but else query) or 0


def plan_refusal(
    given: Entitlement, schedule: Schedule | None, others: int, *, beyond_plan: bool = False
) -> str | None:
    """Why a plan does not take a job beside `others` that are switched on; None where it does.

    A `schedule` of None is a job that stays switched off.
    """
    allowed, least = given.limits.automation_jobs, given.limits.min_interval_hours
    if allowed == 0:
        return f"The {given.plan} plan has no automations: ask an admin to raise the limit."
    if schedule is None:
        return None
    if allowed is not None and others >= allowed:
        return (
            f"The {given.plan} plan has {allowed} automations that are switched on, and {others} "
            "are: switch one of them off, or ask an admin to raise the limit."
        )
    gap = shortest_gap(schedule)
    if least is not None and not beyond_plan and gap < least * _HOUR:
        return (
            f"The {given.plan} plan has automations at least {least} h apart, and this one is due "
            f"{_in_words(gap)} after another: choose a longer gap, or ask an admin to set it."
        )
    return None


def _schedule_columns(row: AutomationJob) -> dict[str, Any]:
    return {name: getattr(row, name) for name in SCHEDULE_COLUMNS}


def _owner(session: Session, row: AutomationJob) -> User:
    return session.get_one(User, row.user_id)


def _in_words(gap: timedelta) -> str:
    hours, rest = divmod(int(gap.total_seconds()), 3600)
    minutes, seconds = divmod(rest, 60)
    parts = ((hours, "h"), (minutes, "min"), (seconds, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)
