"""What admins do with users, plans and base configurations, and that nobody else can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.publishing import QuotaSpent
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.subscriptions import QuotaUsage, SubscriptionPlan
from leap_pipeline.db.models.users import BaseConfig, User
from leap_pipeline.db.repositories.catalogue import BaseConfigs
from leap_pipeline.domain.permissions import Permission, Rights, Role
from leap_pipeline.domain.quotas import FREE, Limits, period_of
from leap_pipeline.domain.states import LIVE_RUN_STATES, Phase, RunState
from leap_pipeline.errors import InputError, NotFound, StaleChange, UserActionError
from leap_pipeline.services import administration as acts
from leap_pipeline.services import base_configs, directory, overview, plans
from leap_pipeline.services.audit import Actor, AuditFilter
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.links import Purpose, reset_password
from leap_pipeline.services.near_limits import near_limits
from leap_pipeline.services.overview import Outcome
from leap_pipeline.services.quotas import entitlement
from leap_pipeline.services.sessions import Sessions
from leap_pipeline.services.subscriptions import Change, assign_plan, set_overrides, subscription
from leap_pipeline.services.users import add_user, set_role
from leap_pipeline.services.youtube_ledger import spendings
from leap_pipeline.settings import Settings
from tests.support.bench import Bench

NOW = datetime(2027, 1, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ADMIN, NOBODY = Rights(role=Role.ADMIN), Rights()
TERMS = plans.PlanTerms(
    name="Team",
    display_name="Team & Co",
    description="For teams",
    limits=Limits(30, 20, 2, 1, None),
    price_monthly=Decimal("12.5"),
    price_yearly=Decimal(125),
    overage_price=Decimal("0.25"),
    sort_order=5,
    is_active=True,
)


@dataclass
class Office:
    """An admin, and a user of theirs."""

    bench: Bench
    editor: Editor

    @property
    def database(self) -> Database:
        return self.bench.database

    @property
    def user_id(self) -> str:
        return self.bench.user_id

    def act(self, what: Callable[..., Any], *given: Any, **named: Any) -> Any:
        with self.database.system() as session:
            return what(session, self.editor, *given, **named)

    def read(self, what: Callable[..., Any], *given: Any, **named: Any) -> Any:
        with self.database.system() as session:
            return what(session, ADMIN, *given, **named)

    def told(self, action: str) -> AuditEntry:
        """The newest entry about that."""
        with self.database.system() as session:
            return session.scalars(
                select(AuditEntry)
                .where(AuditEntry.action == action)
                .order_by(AuditEntry.id.desc())
                .limit(1)
            ).one()


@pytest.fixture
def office(bench: Bench) -> Office:
    with bench.database.system() as session:
        session.execute(delete(BaseConfig))
        session.execute(delete(QuotaSpent))
        session.execute(delete(SubscriptionPlan).where(SubscriptionPlan.name.like("Team%")))
        admin = add_user(session, "admin@example.org", "Ada Admin", role=Role.ADMIN)
        return Office(bench, Editor(Actor(admin.id, admin.email), ADMIN))


def test_who_is_no_admin_is_refused_everywhere(office: Office) -> None:
    editor, user = Editor(office.editor.actor, NOBODY), office.user_id
    sessions = Sessions(office.database, Settings(home=office.bench.storage.root))
    tries: list[Callable[[Session], Any]] = [
        lambda s: acts.create_account(s, editor, "new@example.org"),
        lambda s: acts.change_profile(
            s, editor, user, email="a@example.org", full_name="", timezone="UTC"
        ),
        lambda s: acts.change_rights(s, editor, user, role=Role.ADMIN, permissions={}),
        lambda s: acts.switch_account(s, editor, user, active=False),
        lambda s: acts.confirm_address(s, editor, user, verified=True),
        lambda s: acts.account_link(s, editor, user, Purpose.RESET_PASSWORD),
        lambda s: acts.audit_page(s, editor, AuditFilter()),
        lambda s: acts.end_sessions(sessions, editor, user),
        lambda s: acts.delete_account(
            office.database, office.bench.storage, editor, user, typed="x"
        ),
        lambda s: directory.people(s, NOBODY),
        lambda s: directory.person(s, NOBODY, user),
        lambda s: directory.names(s, NOBODY, [user]),
        lambda s: plans.plans_with_users(s, NOBODY),
        lambda s: plans.create_plan(s, editor, TERMS),
        lambda s: plans.update_plan(s, editor, 1, TERMS),
        lambda s: base_configs.global_configs(s, NOBODY),
        lambda s: base_configs.create_base_config(s, editor, name="x", config_data={}),
        lambda s: base_configs.update_base_config(s, editor, 1, is_active=False),
        lambda s: base_configs.delete_base_config(s, editor, 1),
        lambda s: near_limits(s, NOBODY, NOW),
        lambda s: spendings(s, NOBODY, NOW),
        lambda s: overview.overview(s, NOBODY, NOW),
        lambda s: overview.queues(s, NOBODY),
        lambda s: overview.disk(Settings(), NOBODY),
        lambda s: subscription(s, NOBODY, user),
    ]
    with office.database.system() as session:
        before = session.scalar(select(func.count()).select_from(AuditEntry))
        for each in tries:
            with pytest.raises(UserActionError, match="Only an admin may do this"):
                each(session)
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == before


def test_users_are_found_by_parts_of_what_they_are_called(office: Office) -> None:
    for number in range(5):
        office.act(acts.create_account, f"person{number}@example.org", f"Zoë {number}%")
    found, following = office.read(directory.people, directory.PeopleFilter("zoë"), limit=3)
    assert [each.email for each in found] == [f"person{n}@example.org" for n in (4, 3, 2)]
    assert {each.plan for each in found} == {"Free"}
    rest, end = office.read(
        directory.people, directory.PeopleFilter("zoë"), before=following, limit=3
    )
    assert ([each.full_name for each in rest], end) == (["Zoë 1%", "Zoë 0%"], None)
    admins, _ = office.read(directory.people, directory.PeopleFilter(role=Role.ADMIN))
    assert [each.email for each in admins] == ["admin@example.org"]
    assert office.read(directory.people, directory.PeopleFilter("3%"))[0][0].slug == found[1].slug
    assert office.read(directory.people, directory.PeopleFilter(active=False)) == ([], None)
    office.bench.recording()
    (mine,), _ = office.read(
        directory.people, directory.PeopleFilter(role=Role.USER), limit=1, before=found[-1].slug - 2
    )
    assert (mine.id, mine.recordings) == (office.user_id, 1)


def test_rights_change_and_the_last_admin_stays(office: Office) -> None:
    some = {Permission.UPLOAD: False, Permission.EXPORT_DATA: True}
    office.act(acts.change_rights, office.user_id, role=Role.USER, permissions=some)
    with office.database.system() as session:
        assert directory.person(session, ADMIN, office.user_id).can_upload is False
    assert office.told("user.set_permissions").after == {"can_upload": False}
    mine = office.editor.actor.id
    for refused in (
        lambda: office.act(acts.change_rights, mine, role=Role.USER, permissions={}),
        lambda: office.act(acts.switch_account, mine, active=False),
        lambda: acts.delete_account(
            office.database,
            office.bench.storage,
            office.editor,
            str(mine),
            typed="admin@example.org",
        ),
    ):
        with pytest.raises(UserActionError, match="last active admin"):
            refused()
    with pytest.raises(NotFound):
        office.act(acts.switch_account, "01J00000000000000000000009", active=False)


def test_a_link_works_once_and_stands_under_its_address(office: Office) -> None:
    path = office.act(acts.account_link, office.user_id, Purpose.RESET_PASSWORD)
    where, _, token = path.partition("#")
    assert where == "/link/password"
    with office.database.system() as session:
        assert reset_password(session, token, "a quite long password", office.editor.actor)
    with office.database.system() as session, pytest.raises(UserActionError, match="used before"):
        reset_password(session, token, "another long password", office.editor.actor)
    other = office.act(acts.account_link, office.user_id, Purpose.VERIFY_EMAIL)
    assert other.startswith("/link/address#")


def test_a_user_is_deleted_by_their_address(office: Office) -> None:
    storage = office.bench.storage
    with office.database.system() as session:
        email = directory.person(session, ADMIN, office.user_id).email
    with pytest.raises(InputError, match=f"Type {email} to delete"):
        acts.delete_account(office.database, storage, office.editor, office.user_id, typed="yes")
    acts.delete_account(
        office.database, storage, office.editor, office.user_id, typed=f" {email.upper()} "
    )
    with office.database.system() as session, pytest.raises(NotFound):
        directory.person(session, ADMIN, office.user_id)
    assert office.told("user.remove").actor_id == office.editor.actor.id


def test_the_audit_log_goes_page_by_page(office: Office) -> None:
    wanted = AuditFilter(owner_id=office.user_id, action="user")
    for verified in (True, False, True):
        office.act(acts.confirm_address, office.user_id, verified=verified)
    first, following = office.act(acts.audit_page, wanted, limit=2)
    assert [each.after for each in first] == [{"is_verified": True}, {"is_verified": False}]
    rest, end = office.act(acts.audit_page, wanted, before=following, limit=2)
    assert end is None
    assert rest[0].after == {"is_verified": True}


def test_a_plan_is_made_and_changed_with_an_entry_each(office: Office) -> None:
    made = office.act(plans.create_plan, TERMS)
    assert (office.told("plan.create").after or {})["price_monthly"] == "12.50"
    with office.database.system() as session:
        assign_plan(session, office.user_id, "team", change=Change(office.editor.actor, NOW))
    known = {plan.name: (plan, users) for plan, users in office.read(plans.plans_with_users)}
    row, users = known["Team"]
    assert (users, plans.terms_of(row)) == (1, replace(TERMS, price_monthly=Decimal("12.50")))
    tighter = replace(TERMS, limits=replace(TERMS.limits, storage_gb=0), overage_price=None)
    change = (plans.update_plan, made.id, tighter)
    assert office.act(*change, unchanged_since=row.updated_at) is True
    assert office.act(*change) is False
    entry = office.told("plan.update")
    assert entry.before == {
        "included_storage_gb": 20,
        "overage_price_per_unit": "0.2500",
        "overage_unit_type": "recording",
    }
    with office.database.system() as session:
        assert entitlement(session, office.user_id, NOW).limits.storage_gb == 0
    with pytest.raises(StaleChange):
        office.act(plans.update_plan, made.id, TERMS, unchanged_since=row.updated_at)
    with pytest.raises(NotFound):
        office.act(plans.update_plan, 10**6, TERMS)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": " "}, "A plan's name has 1 to 50"),
        ({"name": "x" * 51}, "A plan's name has 1 to 50"),
        ({"name": "free"}, "There is a plan free already"),
        ({"display_name": "a\x00b"}, "A plan's title has"),
        ({"limits": Limits(-1, 0, 0, 0, 0)}, "-1 cannot be a plan's recordings per month"),
        ({"limits": Limits(2**31, 0, 0, 0, 0)}, "cannot be a plan's recordings per month"),
        ({"price_yearly": Decimal(-1)}, "-1 cannot be a plan's price a year"),
        ({"price_monthly": Decimal("NaN")}, "NaN cannot be a plan's price a month"),
        ({"overage_price": Decimal(10**7)}, "cannot be a plan's price of a recording"),
    ],
)
def test_terms_that_cannot_be_are_refused(
    office: Office, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        office.act(plans.create_plan, replace(TERMS, **changes))


def test_the_free_plan_stays_on_and_keeps_its_name(office: Office) -> None:
    with office.database.system() as session:
        free = session.scalars(select(SubscriptionPlan).where(SubscriptionPlan.name == FREE)).one()
    terms = plans.terms_of(free)
    for change in ({"name": "Gratis"}, {"is_active": False}):
        with pytest.raises(InputError, match="The Free plan counts for users without one"):
            office.act(plans.update_plan, free.id, replace(terms, **change))


def test_a_base_configuration_for_all_is_checked_by_its_shape(office: Office) -> None:
    said = {"name": " all ", "config_type": "processing", "config_data": {"silence_threshold": -40}}
    row = office.act(base_configs.create_base_config, **said)
    assert (row.name, row.user_id, row.is_active) == ("all", None, True)
    office.act(base_configs.update_base_config, row.id, is_active=False, name="all")
    entry = office.told("base_config.update")
    assert (entry.before, entry.after) == ({"is_active": True}, {"is_active": False})
    for wrong, sentence in (
        ({"config_data": {"silence": 1}}, "silence"),
        ({"config_data": [1]}, "is a JSON object"),
        ({"config_type": "colours"}, "of one of the kinds processing"),
        ({"name": "  "}, "needs a name"),
    ):
        with pytest.raises(InputError, match=sentence):
            office.act(base_configs.update_base_config, row.id, **wrong)
    with pytest.raises(StaleChange):
        office.act(base_configs.update_base_config, row.id, unchanged_since=NOW, name="b")
    with office.database.tenant(office.user_id) as session:
        own = BaseConfigs(session).create(name="mine", config_type="processing", config_data={}).id
    assert [each.id for each in office.read(base_configs.global_configs)] == [row.id]
    for act in (base_configs.update_base_config, base_configs.delete_base_config):
        with pytest.raises(NotFound, match="There is no base configuration"):
            office.act(act, own)
    office.act(base_configs.delete_base_config, row.id)
    assert office.read(base_configs.global_configs) == []
    assert (office.told("base_config.delete").before or {})["config_data"] == {
        "silence_threshold": -40
    }


def test_who_is_near_a_limit_is_named(office: Office) -> None:
    """By the limits that count at the moment: one's own, else the plan's, else Free's."""
    change = Change(office.editor.actor, NOW - DAY)

    def user(
        name: str,
        recordings: int,
        storage: str,
        plan: str | None,
        period: str = period_of(NOW),
        **own: int,
    ) -> None:
        with office.database.system() as session:
            made = add_user(session, f"{name}@example.org").id
            ends = NOW - timedelta(hours=1) if name == "ended" else None
            if plan is not None:
                assign_plan(session, made, plan, change=change, expires_at=ends)
            if own:
                set_overrides(session, made, own, change=change)
            session.add(
                QuotaUsage(
                    user_id=made,
                    period=period,
                    recordings_count=recordings,
                    storage_used_gb=Decimal(storage),
                )
            )

    user("full", 50, "0", "Plus")
    user("half", 25, "1", "Plus")
    user("own", 9, "0", "Plus", recordings_per_month=10)
    user("stored", 0, "22.5", "Plus")
    user("endless", 10_000, "999", "Enterprise")
    user("none", 0, "0", "Plus", recordings_per_month=0)
    user("idle", 45, "21.25", "Plus", period="202612")
    user("ended", 12, "0", "Pro", recordings_per_month=999)
    found = office.read(near_limits, NOW)
    shares = {each.email.partition("@")[0]: round(each.share, 2) for each in found}
    assert shares == {"ended": 1.2, "full": 1.0, "own": 0.9, "stored": 0.9, "idle": 0.85}
    assert [each.share for each in found] == sorted(shares.values(), reverse=True)
    assert [each.recordings for each in found if each.email.startswith("idle@")] == [0]
    ended = found[0]
    assert (ended.plan, ended.recordings_limit, ended.recordings_forecast) == ("Free", 10, 19)


def test_the_overview_counts_what_there_is(office: Office) -> None:
    bench = office.bench
    now = datetime.now(UTC)
    bench.set(bench.recording(created_at=now), skip_reason="not wanted")
    failed = bench.recording(created_at=now)
    bench.set(failed, download_status="FAILED", failed_at_stage="DOWNLOAD")
    done = bench.recording(created_at=now)
    bench.recording(created_at=now - 400 * DAY)
    with bench.database.system() as session:
        session.add(
            RecordingRun(
                recording_id=done,
                user_id=bench.user_id,
                phase=Phase.PREPARE,
                state=RunState.DONE,
                started_at=now - timedelta(seconds=90),
                finished_at=now,
            )
        )
        session.add(
            QuotaUsage(user_id=bench.user_id, period="202001", storage_used_gb=Decimal("9.00"))
        )
        session.add(
            QuotaUsage(user_id=bench.user_id, period="202002", storage_used_gb=Decimal("2.50"))
        )
    found = office.read(overview.overview, now, days=3)
    assert (found.users, found.recordings, len(found.days)) == (2, 4, 3)
    today = found.days[-1]
    assert today.came == {Outcome.SKIPPED: 1, Outcome.FAILED: 1, Outcome.UNDER_WAY: 1}
    assert (today.prepared, today.typical, today.slow) == (1, 90.0, 90.0)
    assert found.failures == {"DOWNLOAD": 1}
    assert found.storage_gb == Decimal("2.50")
    assert [each.gigabytes for each in found.largest] == [Decimal("2.50")]
    assert office.read(overview.queues) == dict.fromkeys(LIVE_RUN_STATES, 0)
    bench.storage.root.mkdir(parents=True, exist_ok=True)
    here = overview.disk(Settings(storage_root=bench.storage.root), ADMIN)
    assert here is not None
    assert 0 < here.free < here.total


def test_the_ledger_of_the_last_days(office: Office) -> None:
    with office.database.system() as session:
        for back, units in ((0, 7), (13, 5), (14, 3)):
            day = (NOW - timedelta(hours=8) - back * DAY).date()
            session.add(
                QuotaSpent(
                    project="leap",
                    day=day,
                    bucket="units",
                    kind="videos.list",
                    calls=1,
                    units=units,
                )
            )
    assert [each.units for each in office.read(spendings, NOW)] == [7, 5]


def test_a_second_admin_lets_the_first_go(office: Office) -> None:
    with office.database.system() as session:
        other = add_user(session, "second@example.org", role=Role.ADMIN)
        set_role(session, office.user_id, Role.USER, office.editor.actor)
    office.act(acts.switch_account, other.id, active=False)
    with office.database.system() as session:
        assert session.get(User, other.id).is_active is False  # type: ignore[union-attr]
