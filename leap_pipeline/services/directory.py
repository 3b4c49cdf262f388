"""The users as admins look for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, case, func, literal, or_, select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.recordings import RecordingCount
from leap_pipeline.db.models.subscriptions import SubscriptionPlan, UserSubscription
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Rights, Role, require_admin
from leap_pipeline.errors import NotFound
from leap_pipeline.services.near_limits import counts_at
from leap_pipeline.services.quotas import free_plan

MOST = 200


@dataclass(frozen=True)
class PeopleFilter:
    """Which users; `text` is a part of an address or a name in any case, None does not ask."""

    text: str = ""
    role: Role | None = None
    active: bool | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        said: list[ColumnElement[bool]] = []
        looked_for = self.text.strip().lower()
        if looked_for:
            columns = (User.email, User.full_name)
            said.append(or_(*(func.strpos(func.lower(each), looked_for) > 0 for each in columns)))
        if self.role is not None:
            said.append(User.role == self.role)
        if self.active is not None:
            said.append(User.is_active.is_(self.active))
        return said


@dataclass(frozen=True)
class Person:
    """One line of the list: the plan that counts now, and all recordings that are not gone for
    good.
    """

    id: str
    slug: int
    email: str
    full_name: str | None
    role: str
    is_active: bool
    is_verified: bool
    created_at: datetime
    last_login_at: datetime | None
    plan: str
    recordings: int


def people(
    session: Session,
    rights: Rights,
    wanted: PeopleFilter | None = None,
    *,
    before: int | None = None,
    limit: int = 50,
) -> tuple[list[Person], int | None]:
    """A page of users, newest first, and what the next page is `before`; None: there is none.

    For a transaction of the system. Raises `UserActionError` for who is no admin.
    """
    require_admin(rights)
    free = free_plan(session).id
    plan_id = case((counts_at(datetime.now(UTC)), UserSubscription.plan_id), else_=literal(free))
    query = (
        select(User, SubscriptionPlan.display_name, _recordings())
        .outerjoin(UserSubscription, UserSubscription.user_id == User.id)
        .join(SubscriptionPlan, SubscriptionPlan.id == plan_id)
        .where(*(wanted or PeopleFilter()).conditions())
        .order_by(User.user_slug.desc())
        .limit(min(limit, MOST) + 1)
        .options(lazyload("*"))
    )
    if before is not None:
        query = query.where(User.user_slug < before)
    rows = session.execute(query).all()
    shown = rows[: min(limit, MOST)]
    found = [_person(user, plan, count) for user, plan, count in shown]
    return found, found[-1].slug if len(rows) > len(shown) else None


def person(session: Session, rights: Rights, user_id: str) -> User:
    """One user; raises `NotFound`."""
    require_admin(rights)
    found = session.scalars(
        select(User).where(User.id == user_id).options(lazyload("*"))
    ).one_or_none()
    if found is None:
        msg = f"There is no user {user_id}."
        raise NotFound(msg)
    return found


def names(session: Session, rights: Rights, user_ids: Sequence[str | None]) -> dict[str, str]:
    """The addresses of users by their ids; who was removed has none."""
    require_admin(rights)
    wanted = {each for each in user_ids if each}
    if not wanted:
        return {}
    rows = session.execute(select(User.id, User.email).where(User.id.in_(wanted)))
    return {row[0]: row[1] for row in rows}


def _recordings() -> ColumnElement[int]:
    counted = select(func.coalesce(func.sum(RecordingCount.recordings), 0)).where(
        RecordingCount.user_id == User.id, RecordingCount.delete_state != "hard_deleted"
    )
    return counted.correlate(User).scalar_subquery()


def _person(user: User, plan: str, recordings: int) -> Person:
    return Person(
        id=user.id,
        slug=user.user_slug,
        email=user.email,
        full_name=user.full_name,
        role=user.role,
        is_active=user.is_active,
        is_verified=user.is_verified,
        created_at=user.created_at,
        last_login_at=user.last_login_at,
        plan=plan,
        recordings=int(recordings),
    )
