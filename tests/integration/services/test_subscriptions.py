"""Changes of plans and limits: by whom, what is written of them, and the end of a subscription."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.subscriptions import SubscriptionPlan, UserSubscription
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.quotas import Limits
from leap_pipeline.domain.shapes.registry import read_column
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.services.audit import SYSTEM, Actor
from leap_pipeline.services.quotas import entitlement
from leap_pipeline.services.subscriptions import (
    Change,
    assign_plan,
    changes,
    expire_subscriptions,
    plans,
    set_overrides,
    set_pay_as_you_go,
)
from leap_pipeline.services.users import add_user
from tests.support.bench import Bench

NOW = datetime(2027, 1, 10, tzinfo=UTC)
DAY = timedelta(days=1)
Acts = Callable[[Session, Change], bool]


def plus(bench: Bench, **dates: Any) -> Acts:
    return lambda session, change: assign_plan(
        session, bench.user_id, "Plus", change=change, **dates
    )


def act(bench: Bench, *acts: Acts, actor: Actor = SYSTEM, at: datetime = NOW) -> list[bool]:
    with bench.database.system() as session:
        return [each(session, Change(actor, at, "asked for", "a note")) for each in acts]


def told(bench: Bench) -> list[tuple[str, Any, Any]]:
    """Kind, old and new value of each change, oldest first; the bench's own is left out."""
    with bench.database.system() as session:
        rows = changes(session, bench.user_id)[::-1][1:]
    for row in rows:
        for column, value in (("old_value", row.old_value), ("new_value", row.new_value)):
            read = read_column("quota_change_history", column, value, kind=row.change_type)
            assert read.differences == ()
    return [(row.change_type, row.old_value, row.new_value) for row in rows]


@pytest.fixture
def admin(bench: Bench) -> Actor:
    with bench.database.system() as session:
        made = Actor(add_user(session, "admin@example.org").id, "admin@example.org")
        session.execute(update(User).where(User.id == made.id).values(role="admin"))
    return made


def test_plans_go_up_and_down_and_who_did_it_is_written(bench: Bench, admin: Actor) -> None:
    end = NOW + 30 * DAY

    def pro(session: Session, change: Change) -> bool:
        return assign_plan(session, bench.user_id, "pro", change=change, expires_at=end)

    assert act(bench, plus(bench), plus(bench), pro, pro, actor=admin) == [True, False, True, False]
    assert told(bench) == [
        (
            "plan_downgrade",
            {"plan": "Enterprise", "expires_at": None},
            {"plan": "Plus", "expires_at": None},
        ),
        (
            "plan_upgrade",
            {"plan": "Plus", "expires_at": None},
            {"plan": "Pro", "expires_at": "2027-02-09T00:00:00Z"},
        ),
    ]
    with bench.database.system() as session:
        own = session.scalars(
            select(UserSubscription).where(UserSubscription.user_id == bench.user_id)
        ).one()
        row = changes(session, bench.user_id)[0]
        entry = session.scalars(select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert (own.modified_by, own.notes, own.starts_at) == (admin.id, "a note", NOW)
    assert (row.admin_user_id, row.reason, row.created_at) == (admin.id, "asked for", NOW)
    assert entry is not None
    assert (entry.action, entry.actor_id, entry.owner_id) == (
        "quota.change",
        admin.id,
        bench.user_id,
    )
    assert (entry.before, entry.after) == (row.old_value, row.new_value)


def test_limits_of_one_s_own_are_set_and_taken_back(bench: Bench) -> None:
    def own(**limits: int | None) -> Acts:
        return lambda session, change: set_overrides(session, bench.user_id, limits, change=change)

    act(bench, plus(bench))
    done = act(bench, own(storage_gb=0, automation_jobs=9), own(storage_gb=0))
    assert done == [True, False]
    with bench.database.tenant(bench.user_id) as session:
        assert entitlement(session, bench.user_id, NOW).limits == Limits(50, 0, 2, 9, 12)
    act(bench, own(storage_gb=None))
    assert told(bench)[1:] == [
        (
            "custom_quota_override",
            {"custom_max_storage_gb": None, "custom_max_automation_jobs": None},
            {"custom_max_storage_gb": 0, "custom_max_automation_jobs": 9},
        ),
        (
            "custom_quota_override",
            {"custom_max_storage_gb": 0},
            {"custom_max_storage_gb": None},
        ),
    ]
    for wrong in ({"storage": 1}, {"storage_gb": -1}, {"storage_gb": 2**31}):
        with pytest.raises(InputError):
            act(bench, own(**wrong))


def test_pay_as_you_go_is_switched_where_the_plan_sells_something(bench: Bench) -> None:
    def pay(money: str | None, *, enabled: bool = True) -> Acts:
        limit = None if money is None else Decimal(money)
        return lambda session, change: set_pay_as_you_go(
            session, bench.user_id, enabled=enabled, monthly_limit=limit, change=change
        )

    with pytest.raises(InputError, match="Enterprise plan sells no recordings"):
        act(bench, pay("5"))
    done = act(bench, plus(bench), pay("5"), pay("5.00"), pay(None, enabled=False))
    assert done == [True, True, False, True]
    assert told(bench)[1:] == [
        (
            "pay_as_you_go_change",
            {"pay_as_you_go_enabled": False, "pay_as_you_go_monthly_limit": None},
            {"pay_as_you_go_enabled": True, "pay_as_you_go_monthly_limit": "5.00"},
        ),
        (
            "pay_as_you_go_change",
            {"pay_as_you_go_enabled": True, "pay_as_you_go_monthly_limit": "5.00"},
            {"pay_as_you_go_enabled": False, "pay_as_you_go_monthly_limit": None},
        ),
    ]
    with pytest.raises(InputError, match="-1 cannot be a monthly limit"):
        act(bench, pay("-1"))


def test_an_expired_subscription_is_noted_once_and_can_be_renewed(bench: Bench) -> None:
    end, later = NOW + 5 * DAY, NOW + 9 * DAY

    def own(session: Session, change: Change) -> bool:
        return set_overrides(session, bench.user_id, {"storage_gb": 77}, change=change)

    act(bench, plus(bench, expires_at=end), own)
    assert expire_subscriptions(bench.database, end - timedelta(microseconds=1)) == []
    assert expire_subscriptions(bench.database, end, dry_run=True) == [bench.user_id]
    assert expire_subscriptions(bench.database, end) == [bench.user_id]
    assert expire_subscriptions(bench.database, later) == []
    with pytest.raises(InputError, match="assign a plan first"):
        act(bench, own, at=later)
    assert told(bench)[2:] == [
        (
            "expiry",
            {"plan": "Plus", "expires_at": "2027-01-15T00:00:00Z"},
            {"plan": "Free", "expires_at": None},
        )
    ]
    act(bench, plus(bench, expires_at=later + DAY), at=later)
    with bench.database.system() as session:
        assert entitlement(session, bench.user_id, later).limits.storage_gb == 77
        assert entitlement(session, bench.user_id, later + DAY).plan == "Free"
    # Renewed late, when no sweep came in between: both are written, in their order.
    act(bench, plus(bench), at=later + 2 * DAY)
    assert [kind for kind, _, _ in told(bench)][2:] == [
        "expiry",
        "plan_upgrade",
        "expiry",
        "plan_upgrade",
    ]
    assert expire_subscriptions(bench.database, later + 99 * DAY) == []


def test_a_plan_of_a_later_day_can_begin_now_instead(bench: Bench) -> None:
    act(bench, plus(bench, expires_at=NOW + DAY))
    act(bench, plus(bench, starts_at=NOW + 9 * DAY), at=NOW + 2 * DAY)
    with bench.database.system() as session:
        assert entitlement(session, bench.user_id, NOW + 3 * DAY).plan == "Free"
        assert entitlement(session, bench.user_id, NOW + 9 * DAY).plan == "Plus"
    act(bench, plus(bench), at=NOW + 3 * DAY)
    with bench.database.system() as session:
        assert entitlement(session, bench.user_id, NOW + 3 * DAY).plan == "Plus"


@pytest.mark.parametrize(
    ("dates", "refusal"),
    [
        ({"expires_at": NOW}, "cannot end at"),
        ({"starts_at": NOW, "expires_at": NOW - DAY}, "cannot end at"),
        ({"starts_at": NOW + DAY}, "active cannot be replaced by one that is scheduled"),
    ],
)
def test_dates_that_make_no_sense_are_refused(
    bench: Bench, dates: dict[str, datetime], refusal: str
) -> None:
    with pytest.raises(InputError, match=refusal):
        act(bench, plus(bench, **dates))
    assert told(bench) == []


def test_only_an_active_admin_changes_plans(bench: Bench, admin: Actor) -> None:
    owner = Actor(bench.user_id, "owner@example.org")
    with bench.database.system() as session:
        session.execute(update(User).where(User.id == admin.id).values(is_active=False))
    for actor in (owner, admin, Actor("01J00000000000000000000099", "nobody")):
        with pytest.raises(UserActionError, match="Only an admin"):
            act(bench, plus(bench), actor=actor)
    assert told(bench) == []


def test_an_unknown_plan_or_user_is_named(bench: Bench) -> None:
    with bench.database.system() as session:
        change = Change(SYSTEM, NOW)
        with pytest.raises(InputError, match="there are Free, Plus, Pro, Enterprise"):
            assign_plan(session, bench.user_id, "Gold", change=change)
        with pytest.raises(InputError, match="no user 01J0"):
            assign_plan(session, "01J00000000000000000000099", "Plus", change=change)


def test_a_plan_that_is_not_offered_stays_with_who_has_it(bench: Bench) -> None:
    with bench.database.system() as session:
        assert [plan.name for plan in plans(session, offered=True)] == ["Free", "Plus", "Pro"]
        assert [plan.name for plan in plans(session)][-1] == "Enterprise"
        has = entitlement(session, bench.user_id, NOW)
        assert (has.plan, has.limits.recordings_per_month) == ("Enterprise", None)
        session.execute(update(SubscriptionPlan).values(is_active=False))
        assert entitlement(session, bench.user_id, NOW) == has
        session.rollback()


def test_one_without_a_subscription_gets_one_with_its_maker(bench: Bench, admin: Actor) -> None:
    with bench.database.system() as session:
        own = session.scalars(
            select(UserSubscription).where(UserSubscription.user_id == bench.user_id)
        ).one()
        session.delete(own)
    assert act(bench, plus(bench), actor=admin) == [True]
    with bench.database.system() as session:
        made = session.scalars(
            select(UserSubscription).where(UserSubscription.user_id == bench.user_id)
        ).one()
        assert (made.created_by, made.modified_by, made.plan.name) == (admin.id, admin.id, "Plus")
