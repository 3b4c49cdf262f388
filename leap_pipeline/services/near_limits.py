"""Who is near a limit of their plan: counted over all users in one statement."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.subscriptions import QuotaUsage, SubscriptionPlan, UserSubscription
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Rights, require_admin
from leap_pipeline.domain.quotas import forecast, period_of
from leap_pipeline.services.quotas import COLUMNS, free_plan

NEAR = 0.8


@dataclass(frozen=True)
class NearLimit:
    """A user's month; `share` is of the limit that is nearest (1.0 = reached), None = unlimited."""

    user_id: str
    email: str
    plan: str
    recordings: int
    recordings_limit: int | None
    recordings_forecast: int
    storage_gb: Decimal
    storage_limit: int | None
    pays_as_they_go: bool
    share: float


def near_limits(
    session: Session, rights: Rights, at: datetime, *, share: float = NEAR, limit: int = 50
) -> list[NearLimit]:
    """Active users who used that share of a limit, nearest first; in the system's scope.

    A limit of 0 is none that one comes near to.
    """
    require_admin(rights)
    own, plan, used = UserSubscription, SubscriptionPlan, QuotaUsage
    counts = counts_at(at)
    recordings, storage = _limit("recordings_per_month", counts), _limit("storage_gb", counts)
    # A month's row begins with its first act; what is stored stays stored without one.
    newest = (
        select(func.max(used.period)).where(used.user_id == User.id).correlate(User)
    ).scalar_subquery()
    so_far = case((used.period == period_of(at), func.coalesce(used.recordings_count, 0)), else_=0)
    stored = func.coalesce(used.storage_used_gb, 0)
    nearest = func.greatest(
        so_far * 1.0 / func.nullif(recordings, 0), stored / func.nullif(storage, 0)
    )
    of_plan = plan.id == case((counts, own.plan_id), else_=literal(free_plan(session).id))
    query = (
        select(
            User.id,
            User.email,
            plan.display_name,
            so_far,
            recordings,
            stored,
            storage,
            and_(counts, own.pay_as_you_go_enabled),
            nearest,
        )
        .join(used, and_(used.user_id == User.id, used.period == newest))
        .outerjoin(own, own.user_id == User.id)
        .join(plan, of_plan)
        .where(User.is_active, nearest >= share)
        .order_by(nearest.desc(), User.id)
        .limit(limit)
    )
    return [
        NearLimit(
            user_id=row[0],
            email=row[1],
            plan=row[2],
            recordings=row[3],
            recordings_limit=row[4],
            recordings_forecast=forecast(row[3], at),
            storage_gb=row[5],
            storage_limit=row[6],
            pays_as_they_go=bool(row[7]),
            share=float(row[8]),
        )
        for row in session.execute(query)
    ]


def counts_at(at: datetime) -> ColumnElement[bool]:
    """Does a subscription count then? Where it does not, Free applies."""
    own = UserSubscription
    return and_(own.starts_at <= at, or_(own.expires_at.is_(None), own.expires_at > at))


def _limit(name: str, counts: ColumnElement[bool]) -> ColumnElement[int]:
    """The user's own limit where there is one and the subscription counts, else the plan's."""
    of_plan, of_user = COLUMNS[name]
    own = case((counts, getattr(UserSubscription, of_user)))
    return func.coalesce(own, getattr(SubscriptionPlan, of_plan))
