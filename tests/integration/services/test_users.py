"""Users: made once, found in any case."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from leap_pipeline.db.models.subscriptions import SubscriptionPlan, UserSubscription
from leap_pipeline.db.models.users import User
from leap_pipeline.errors import InputError
from leap_pipeline.services.users import add_user, ensure_user, find_user
from tests.support.bench import Bench


def test_a_new_user_is_on_the_free_plan_and_cannot_log_in(bench: Bench) -> None:
    with bench.database.system() as session:
        user = add_user(session, "new@example.org", "New")
        plan = session.scalar(
            select(SubscriptionPlan.name)
            .join(UserSubscription, UserSubscription.plan_id == SubscriptionPlan.id)
            .where(UserSubscription.user_id == user.id)
        )
        assert plan == "Free"
        assert user.hashed_password == "!"
        assert len(user.id) == 26
        assert user.user_slug > bench.slug


def test_an_address_is_found_in_any_case_and_taken_once(bench: Bench) -> None:
    with bench.database.system() as session:
        assert find_user(session, "OWNER@Example.org").id == bench.user_id
        assert ensure_user(session, "Owner@example.org", "x").id == bench.user_id
        with pytest.raises(InputError, match=r"There is a user Owner@example\.org already"):
            add_user(session, "Owner@example.org")


@pytest.mark.parametrize(
    "email", ["", "name", "a@b", "a b@c.d", "a@b c.d", "x" * 250 + "@b.org", "a@b.c\n"]
)
def test_what_is_no_address_is_refused(bench: Bench, email: str) -> None:
    with bench.database.system() as session, pytest.raises(InputError, match="no e-mail address"):
        add_user(session, email)


def test_a_user_that_is_switched_off_cannot_be_worked_for(bench: Bench) -> None:
    with bench.database.system() as session:
        session.get_one(User, bench.user_id).is_active = False
    with bench.database.system() as session, pytest.raises(InputError, match="is switched off"):
        find_user(session, "owner@example.org")
