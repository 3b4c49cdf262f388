"""Administration: what an admin sees and does on the pages, and that nobody else gets there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from leap_pipeline.db.models.subscriptions import QuotaUsage, SubscriptionPlan, UserSubscription
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.domain.quotas import period_of
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.directory import person
from leap_pipeline.services.quotas import entitlement
from leap_pipeline.services.subscriptions import Change, assign_plan
from leap_pipeline.services.users import set_permissions
from tests.support.accounts import ADA
from tests.support.console import Desk

BOSS = "boss@example.org"
HOSTILE = '<img src=x onerror="alert(1)"> *bold* [x](javascript:alert(1))'


def shown(page: AppTest) -> str:
    """Every text of the page that is read as HTML or Markdown."""
    assert not page.exception, page.exception[0].stack_trace
    html = [each.proto.body for each in page.get("html")]
    return "\n".join([*html, *(each.value for each in (*page.markdown, *page.caption))])


def user_of(desk: Desk, user_id: str) -> User:
    with desk.database.system() as session:
        return person(
            session, desk.console.sessions.check(desk.login(BOSS).family_id).rights, user_id
        )


def test_an_admin_changes_a_user(desk: Desk) -> None:
    desk.add(BOSS, role=Role.ADMIN)
    ada = desk.add(ADA, name=HOSTILE)
    users = desk.open(BOSS, "users", timeout=120)
    users.text_input(key="q").set_value("onerror").run()
    assert list(users.dataframe[0].value["email"]) == [ADA]
    page = desk.open(BOSS, "user", id=ada)
    assert "<img" not in shown(page)
    assert "<img" not in page.title[0].value.replace("\\<", "")
    page.button(key="sign_out").click().run()
    page.button(key="confirm").click().run()
    assert user_of(desk, ada).is_verified
    page = desk.open(BOSS, "user", id=ada, part="rights")
    page.checkbox(key=f"{Permission.UPLOAD}:{ada}").uncheck()
    next(each for each in page.button if each.label == "Save").click().run()
    assert not page.error
    assert not user_of(desk, ada).can_upload
    page = desk.open(BOSS, "user", id=desk.id_of(BOSS), part="rights")
    page.selectbox(key=f"role:{desk.id_of(BOSS)}").set_value(Role.USER)
    next(each for each in page.button if each.label == "Save").click().run()
    assert "last active admin" in page.error[0].value
    gone = desk.open(BOSS, "user", id="01J00000000000000000000009")
    assert "There is no user" in gone.error[0].value
    history = desk.open(BOSS, "audit")
    history.text_input(key="owner").set_value(ADA).run()
    assert "user.set_permissions" in shown(history)
    assert "<img" not in shown(history)


def test_an_admin_gives_limits_and_sees_who_is_near_them(desk: Desk) -> None:
    desk.add(BOSS, role=Role.ADMIN)
    ada = desk.add(ADA)
    page = desk.open(BOSS, "user", id=ada, part="plan")
    page.number_input(key=f"storage_gb:{ada}").set_value(2)
    page.text_input(key=f"reason:limits:{ada}").set_value(HOSTILE)
    next(each for each in page.button if each.label == "Save").click().run()
    assert not page.error
    assert "max storage gb 2" in shown(page)
    assert "<img" not in shown(page)
    with desk.database.system() as session:
        assert session.scalars(select(QuotaUsage).where(QuotaUsage.user_id == ada)).all() == []
        period = period_of(datetime.now(UTC))
        session.add(QuotaUsage(user_id=ada, period=period, storage_used_gb=Decimal("1.90")))
        plus = session.scalars(
            select(SubscriptionPlan.id).where(SubscriptionPlan.name == "Plus")
        ).one()
    page = desk.open(BOSS, "user", id=ada, part="plan")
    page.selectbox(key=f"plan:{ada}").set_value("Plus")
    last = datetime.now(UTC).date() + timedelta(days=40)
    page.date_input(key=f"ends:{ada}").set_value(last)
    next(each for each in page.button if each.label == "Assign").click().run()
    assert not page.error, page.error[0].value
    with desk.database.system() as session:
        own = session.scalars(select(UserSubscription).where(UserSubscription.user_id == ada)).one()
        ends = own.expires_at
    assert ends == datetime(last.year, last.month, last.day, tzinfo=UTC) + timedelta(days=1)
    assert page.date_input(key=f"ends:{ada}:1").value == last
    plans = desk.open(BOSS, "plans")
    assert list(plans.dataframe[0].value["email"]) == [ADA]
    plans.button(key=f"edit:{plus}").click().run()
    assert not plans.exception, plans.exception[0].stack_trace


def test_a_form_that_is_stale_gives_nothing_back(desk: Desk) -> None:
    desk.add(BOSS, role=Role.ADMIN)
    ada = desk.add(ADA)
    page = desk.open(BOSS, "user", id=ada, part="rights")
    with desk.database.system() as session:
        set_permissions(session, ada, {Permission.UPLOAD: False}, SYSTEM)
    page.checkbox(key=f"{Permission.EXPORT_DATA}:{ada}").uncheck()
    next(each for each in page.button if each.label == "Save").click().run()
    assert "Somebody else has changed this user" in page.toast[0].value
    user = user_of(desk, ada)
    assert (user.can_upload, user.can_export_data) == (False, True)
    assert page.checkbox(key=f"{Permission.UPLOAD}:{ada}:1").value is False
    page.checkbox(key=f"{Permission.EXPORT_DATA}:{ada}:1").uncheck()
    next(each for each in page.button if each.label == "Save").click().run()
    user = user_of(desk, ada)
    assert (user.can_upload, user.can_export_data) == (False, False)
    page = desk.open(BOSS, "user", id=ada, part="plan")
    with desk.database.system() as session:
        assign_plan(session, ada, "Pro", change=Change(SYSTEM, datetime.now(UTC)))
    page.selectbox(key=f"plan:{ada}").set_value("Plus")
    next(each for each in page.button if each.label == "Assign").click().run()
    assert "Somebody else has changed this" in page.toast[0].value
    assert page.selectbox(key=f"plan:{ada}:1").value == "Pro"
    with desk.database.system() as session:
        assert entitlement(session, ada, datetime.now(UTC)).plan == "Pro"
