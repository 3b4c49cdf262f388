"""Users: made once, found in any case, changed with an entry in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.subscriptions import SubscriptionPlan, UserSubscription
from leap_pipeline.db.models.users import User, UserConfig
from leap_pipeline.domain.permissions import Permission, Rights, Role
from leap_pipeline.errors import InputError, LeapError, UserActionError
from leap_pipeline.security.passwords import verify_password
from leap_pipeline.services.audit import SYSTEM, Actor, AuditFilter, entries
from leap_pipeline.services.users import (
    add_user,
    change_email,
    ensure_user,
    find_user,
    list_users,
    remove_user,
    rights_of,
    set_active,
    set_password,
    set_permissions,
    set_role,
    set_verified,
    update_profile,
)
from tests.support.accounts import ADA, PASSWORD, Accounts, cheap_logins, make_accounts, race

EVE, BOSS = "eve@example.org", "boss@example.org"


@pytest.fixture
def accounts(
    shared_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Accounts]:
    with cheap_logins(monkeypatch):
        yield make_accounts(shared_database, tmp_path / "home")


def last_entry(session: Session, user_id: str) -> tuple[str, object, object]:
    entry = entries(session, AuditFilter(owner_id=user_id), limit=1)[0]
    return entry.action, entry.before, entry.after


def test_a_new_user_is_on_the_free_plan_and_cannot_log_in(accounts: Accounts) -> None:
    with accounts.database.system() as session:
        first = add_user(session, EVE)
        user = add_user(session, "New@Example.org", " New ")
        plan = session.scalar(
            select(SubscriptionPlan.name)
            .join(UserSubscription, UserSubscription.plan_id == SubscriptionPlan.id)
            .where(UserSubscription.user_id == user.id)
        )
        assert session.scalars(select(UserConfig).where(UserConfig.user_id == user.id)).one()
        assert plan == "Free"
        assert (user.email, user.full_name) == ("new@example.org", "New")
        assert not verify_password("", user.hashed_password).ok
        assert not verify_password("!", user.hashed_password).ok
        assert rights_of(user) == Rights()
        assert len(user.id) == 26
        assert user.user_slug > first.user_slug


def test_an_address_is_found_in_any_case_and_taken_once(accounts: Accounts) -> None:
    user_id = accounts.add()
    with accounts.database.system() as session:
        assert find_user(session, "ADA@Example.org").id == user_id
        assert ensure_user(session, "Ada@example.org", "x").id == user_id
        with pytest.raises(InputError, match=r"There is a user Ada@example\.org already"):
            add_user(session, "Ada@example.org")


def test_an_address_that_an_older_system_kept_in_mixed_case_is_found(accounts: Accounts) -> None:
    user_id = accounts.add()
    accounts.run("UPDATE users SET email = 'Ada@Example.org' WHERE id = :u", u=user_id)
    assert accounts.login(email=ADA)
    with accounts.database.system() as session, pytest.raises(InputError, match="already"):
        add_user(session, ADA)


def test_of_many_who_take_one_address_at_once_one_gets_it(accounts: Accounts) -> None:
    def take(email: str) -> Callable[[], str]:
        def add() -> str:
            try:
                with accounts.opened()[0].system() as session:
                    return add_user(session, email).id
            except InputError as error:
                return str(error)

        return add

    said = race([take(ADA), take("Ada@example.org"), take("ADA@EXAMPLE.ORG"), take(ADA)])
    assert sorted(len(each) == 26 for each in said) == [False, False, False, True]
    assert sum(each.endswith("already.") for each in said) == 3


@pytest.mark.parametrize(
    "email",
    [
        "",
        "name",
        "a@b",
        "a b@c.d",
        "a@b c.d",
        "x" * 250 + "@b.org",
        "a@b.c\n",
        "a\0@b.c",
        "\u202ea@b.c",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(accounts: Accounts, email: str) -> None:
    with accounts.database.system() as session, pytest.raises(InputError, match="no e-mail addre"):
        add_user(session, email)


def test_a_poor_password_or_name_is_refused_before_anything_is_written(
    accounts: Accounts,
) -> None:
    with accounts.database.system() as session:
        with pytest.raises(InputError, match="shorter than 10"):
            add_user(session, ADA, password="short")
        with pytest.raises(InputError, match="is the e-mail address"):
            add_user(session, ADA, password="Ada@Example.org")
        with pytest.raises(InputError, match="at most 255"):
            add_user(session, ADA, "x" * 256)
        assert session.scalars(select(User)).all() == []


def test_a_user_that_is_switched_off_cannot_be_worked_for(accounts: Accounts) -> None:
    user_id = accounts.add()
    with accounts.database.system() as session:
        set_active(session, user_id, active=False, actor=SYSTEM)
    with accounts.database.system() as session, pytest.raises(InputError, match="is switched off"):
        find_user(session, ADA)


@pytest.mark.parametrize(
    ("change", "entry"),
    [
        (
            lambda session, user: update_profile(
                session, user, full_name="Ada", timezone="Europe/Moscow", actor=SYSTEM
            ),
            ("user.update", {"full_name": None, "timezone": "UTC"},
             {"full_name": "Ada", "timezone": "Europe/Moscow"}),
        ),
        (
            lambda session, user: change_email(session, user, "Love@Lace.org", SYSTEM),
            ("user.update", {"email": ADA}, {"email": "love@lace.org"}),
        ),
        (
            lambda session, user: set_role(session, user, Role.ADMIN, SYSTEM),
            ("user.set_role", {"role": "user"}, {"role": "admin"}),
        ),
        (
            lambda session, user: set_permissions(
                session, user, {Permission.UPLOAD: False, Permission.TRANSCRIBE: True}, SYSTEM
            ),
            ("user.set_permissions", {"can_upload": True}, {"can_upload": False}),
        ),
        (
            lambda session, user: set_active(session, user, active=False, actor=SYSTEM),
            ("user.set_active", {"is_active": True}, {"is_active": False}),
        ),
        (
            lambda session, user: set_verified(session, user, verified=True, actor=SYSTEM),
            ("user.update", {"is_verified": False}, {"is_verified": True}),
        ),
        (
            lambda session, user: set_password(session, user, "another correct horse", SYSTEM),
            ("user.set_password", None, {"sessions_ended": 0}),
        ),
    ],
)  # fmt: skip
def test_a_change_is_in_the_audit_log_and_the_same_again_is_none(
    accounts: Accounts, change: Callable[[Session, str], None], entry: tuple[str, object, object]
) -> None:
    user_id = accounts.add()
    with accounts.database.system() as session:
        change(session, user_id)
        assert last_entry(session, user_id) == entry
        user = session.get_one(User, user_id)
        if entry[2] != {"sessions_ended": 0}:
            assert isinstance(entry[2], dict)
            assert {name: getattr(user, name) for name in entry[2]} == entry[2]
            change(session, user_id)
            assert len(entries(session, AuditFilter(owner_id=user_id))) == 2
        assert user.updated_at is not None


def test_no_hash_and_no_password_gets_into_the_audit_log(accounts: Accounts) -> None:
    user_id = accounts.add()
    with accounts.database.system() as session:
        set_password(session, user_id, "another correct horse", SYSTEM)
        written = " ".join(
            str((entry.before, entry.after))
            for entry in entries(session, AuditFilter(owner_id=user_id))
        )
    assert "correct horse" not in written
    assert "argon2" not in written


def test_another_address_is_free_valid_and_not_verified(accounts: Accounts) -> None:
    user_id = accounts.add()
    accounts.add(EVE)
    with accounts.database.system() as session:
        set_verified(session, user_id, verified=True, actor=SYSTEM)
        with pytest.raises(InputError, match="already"):
            change_email(session, user_id, "EVE@example.org", SYSTEM)
        with pytest.raises(InputError, match="no e-mail address"):
            change_email(session, user_id, "eve", SYSTEM)
        change_email(session, user_id, "ADA@example.org", SYSTEM)
    assert accounts.user(user_id).is_verified
    with accounts.database.system() as session:
        change_email(session, user_id, "love@lace.org", SYSTEM)
    assert not accounts.user(user_id).is_verified


@pytest.mark.parametrize("timezone", ["", "Mars/Olympus", "../../etc/passwd", "utc+3"])
def test_a_time_zone_must_exist(accounts: Accounts, timezone: str) -> None:
    user_id = accounts.add()
    with accounts.database.system() as session, pytest.raises(InputError, match="is no time zone"):
        update_profile(session, user_id, timezone=timezone, actor=SYSTEM)


def test_users_change_their_own_profile_in_their_own_role(accounts: Accounts) -> None:
    user_id, eve = accounts.add(), accounts.add(EVE)
    actor = Actor(user_id, ADA)
    with accounts.database.tenant(user_id) as session:
        update_profile(session, user_id, full_name="Ada", timezone="Europe/London", actor=actor)
        with pytest.raises(InputError, match="There is no user"):
            update_profile(session, eve, full_name="Mallory", actor=actor)
    assert accounts.user(user_id).full_name == "Ada"
    assert accounts.actions(user_id) == ["user.create", "user.update"]


def test_rights_are_what_the_columns_say(accounts: Accounts) -> None:
    user_id = accounts.add(role=Role.ADMIN)
    with accounts.database.system() as session:
        set_permissions(session, user_id, dict.fromkeys(Permission, False), SYSTEM)
    assert rights_of(accounts.user(user_id)) == Rights(Role.ADMIN, frozenset())
    accounts.run("UPDATE users SET role = 'owner' WHERE id = :u", u=user_id)
    assert rights_of(accounts.user(user_id)) == Rights(Role.USER, frozenset())


def test_users_are_listed_in_pages(accounts: Accounts) -> None:
    emails = [ADA, EVE, BOSS]
    for email in emails:
        accounts.add(email)
    with accounts.database.system() as session:
        first = list_users(session, limit=2)
        rest = list_users(session, after_slug=first[-1].user_slug)
    assert [user.email for user in [*first, *rest]] == emails


def demote(session: Session, user_id: str) -> None:
    set_role(session, user_id, Role.USER, SYSTEM)


def switch_off(session: Session, user_id: str) -> None:
    set_active(session, user_id, active=False, actor=SYSTEM)


def remove(session: Session, user_id: str) -> None:
    remove_user(session, user_id, SYSTEM)


ENDS = (demote, switch_off, remove)


@pytest.mark.parametrize("end", ENDS)
def test_the_last_active_admin_stays(
    accounts: Accounts, end: Callable[[Session, str], None]
) -> None:
    boss, idle = accounts.add(BOSS, role=Role.ADMIN), accounts.add(EVE, role=Role.ADMIN)
    with accounts.database.system() as session:
        switch_off(session, idle)
        switch_off(session, idle)  # who is off already is no admin to lose
        with pytest.raises(UserActionError, match=r"^boss@example\.org is the last active admin"):
            end(session, boss)
    assert accounts.user(boss).is_active
    with accounts.database.system() as session:
        set_active(session, idle, active=True, actor=SYSTEM)
        end(session, boss)


@pytest.mark.parametrize("end", ENDS)
def test_two_admins_who_end_each_other_at_once_leave_one(
    accounts: Accounts, end: Callable[[Session, str], None]
) -> None:
    admins = [accounts.add(email, role=Role.ADMIN) for email in (ADA, EVE, BOSS)]

    def act(on: str) -> Callable[[], str]:
        def run() -> str:
            try:
                with accounts.opened()[0].system() as session:
                    end(session, on)
            except LeapError as error:
                return str(error)
            return "done"

        return run

    said = race([act(admin) for admin in admins])
    assert sorted(each == "done" for each in said) == [False, True, True]
    with accounts.database.system() as session:
        assert session.scalars(select(User.id).where(User.role == "admin", User.is_active)).one()


def test_a_removed_user_takes_all_rows_along_and_leaves_the_audit_log(accounts: Accounts) -> None:
    user_id = accounts.add()
    accounts.login()
    slug = accounts.user(user_id).user_slug
    with accounts.database.system() as session:
        assert remove_user(session, user_id, SYSTEM) == slug
    with accounts.database.system() as session:
        assert session.get(User, user_id) is None
        with pytest.raises(InputError, match=f"There is no user {user_id}"):
            remove_user(session, user_id, SYSTEM)
    assert accounts.actions(user_id) == ["user.create", "session.start", "user.remove"]


def test_a_password_can_be_set_for_a_user_who_had_none(accounts: Accounts) -> None:
    with accounts.database.system() as session:
        user_id = add_user(session, ADA).id
        set_password(session, user_id, PASSWORD, SYSTEM)
    assert accounts.login()
