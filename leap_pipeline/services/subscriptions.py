"""Who has which plan: changes by admins, and the end of what has expired.

Each change is a row of `quota_change_history` and an audit entry. A subscription that has expired
keeps its row, so that it can be renewed with the limits it had; until then Free applies. All of it
happens in transactions of the system: a tenant reads subscriptions and writes none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import String, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.subscriptions import QuotaChange, SubscriptionPlan, UserSubscription
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Rights, require_admin
from leap_pipeline.domain.quotas import PER_RECORDING, ChangeType, plan_change, to_cents
from leap_pipeline.domain.shapes.registry import validate_column
from leap_pipeline.domain.states import SUBSCRIPTION_MOVES, SubscriptionState, subscription_state
from leap_pipeline.errors import InputError, StaleChange
from leap_pipeline.services.audit import SYSTEM, Actor, record, redacted
from leap_pipeline.services.quotas import COLUMNS, free_plan
from leap_pipeline.services.users import rights_of

LARGEST = 2**31 - 1
MOST_DOLLARS = Decimal(10) ** 8


@dataclass(frozen=True)
class Change:
    """Who changes, when and why; `notes` replace those of the subscription, None keeps them."""

    actor: Actor
    at: datetime
    reason: str | None = None
    notes: str | None = None


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
    change: Change,
    starts_at: datetime | None = None,
    expires_at: datetime | None = None,
    unchanged: Mapping[str, Any] | None = None,
) -> bool:
    """Give a user a plan from `starts_at` to `expires_at` (default: from now on, without an end).

    The user's own limits stay. `unchanged` are columns of the subscription as the admin saw them.
    False where that is what the user has. Raises `InputError`, and `StaleChange`.
    """
    own = _to_change(session, user_id, change)
    _require_unchanged(own, unchanged)
    _note_expiry(session, own, change.at)
    state, old, begun = _state(own, change.at), _plan_value(own), own.starts_at
    before = own.plan if state is SubscriptionState.ACTIVE else free_plan(session)
    wanted = _plan(session, plan)
    if starts_at is not None or wanted.id != before.id:
        own.starts_at = starts_at or change.at
    _require_dates(state, own.starts_at, expires_at, change.at)
    own.plan_id, own.plan, own.expires_at = wanted.id, wanted, expires_at
    if (_plan_value(own), own.starts_at) == (old, begun):
        return False
    kind = plan_change(before.sort_order or 0, wanted.sort_order or 0)
    _write(session, own, kind, old, _plan_value(own), change)
    return True


def set_overrides(
    session: Session,
    user_id: str,
    own_limits: Mapping[str, int | None],
    *,
    change: Change,
    unchanged: Mapping[str, int | None] | None = None,
) -> bool:
    """Give a user limits of their own, by the names of `Limits`; None goes back to the plan's.

    `unchanged` are those that the admin saw. False where nothing changes. Raises `InputError`, and
    `StaleChange` where somebody else changed them meanwhile.
    """
    wanted = {}
    for name, value in own_limits.items():
        if name not in COLUMNS:
            msg = f"There is no limit “{name}”: use {', '.join(COLUMNS)}."
            raise InputError(msg)
        if value is not None and not 0 <= value <= LARGEST:
            msg = f"{value} cannot be the limit {name}: give a number from 0 to {LARGEST}."
            raise InputError(msg)
        wanted[COLUMNS[name][1]] = value
    seen = {COLUMNS[name][1]: value for name, value in (unchanged or {}).items()}
    return _set(session, user_id, ChangeType.CUSTOM_QUOTA_OVERRIDE, wanted, change, seen)


def set_pay_as_you_go(
    session: Session,
    user_id: str,
    *,
    enabled: bool,
    monthly_limit: Decimal | None,
    change: Change,
    unchanged: Mapping[str, Any] | None = None,
) -> bool:
    """Switch pay-as-you-go; `monthly_limit` in dollars, None = no ceiling.

    `unchanged` are columns of the subscription as the admin saw them. False where nothing changes.
    Raises `InputError`, also where the plan sells nothing, and `StaleChange`.
    """
    if monthly_limit is not None and not 0 <= monthly_limit < MOST_DOLLARS:
        msg = f"{monthly_limit} cannot be a monthly limit: give dollars from 0 to {MOST_DOLLARS}."
        raise InputError(msg)
    plan = _to_change(session, user_id, change).plan
    if enabled and (plan.overage_unit_type != PER_RECORDING or plan.overage_price_per_unit is None):
        msg = f"The {plan.name} plan sells no recordings past its limit: assign another one first."
        raise InputError(msg)
    wanted = {
        "pay_as_you_go_enabled": enabled,
        "pay_as_you_go_monthly_limit": None if monthly_limit is None else to_cents(monthly_limit),
    }
    return _set(session, user_id, ChangeType.PAY_AS_YOU_GO_CHANGE, wanted, change, unchanged)


def expire_subscriptions(database: Database, at: datetime, *, dry_run: bool = False) -> list[str]:
    """Write into the history which subscriptions have expired, each once; the users' ids."""
    noted = select(QuotaChange.id).where(
        QuotaChange.user_id == UserSubscription.user_id,
        QuotaChange.change_type == ChangeType.EXPIRY,
        QuotaChange.created_at >= UserSubscription.expires_at,
    )
    with database.system() as session:
        due = select(UserSubscription.user_id).where(
            UserSubscription.expires_at <= at, ~noted.exists()
        )
        found = list(session.scalars(due.order_by(UserSubscription.user_id)))
    if dry_run:
        return found
    expired = []
    for user_id in found:
        with database.system() as session:
            own = _locked(session, user_id)
            if own is not None and _note_expiry(session, own, at):
                expired.append(user_id)
    return expired


def subscription(session: Session, rights: Rights, user_id: str) -> UserSubscription | None:
    """What an admin gave the user, whether it counts at the moment or not."""
    require_admin(rights)
    return session.scalars(
        select(UserSubscription).where(UserSubscription.user_id == user_id)
    ).one_or_none()


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


def _set(
    session: Session,
    user_id: str,
    kind: ChangeType,
    wanted: Mapping[str, Any],
    change: Change,
    unchanged: Mapping[str, Any] | None,
) -> bool:
    own = _to_change(session, user_id, change)
    _require_unchanged(own, unchanged)
    if _state(own, change.at) is SubscriptionState.EXPIRED:
        msg = f"The user's {own.plan.name} plan expired at {own.expires_at}: assign a plan first."
        raise InputError(msg)
    old = {name: getattr(own, name) for name in wanted if getattr(own, name) != wanted[name]}
    if not old:
        return False
    new = {name: wanted[name] for name in old}
    for name, value in new.items():
        setattr(own, name, value)
    _write(session, own, kind, old, new, change)
    return True


def _to_change(session: Session, user_id: str, change: Change) -> UserSubscription:
    """The user's subscription, locked; made, on Free, where there is none."""
    actor = change.actor
    if actor.id is not None:
        acting = session.get(User, actor.id, options=[lazyload("*")])
        require_admin(rights_of(acting) if acting is not None and acting.is_active else Rights())
    _make(session, user_id, change)
    own = _locked(session, user_id)
    if own is None:
        msg = f"There is no user {user_id}: check the id."
        raise InputError(msg)
    if change.notes is not None and change.notes != own.notes:
        before, after = {"notes": own.notes}, {"notes": change.notes}
        own.notes = change.notes
        record(
            session,
            actor,
            "quota.notes",
            "user",
            user_id,
            owner_id=user_id,
            before=before,
            after=after,
        )
    return own


def _require_unchanged(own: UserSubscription, seen: Mapping[str, Any] | None) -> None:
    if any(getattr(own, name) != value for name, value in (seen or {}).items()):
        msg = "Somebody else has changed this meanwhile: look at what is so now."
        raise StaleChange(msg)


def _make(session: Session, user_id: str, change: Change) -> None:
    columns = ("user_id", "plan_id", "starts_at", "created_by")
    free, by = free_plan(session).id, literal(change.actor.id, String)
    user = select(User.id, literal(free), literal(change.at), by).where(User.id == user_id)
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


def _state(own: UserSubscription, at: datetime) -> SubscriptionState:
    return subscription_state(own.starts_at, own.expires_at, at)


def _require_dates(
    now: SubscriptionState, starts_at: datetime, expires_at: datetime | None, at: datetime
) -> None:
    if expires_at is not None and expires_at <= max(starts_at, at):
        msg = f"A plan cannot end at {expires_at}: give a time after its start and after now."
        raise InputError(msg)
    then = subscription_state(starts_at, expires_at, at)
    if then not in (now, *SUBSCRIPTION_MOVES[now]):
        msg = f"A plan that is {now} cannot be replaced by one that is {then}: let it start now."
        raise InputError(msg)


def _plan_value(own: UserSubscription) -> dict[str, Any]:
    return {"plan": own.plan.name, "expires_at": own.expires_at}


def _note_expiry(session: Session, own: UserSubscription, at: datetime) -> bool:
    """Write that the subscription has expired, once for each end; True where that was done."""
    if _state(own, at) is not SubscriptionState.EXPIRED:
        return False
    last = session.scalar(
        select(func.max(QuotaChange.created_at)).where(
            QuotaChange.user_id == own.user_id, QuotaChange.change_type == ChangeType.EXPIRY
        )
    )
    if last is not None and own.expires_at is not None and last >= own.expires_at:
        return False
    new = {"plan": free_plan(session).name, "expires_at": None}
    change = Change(SYSTEM, at, reason=f"It expired at {own.expires_at}.")
    _write(session, own, ChangeType.EXPIRY, _plan_value(own), new, change)
    return True


def _write(
    session: Session,
    own: UserSubscription,
    kind: ChangeType,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    change: Change,
) -> None:
    own.modified_by = change.actor.id
    before, after = _stored("old_value", old, kind), _stored("new_value", new, kind)
    session.add(
        QuotaChange(
            user_id=own.user_id,
            admin_user_id=change.actor.id,
            change_type=kind,
            old_value=before,
            new_value=after,
            reason=change.reason,
            created_at=change.at,
        )
    )
    session.flush()
    owner = own.user_id
    record(
        session,
        change.actor,
        "quota.change",
        "user",
        owner,
        owner_id=owner,
        before=before,
        after=after,
    )


def _stored(column: str, values: Mapping[str, Any], kind: ChangeType) -> Any:
    return validate_column("quota_change_history", column, redacted(values), kind=kind)
