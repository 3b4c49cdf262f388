"""Plans as admins make and change them.

A plan's numbers count for all who have it from the moment of their change; prices already recorded
stay. Plans are never deleted: one that is switched off stays with who has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.subscriptions import SubscriptionPlan, UserSubscription
from leap_pipeline.domain.permissions import Rights, require_admin
from leap_pipeline.domain.quotas import FREE, PER_RECORDING, Limits, to_cents
from leap_pipeline.errors import InputError, NotFound, StaleChange
from leap_pipeline.services.audit import record
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.quotas import COLUMNS
from leap_pipeline.services.subscriptions import LARGEST, MOST_DOLLARS, plans

LONGEST_NAME, LONGEST_TITLE = 50, 100
MOST_OVERAGE = Decimal(10) ** 6
_TEN_THOUSANDTH = Decimal("0.0001")


@dataclass(frozen=True)
class PlanTerms:
    """All that a person says of a plan; dollars, and None for “unlimited”.

    `overage_price` is what a recording past the limit costs; None: none is sold.
    """

    name: str
    display_name: str
    description: str
    limits: Limits
    price_monthly: Decimal
    price_yearly: Decimal
    overage_price: Decimal | None
    sort_order: int
    is_active: bool


def terms_of(plan: SubscriptionPlan) -> PlanTerms:
    limits = {field: getattr(plan, column) for field, (column, _) in COLUMNS.items()}
    sold = plan.overage_unit_type == PER_RECORDING
    return PlanTerms(
        name=plan.name,
        display_name=plan.display_name,
        description=plan.description or "",
        limits=Limits(**limits),
        price_monthly=plan.price_monthly,
        price_yearly=plan.price_yearly,
        overage_price=plan.overage_price_per_unit if sold else None,
        sort_order=plan.sort_order or 0,
        is_active=plan.is_active,
    )


def plans_with_users(session: Session, rights: Rights) -> list[tuple[SubscriptionPlan, int]]:
    """Every plan in order, and how many have it; two statements, in the system's scope."""
    require_admin(rights)
    rows = session.execute(
        select(UserSubscription.plan_id, func.count()).group_by(UserSubscription.plan_id)
    )
    counts = {row[0]: row[1] for row in rows}
    return [(plan, counts.get(plan.id, 0)) for plan in plans(session)]


def create_plan(session: Session, editor: Editor, terms: PlanTerms) -> SubscriptionPlan:
    """A new plan. Raises `InputError` for terms that cannot be, `UserActionError` for no admin."""
    require_admin(editor.rights)
    values = _columns(terms)
    _require_free_name(session, values["name"], None)
    plan = SubscriptionPlan(**values)
    session.add(plan)
    session.flush()
    record(session, editor.actor, "plan.create", "plan", plan.id, owner_id=None, after=values)
    return plan


def update_plan(
    session: Session,
    editor: Editor,
    plan_id: int,
    terms: PlanTerms,
    *,
    unchanged_since: datetime | None = None,
) -> bool:
    """Change a plan; False where nothing differs.

    Raises as `create_plan`, `NotFound`, and `StaleChange` where somebody else changed it meanwhile.
    """
    require_admin(editor.rights)
    plan = _locked(session, plan_id)
    if unchanged_since is not None and plan.updated_at != unchanged_since:
        msg = "Somebody else has changed this plan meanwhile: load it again."
        raise StaleChange(msg)
    values = _columns(terms)
    _require_free_stays(plan, terms)
    _require_free_name(session, values["name"], plan_id)
    before = {name: old for name, new in values.items() if (old := getattr(plan, name)) != new}
    if not before:
        return False
    after = {name: values[name] for name in before}
    for name, value in after.items():
        setattr(plan, name, value)
    session.flush()
    actor = editor.actor
    record(
        session, actor, "plan.update", "plan", plan_id, owner_id=None, before=before, after=after
    )
    return True


def _locked(session: Session, plan_id: int) -> SubscriptionPlan:
    found = session.scalars(
        select(SubscriptionPlan).where(SubscriptionPlan.id == plan_id).with_for_update()
    ).one_or_none()
    if found is None:
        msg = f"There is no plan {plan_id}."
        raise NotFound(msg)
    return found


def _columns(terms: PlanTerms) -> dict[str, Any]:
    """The row's columns; raises `InputError`."""
    sells = terms.overage_price is not None
    return {
        "name": _text("name", terms.name, LONGEST_NAME),
        "display_name": _text("title", terms.display_name, LONGEST_TITLE),
        "description": terms.description.replace("\x00", "").strip() or None,
        **_limits(asdict(terms.limits)),
        "price_monthly": _dollars("price a month", terms.price_monthly, MOST_DOLLARS),
        "price_yearly": _dollars("price a year", terms.price_yearly, MOST_DOLLARS),
        "overage_price_per_unit": _overage(terms.overage_price),
        "overage_unit_type": PER_RECORDING if sells else None,
        "sort_order": _number("place in the list", terms.sort_order),
        "is_active": terms.is_active,
    }


def _limits(said: Mapping[str, int | None]) -> dict[str, int | None]:
    return {
        COLUMNS[name][0]: None if value is None else _number(name.replace("_", " "), value)
        for name, value in said.items()
    }


def _text(what: str, text: str, longest: int) -> str:
    found = text.strip()
    if not found or len(found) > longest or not found.isprintable():
        msg = f"A plan's {what} has 1 to {longest} printable characters: give another one."
        raise InputError(msg)
    return found


def _number(what: str, value: int) -> int:
    if not 0 <= value <= LARGEST:
        msg = f"{value} cannot be a plan's {what}: give a number from 0 to {LARGEST}."
        raise InputError(msg)
    return value


def _dollars(what: str, value: Decimal, most: Decimal) -> Decimal:
    if not (value.is_finite() and 0 <= value < most):
        msg = f"{value} cannot be a plan's {what}: give dollars from 0 to {most}."
        raise InputError(msg)
    return to_cents(value)


def _overage(price: Decimal | None) -> Decimal | None:
    if price is None:
        return None
    _dollars("price of a recording past the limit", price, MOST_OVERAGE)
    return price.quantize(_TEN_THOUSANDTH)


def _require_free_stays(plan: SubscriptionPlan, terms: PlanTerms) -> None:
    if plan.name == FREE and (terms.name.strip() != FREE or not terms.is_active):
        msg = f"The {FREE} plan counts for users without one: its name stays, and it stays on."
        raise InputError(msg)


def _require_free_name(session: Session, name: str, plan_id: int | None) -> None:
    taken = select(SubscriptionPlan.id).where(
        func.lower(SubscriptionPlan.name) == name.lower(), SubscriptionPlan.id != (plan_id or 0)
    )
    if session.scalar(taken) is not None:
        msg = f"There is a plan {name} already: choose another name."
        raise InputError(msg)
