"""Quotas: what a user may use, and what is counted of it.

Counts stand in `quota_usage`, one row a user and month in UTC. Whoever counts locks that row, last
of all locks, and decides under its lock, so that at a limit of 10 twenty at once let ten through.
A new month's row begins at 0 with the storage that is in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import Numeric, cast, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.runs import StoredObject
from leap_pipeline.db.models.subscriptions import QuotaUsage, SubscriptionPlan, UserSubscription
from leap_pipeline.domain.quotas import (
    FREE,
    GB,
    PER_RECORDING,
    Entitlement,
    Limits,
    PayAsYouGo,
    forecast,
    next_month,
    period_of,
    recordings_refusal,
    storage_refusal,
    stored_gb,
    to_cents,
)
from leap_pipeline.domain.states import SubscriptionState, subscription_state
from leap_pipeline.errors import DataError, QuotaExceeded
from leap_pipeline.services.audit import SYSTEM, record

OVERAGE = "quota.overage"
# Field of `Limits` → its column in a plan, and the user's own in a subscription.
COLUMNS = {
    "recordings_per_month": ("included_recordings_per_month", "custom_max_recordings_per_month"),
    "storage_gb": ("included_storage_gb", "custom_max_storage_gb"),
    "concurrent_tasks": ("max_concurrent_tasks", "custom_max_concurrent_tasks"),
    "automation_jobs": ("max_automation_jobs", "custom_max_automation_jobs"),
    "min_interval_hours": (
        "min_automation_interval_hours",
        "custom_min_automation_interval_hours",
    ),
}


@dataclass(frozen=True)
class Month:
    """What was used in one month; `period` is `YYYYMM`, `cost` in dollars and whole cents.

    `overage` units and their cost are those that were recorded when they were begun, whatever
    became of the plan since.
    """

    period: str
    recordings: int
    storage_gb: Decimal
    tasks: int
    automation_runs: int
    overage: int
    cost: Decimal


@dataclass(frozen=True)
class Usage:
    """The running month against what the user has; the counts begin anew at `resets_at`."""

    entitlement: Entitlement
    month: Month
    resets_at: datetime
    recordings_forecast: int


def entitlement(session: Session, user_id: str, at: datetime) -> Entitlement:
    """The user's plan, limits and pay-as-you-go at a moment; without a subscription, Free."""
    own = session.scalars(
        select(UserSubscription).where(UserSubscription.user_id == user_id)
    ).one_or_none()
    if own is None or not _counts(own, at):
        return Entitlement(FREE, _limits(free_plan(session)))
    overrides = {field: getattr(own, column) for field, (_, column) in COLUMNS.items()}
    limits = _limits(own.plan).overridden(overrides)
    return Entitlement(own.plan.name, limits, _pay_as_you_go(own))


def effective_limits(session: Session, user_id: str, at: datetime) -> Limits:
    """The user's own limit where there is one (0 is a value), else the plan's."""
    return entitlement(session, user_id, at).limits


def count_recording(session: Session, user_id: str, recording_id: int, at: datetime) -> None:
    """Count one recording, or raise `QuotaExceeded`; one that is paid by the unit is recorded."""
    given, usage = entitlement(session, user_id, at), lock_usage(session, user_id, at)
    used = usage.recordings_count or 0
    refusal = recordings_refusal(given, used, at)
    if refusal is not None:
        raise QuotaExceeded(refusal)
    usage.recordings_count = used + 1
    session.flush()
    if given.pay_as_you_go is not None and given.is_paid(used + 1):
        paid = {"period": usage.period, "price": str(given.pay_as_you_go.price)}
        record(session, SYSTEM, OVERAGE, "recording", recording_id, owner_id=user_id, after=paid)


def count_task(session: Session, user_id: str, at: datetime) -> None:
    """Count one run of a piece of work."""
    usage = lock_usage(session, user_id, at)
    usage.tasks_run_count = (usage.tasks_run_count or 0) + 1
    session.flush()


def count_automation_run(session: Session, user_id: str, at: datetime) -> None:
    """Count one run of an automation job."""
    usage = lock_usage(session, user_id, at)
    usage.automation_runs_count = (usage.automation_runs_count or 0) + 1
    session.flush()


def require_storage(session: Session, user_id: str, more: int, at: datetime) -> None:
    """Raise `QuotaExceeded` where `more` bytes find no room.

    The month's row stays locked, so that two files at once cannot both take the last of it.
    """
    lock_usage(session, user_id, at)
    _refuse_storage(session, user_id, stored_bytes(session, user_id), more, at)


def require_room(session: Session, user_id: str, at: datetime) -> None:
    """Raise `QuotaExceeded` where the storage is full, by the sum that was last taken."""
    usage = lock_usage(session, user_id, at)
    _refuse_storage(session, user_id, int((usage.storage_used_gb or 0) * GB), 1, at)


def refresh_storage(session: Session, user_id: str, at: datetime) -> int:
    """Set the month's storage from the sum of what is stored; the bytes."""
    # The lock comes before the sum: whoever waits for it sees what the one before has stored.
    usage = lock_usage(session, user_id, at)
    found = stored_bytes(session, user_id)
    usage.storage_used_gb = stored_gb(found)
    session.flush()
    return found


def stored_bytes(session: Session, user_id: str) -> int:
    return int(
        session.scalar(
            select(func.coalesce(func.sum(StoredObject.bytes), 0)).where(
                StoredObject.user_id == user_id
            )
        )
        or 0
    )


def lock_usage(session: Session, user_id: str, at: datetime) -> QuotaUsage:
    """The month's row, made where there is none, locked until the transaction ends."""
    session.flush()
    statement = (
        select(QuotaUsage)
        .where(QuotaUsage.user_id == user_id, QuotaUsage.period == period_of(at))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = session.scalars(statement).one_or_none()
    if found is not None:
        return found
    in_use = stored_gb(stored_bytes(session, user_id))
    session.execute(
        insert(QuotaUsage)
        .values(user_id=user_id, period=period_of(at), storage_used_gb=in_use)
        .on_conflict_do_nothing()
    )
    return session.scalars(statement).one()


def usage_of(
    session: Session, user_id: str, at: datetime, *, months: Sequence[Month] | None = None
) -> Usage:
    """The running month; changes nothing. For a transaction of the system, as is `history`: the
    recorded overage stands in the audit log, which is not a tenant's to read. `months` are those
    that were read already.
    """
    period = period_of(at)
    known = history(session, user_id, 1) if months is None else months
    month = next((each for each in known if each.period == period), None)
    if month is None:
        in_use = stored_gb(stored_bytes(session, user_id))
        month = Month(period, 0, in_use, 0, 0, 0, Decimal("0.00"))
    given = entitlement(session, user_id, at)
    return Usage(given, month, next_month(at), forecast(month.recordings, at))


def history(session: Session, user_id: str, months: int = 12) -> list[Month]:
    """The newest months, newest first."""
    rows = session.scalars(
        select(QuotaUsage)
        .where(QuotaUsage.user_id == user_id)
        .order_by(QuotaUsage.period.desc())
        .limit(months)
    ).all()
    paid = _paid(session, user_id)
    return [
        Month(
            row.period,
            row.recordings_count or 0,
            row.storage_used_gb or Decimal("0.00"),
            row.tasks_run_count or 0,
            row.automation_runs_count or 0,
            *paid.get(row.period, (0, Decimal("0.00"))),
        )
        for row in rows
    ]


def _paid(session: Session, user_id: str) -> dict[str, tuple[int, Decimal]]:
    """The recorded overage of each month: recordings, and dollars in whole cents."""
    period = AuditEntry.after["period"].astext
    price = cast(AuditEntry.after["price"].astext, Numeric(10, 4))
    rows = session.execute(
        select(period, func.count(), func.sum(price))
        .where(AuditEntry.owner_id == user_id, AuditEntry.action == OVERAGE)
        .group_by(period)
    )
    return {row[0]: (row[1], to_cents(row[2])) for row in rows}


def _counts(own: UserSubscription, at: datetime) -> bool:
    state = subscription_state(own.starts_at, own.expires_at, at)
    return state is SubscriptionState.ACTIVE


def _limits(plan: SubscriptionPlan) -> Limits:
    return Limits(**{field: getattr(plan, column) for field, (column, _) in COLUMNS.items()})


def _pay_as_you_go(own: UserSubscription) -> PayAsYouGo | None:
    price = own.plan.overage_price_per_unit
    if (
        not own.pay_as_you_go_enabled
        or price is None
        or own.plan.overage_unit_type != PER_RECORDING
    ):
        return None
    return PayAsYouGo(price, own.pay_as_you_go_monthly_limit)


def free_plan(session: Session) -> SubscriptionPlan:
    found = session.scalars(
        select(SubscriptionPlan).where(SubscriptionPlan.name == FREE)
    ).one_or_none()
    if found is None:
        msg = f"There is no plan named {FREE}, which counts for users without one: add it again."
        raise DataError(msg)
    return found


def _refuse_storage(session: Session, user_id: str, used: int, more: int, at: datetime) -> None:
    refusal = storage_refusal(entitlement(session, user_id, at), used, more)
    if refusal is not None:
        raise QuotaExceeded(refusal)
