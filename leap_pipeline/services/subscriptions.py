"""Who has which plan: changes by admins, and the end of what has expired.

Each change is a row of `quota_change_history` with the values that differ, and an audit entry.
All of it happens in transactions of the system: a tenant reads subscriptions and writes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import String, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.subscriptions import QuotaChange, SubscriptionPlan, UserSubscription
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Rights, Role, require_admin
from leap_pipeline.domain.quotas import PER_RECORDING, ChangeType, plan_change, to_cents
from leap_pipeline.domain.states import SUBSCRIPTION_MOVES, SubscriptionState, subscription_state
from leap_pipeline.errors import InputError
from leap_pipeline.services.audit import SYSTEM, Actor, record
from leap_pipeline.services.quotas import COLUMNS, free_plan

LARGEST = 2**31 - 1
MOST_DOLLARS = Decimal(10) ** 8
_OVERRIDES = tuple(column for _, column in COLUMNS.values())
_KEPT = ("starts_at", "expires_at", "pay_as_you_go_enabled", "pay_as_you_go_monthly_limit")


def plans(session: Session, *, offered: bool = False) -> list[SubscriptionPlan]:
    """All plans in their order; only `offered` ones for a user who chooses: inactive ones stay
    with those who have them, and can be assigned by an admin.
    """
    statement = select(SubscriptionPlan).order_by(SubscriptionPlan.sort_order, SubscriptionPlan.id)
    if offered:
        statement = statement.where(SubscriptionPlan.is_active.is_(True))
    return list(session.scalars(statement))


def assign_plan(
    session: Session,
    user_id: str,
    plan: str,
    *,
    actor: Actor,
    at: datetime,
    reason: str | None = None,
    notes: str | None = None,
    starts_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> bool:
    """Give a user a plan from `starts_at` (default: now) to `expires_at` (default: no end).

    The user's own limits stay. False where that is what the user has. Raises `InputError`.
    """
    own = _to_change(session, user_id, actor, at)
    wanted = _plan(session, plan)
    old, old_order = _snapshot(own), own.plan.sort_order or 0
    if wanted.id != own.plan_id or starts_at is not None:
        _require_dates(own, starts_at or at, expires_at, at)
        own.starts_at = starts_at or at
    else:
        _require_dates(own, own.starts_at, expires_at, at)
    own.plan_id, own.plan, own.expires_at = wanted.id, wanted, expires_at
    kind = plan_change(old_order, wanted.sort_order or 0)
    return _write(session, own, kind, old, actor, reason, notes)


def set_overrides(
    session: Session,
    user_id: str,
    own_limits: Mapping[str, int | None],
    *,
    actor: Actor,
    at: datetime,
    reason: str | None = None,
    notes: str | None = None,
) -> bool:
    """Give a user limits of their own, by the names of `Limits`; None goes back to the plan's.

    False where nothing changes. Raises `InputError`.
    """
    own = _to_change(session, user_id, actor, at)
    old = _snapshot(own)
    for name, value in own_limits.items():
        if name not in COLUMNS:
            msg = f"There is no limit “{name}”: use {', '.join(COLUMNS)}."
            raise InputError(msg)
        if value is not None and not 0 <= value <= LARGEST:
            msg = f"{value} cannot be the limit {name}: give a number from 0 to {LARGEST}."
            raise InputError(msg)
        setattr(own, COLUMNS[name][1], value)
    return _write(session, own, ChangeType.CUSTOM_QUOTA_OVERRIDE, old, actor, reason, notes)


def set_pay_as_you_go(
    session: Session,
    user_id: str,
    *,
    enabled: bool,
    monthly_limit: Decimal | None,
    actor: Actor,
    at: datetime,
    reason: str | None = None,
    notes: str | None = None,
) -> bool:
    """Switch pay-as-you-go; `monthly_limit` in dollars, None = no ceiling.

    False where nothing changes. Raises `InputError`, also where the plan sells nothing.
    """
    own = _to_change(session, user_id, actor, at)
    if monthly_limit is not None and not 0 <= monthly_limit < MOST_DOLLARS:
        msg = f"{monthly_limit} cannot be a monthly limit: give dollars from 0 to {MOST_DOLLARS}."
        raise InputError(msg)
    sells = own.plan.overage_unit_type == PER_RECORDING and own.plan.overage_price_per_unit
    if enabled and not sells:
        msg = f"The {own.plan.name} plan sells no recordings past its limit: assign another first."
        raise InputError(msg)
    old = _snapshot(own)
    own.pay_as_you_go_enabled = enabled
    own.pay_as_you_go_monthly_limit = None if monthly_limit is None else to_cents(monthly_limit)
    return _write(session, own, ChangeType.PAY_AS_YOU_GO_CHANGE, old, actor, reason, notes)


def expire_subscriptions(database: Database, at: datetime, *, dry_run: bool = False) -> list[str]:
    """Put the users whose subscriptions have expired on Free, each once; their ids."""
    with database.system() as session:
        due = select(UserSubscription.user_id).where(UserSubscription.expires_at <= at)
        found = list(session.scalars(due.order_by(UserSubscription.user_id)))
    if dry_run:
        return found
    expired = []
    for user_id in found:
        with database.system() as session:
            own = _locked(session, user_id)
            if own is not None and _expire(session, own, at):
                expired.append(user_id)
    return expired


def changes(session: Session, user_id: str, limit: int = 50) -> list[QuotaChange]:
    """The newest changes of a user's plan and limits, newest first."""
    return list(
        session.scalars(
            select(QuotaChange)
            .where(QuotaChange.user_id == user_id)
            .order_by(QuotaChange.created_at.desc(), QuotaChange.id.desc())
            .limit(limit)
        )
    )


def _to_change(session: Session, user_id: str, actor: Actor, at: datetime) -> UserSubscription:
    """The user's subscription, locked, made where there is none, and ended where it expired."""
    if actor.id is not None:
        found = session.execute(
            select(User.role).where(User.id == actor.id, User.is_active.is_(True))
        ).scalar_one_or_none()
        require_admin(Rights(Role(found or Role.USER)))
    own = _locked(session, user_id)
    if own is None:
        _make(session, user_id, actor, at)
        own = _locked(session, user_id)
    if own is None:
        msg = f"There is no user {user_id}: check the id."
        raise InputError(msg)
    _expire(session, own, at)
    return own


def _make(session: Session, user_id: str, actor: Actor, at: datetime) -> None:
    columns = ("user_id", "plan_id", "starts_at", "created_by")
    user = select(
        User.id, literal(free_plan(session).id), literal(at), literal(actor.id, String)
    ).where(User.id == user_id)
    session.execute(insert(UserSubscription).from_select(columns, user).on_conflict_do_nothing())


def _locked(session: Session, user_id: str) -> UserSubscription | None:
    return session.scalars(
        select(UserSubscription)
        .where(UserSubscription.user_id == user_id)
        .options(lazyload("*"))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def _plan(session: Session, name: str) -> SubscriptionPlan:
    known = plans(session)
    found = next((plan for plan in known if plan.name.lower() == name.lower()), None)
    if found is None:
        msg = f"There is no plan {name}: there are {', '.join(plan.name for plan in known)}."
        raise InputError(msg)
    return found


def _require_dates(
    own: UserSubscription, starts_at: datetime, expires_at: datetime | None, at: datetime
) -> None:
    if expires_at is not None and expires_at <= starts_at:
        msg = f"A plan cannot end at {expires_at} when it starts at {starts_at}: give a later end."
        raise InputError(msg)
    now = subscription_state(own.starts_at, own.expires_at, at)
    then = subscription_state(starts_at, expires_at, at)
    if then is SubscriptionState.EXPIRED or then not in (now, *SUBSCRIPTION_MOVES[now]):
        msg = (
            f"A plan that is {now} cannot be made one that is {then}: give a start that is not "
            "later than now, and an end that is."
        )
        raise InputError(msg)


def _snapshot(own: UserSubscription) -> dict[str, Any]:
    """The subscription as JSON takes it: times in ISO 8601, money as text."""
    values = {name: getattr(own, name) for name in (*_OVERRIDES, *_KEPT)}
    shown = {
        name: value.isoformat()
        if isinstance(value, datetime)
        else str(value)
        if isinstance(value, Decimal)
        else value
        for name, value in values.items()
    }
    return {"plan": own.plan.name, **shown}


def _expire(session: Session, own: UserSubscription, at: datetime) -> bool:
    if subscription_state(own.starts_at, own.expires_at, at) is not SubscriptionState.EXPIRED:
        return False
    old, free = _snapshot(own), free_plan(session)
    own.plan_id, own.plan = free.id, free
    own.starts_at, own.expires_at = max(own.starts_at, own.expires_at or at), None
    own.pay_as_you_go_enabled, own.pay_as_you_go_monthly_limit = False, None
    for column in _OVERRIDES:
        setattr(own, column, None)
    ended = f"It ended at {old['expires_at']}."
    return _write(session, own, ChangeType.EXPIRY, old, SYSTEM, ended, None)


def _write(
    session: Session,
    own: UserSubscription,
    kind: ChangeType,
    old: Mapping[str, Any],
    actor: Actor,
    reason: str | None,
    notes: str | None,
) -> bool:
    new = _snapshot(own)
    names = [name for name in new if new[name] != old[name]]
    if notes is not None:
        own.notes = notes
    if not names:
        session.flush()
        return False
    before, after = {name: old[name] for name in names}, {name: new[name] for name in names}
    own.modified_by = actor.id
    session.add(
        QuotaChange(
            user_id=own.user_id,
            admin_user_id=actor.id,
            change_type=kind,
            old_value=before,
            new_value=after,
            reason=reason,
        )
    )
    session.flush()
    record(
        session,
        actor,
        f"quota.{kind}",
        "user",
        own.user_id,
        owner_id=own.user_id,
        before=before,
        after=after,
    )
    return True
