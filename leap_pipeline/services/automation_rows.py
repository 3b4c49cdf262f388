"""Jobs and firings as rows: what claims, runs and cares for them share."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select, update
from sqlalchemy.orm import Session

from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.db.models.celery import CeleryBeatScheduleEntry
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.due_times import Schedule, parse
from leap_pipeline.domain.identity import job_name
from leap_pipeline.domain.quotas import Entitlement
from leap_pipeline.domain.shapes.accounts import FiringCounts
from leap_pipeline.services.quotas import entitlement

_SCHEDULE_COLUMNS = (
    "schedule_type",
    "crontab_minute",
    "crontab_hour",
    "crontab_day_of_month",
    "crontab_month_of_year",
    "crontab_day_of_week",
    "interval_every",
    "interval_period",
    "anchored_at",
    "timezone",
)
DONE, FAILED, REFUSED = "done", "failed", "refused"  # `automation_jobs.last_run_status`


class FiringState(StrEnum):
    CLAIMED = "claimed"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


LIVE = (FiringState.CLAIMED, FiringState.RUNNING)


class FiredBy(StrEnum):
    SCHEDULE = "schedule"
    SENSOR = "sensor"
    DISPATCHER = "dispatcher"
    PERSON = "person"


def schedule_of(job: AutomationJob | Row[Any], owner_timezone: str | None) -> Schedule:
    """A job's schedule in its own zone or else its owner's; raises `InputError`."""
    values = tuple(getattr(job, name, None) for name in _SCHEDULE_COLUMNS)
    return _parsed(values, owner_timezone)


@lru_cache(16_384)
def _parsed(values: tuple[Any, ...], owner_timezone: str | None) -> Schedule:
    """The dispatcher asks for thousands again and again."""
    columns = dict(zip(_SCHEDULE_COLUMNS, values, strict=True))
    return parse({**columns, "timezone": columns["timezone"] or owner_timezone})


def jobs_with_owner(job_id: int | None = None) -> Select[Any]:
    """Jobs with what of their owner counts."""
    query = select(
        *AutomationJob.__table__.columns,
        User.is_active.label("owner_is_active"),
        User.timezone.label("owner_timezone"),
        User.user_slug,
    ).join(User, User.id == AutomationJob.user_id)
    return query if job_id is None else query.where(AutomationJob.id == job_id)


def lock_job(session: Session, job_id: int) -> Row[Any] | None:
    """The job with what of its owner counts; its row stays locked, which firings do not need."""
    query = jobs_with_owner(job_id).with_for_update(of=AutomationJob, key_share=True)
    return session.execute(query).first()


def surplus(session: Session, job: AutomationJob | Row[Any], now: datetime) -> str | None:
    """Why the owner's plan does not have this job, the oldest first; None where it has."""
    given = entitlement(session, job.user_id, now)
    allowed = given.limits.automation_jobs
    if allowed is None:
        return None
    other = AutomationJob
    older = session.scalar(
        select(func.count(other.id)).where(
            other.user_id == job.user_id,
            other.enabled.is_(True),
            other.id != job.id,
            (other.created_at < job.created_at)
            | ((other.created_at == job.created_at) & (other.id < job.id)),
        )
    )
    return surplus_sentence(given, older or 0)


def surplus_sentence(given: Entitlement, older: int) -> str | None:
    """Why a plan does not have a job beside `older` ones that are on; None where it has."""
    allowed = given.limits.automation_jobs
    if allowed is None or older < allowed:
        return None
    if allowed == 0:
        return f"The {given.plan} plan has no automations: ask an admin to raise the limit."
    return (
        f"The {given.plan} plan has {allowed} automations that are switched on, and {older} of "
        "yours are older than this one: switch one of them off, or ask an admin to raise the limit."
    )


def is_live() -> ColumnElement[bool]:
    return AutomationFiring.state.in_([str(state) for state in LIVE])


def live_due(session: Session, job_id: int) -> datetime | None:
    return session.scalar(
        select(func.max(AutomationFiring.due_at)).where(
            AutomationFiring.job_id == job_id, is_live()
        )
    )


def lock_firing(session: Session, firing_id: int) -> AutomationFiring | None:
    """The firing with its job's row locked before its own."""
    job_id = session.scalar(select(AutomationFiring.job_id).where(AutomationFiring.id == firing_id))
    if job_id is None:
        return None
    session.execute(
        select(AutomationJob.id).where(AutomationJob.id == job_id).with_for_update(key_share=True)
    )
    return session.scalars(
        select(AutomationFiring)
        .where(AutomationFiring.id == firing_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def close_firing(
    session: Session,
    firing: AutomationFiring,
    state: FiringState,
    now: datetime,
    *,
    error: str | None = None,
    counts: FiringCounts | None = None,
) -> None:
    firing.state = state
    firing.finished_at = now
    firing.error = error
    if counts is not None:
        firing.counts = counts.model_dump(mode="json")
    session.flush()


def tell_job(
    session: Session, firing: AutomationFiring, status: str, now: datetime, error: str | None
) -> None:
    """How the last run went, on the job; that it ran, on Celery's entry. A dry run is none."""
    if firing.dry_run:
        return
    ran_at = firing.started_at or now
    session.execute(
        update(AutomationJob)
        .where(AutomationJob.id == firing.job_id)
        .values(last_run_at=ran_at, last_run_status=status, last_run_error=error)
    )
    if status == REFUSED:
        return
    slug = session.scalar(select(User.user_slug).where(User.id == firing.user_id))
    entry = CeleryBeatScheduleEntry
    session.execute(
        update(entry)
        .where(entry.name == job_name(slug or 0, firing.job_id))
        .values(last_run_at=ran_at, total_run_count=func.coalesce(entry.total_run_count, 0) + 1)
    )
