"""Sessions: logging in, rotation with its grace, replay, and every way of ending."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import RefreshToken
from leap_pipeline.domain.addresses import Origin
from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.errors import LoginRefused, SessionEnded
from leap_pipeline.security.tokens import fingerprint
from leap_pipeline.services.audit import SYSTEM, AuditFilter, entries
from leap_pipeline.services.sessions import Sessions, sweep
from leap_pipeline.services.token_families import live_sessions
from leap_pipeline.services.users import (
    remove_user,
    set_active,
    set_password,
    set_permissions,
    set_role,
)
from leap_pipeline.settings import Settings
from tests.support.accounts import (
    ADA,
    CAFE,
    HOME,
    PASSWORD,
    Accounts,
    cheap_logins,
    make_accounts,
    race,
)


@pytest.fixture
def accounts(
    shared_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Accounts]:
    with cheap_logins(monkeypatch):
        yield make_accounts(shared_database, tmp_path / "home")


def tokens(accounts: Accounts) -> int:
    with accounts.database.system() as session:
        return session.scalars(select(func.count(RefreshToken.id))).one()


def lives(accounts: Accounts, token: str) -> bool:
    try:
        accounts.sessions.check_token(token)
    except SessionEnded:
        return False
    return True


def test_a_login_leaves_a_hash_and_where_it_came_from(accounts: Accounts) -> None:
    user_id = accounts.add()
    issued = accounts.sessions.login(" Ada@Example.ORG ", PASSWORD, Origin.of(HOME, "Firefox"))
    assert issued.user_id == user_id
    with accounts.database.system() as session:
        [row] = session.scalars(select(RefreshToken))
        [info] = live_sessions(session, user_id)
        now = session.scalars(select(func.now())).one()
    assert row.token == fingerprint(issued.token)
    assert issued.token not in str(vars(row))
    assert 29.9 < (row.expires_at - now).total_seconds() / 86400 < 30
    assert (info.family_id, info.ip_address, info.user_agent) == (
        issued.family_id, HOME, "Firefox",
    )  # fmt: skip
    assert abs((info.started_at - info.last_seen_at).total_seconds()) < 0.001
    user = accounts.user(user_id)
    assert user.last_login_at == info.last_seen_at
    assert accounts.actions(user_id) == ["user.create", "session.start"]


def test_a_session_knows_its_user_as_the_database_has_it_now(accounts: Accounts) -> None:
    user_id = accounts.add()
    token = accounts.login()
    family = accounts.sessions.check_token(token).family_id
    with accounts.database.system() as session:
        set_role(session, user_id, Role.ADMIN, SYSTEM)
        set_permissions(session, user_id, {Permission.UPLOAD: False}, SYSTEM)
    found = accounts.sessions.check(family)
    assert (found.user_id, found.email, found.timezone) == (user_id, ADA, "UTC")
    assert found.rights.is_admin
    assert not found.rights.may(Permission.UPLOAD)
    assert found.rights.may(Permission.EXPORT_DATA)


def test_a_token_is_rotated_within_its_family(accounts: Accounts) -> None:
    accounts.add()
    first = accounts.login()
    second = accounts.sessions.refresh(first, Origin.of(CAFE, "Chrome"))
    assert second.token != first
    assert lives(accounts, second.token)
    with accounts.database.tenant(second.user_id) as session:  # users see their own
        [info] = live_sessions(session, second.user_id)
    assert (info.family_id, info.ip_address, info.user_agent) == (
        second.family_id, CAFE, "Chrome",
    )  # fmt: skip


def test_two_tabs_that_refresh_at_once_both_live_on_and_a_later_replay_ends_them(
    accounts: Accounts,
) -> None:
    user_id = accounts.add()
    first = accounts.login()
    elsewhere = accounts.login(CAFE)

    def tab() -> str:
        return accounts.opened()[1].refresh(first).token

    left, right = race([tab, tab])
    assert left != right
    for token in (left, right):
        assert lives(accounts, token)
        assert lives(accounts, accounts.sessions.refresh(token).token)

    accounts.later(29)
    third = accounts.sessions.refresh(left).token
    accounts.later(31)
    assert lives(accounts, third)
    with pytest.raises(SessionEnded):
        accounts.sessions.refresh(first, Origin.of("203.0.113.9", "thief"))
    assert not lives(accounts, third)
    assert not lives(accounts, right)
    with pytest.raises(SessionEnded):
        accounts.sessions.refresh(third)
    assert lives(accounts, elsewhere)
    with accounts.database.system() as session:
        [replay] = entries(session, AuditFilter(owner_id=user_id, action="session.replay"))
    assert (str(replay.ip_address), replay.user_agent) == ("203.0.113.9", "thief")


def test_a_replay_leaves_no_token_that_is_born_at_the_same_moment(accounts: Accounts) -> None:
    accounts.add()
    first = accounts.login()
    second = accounts.sessions.refresh(first).token
    accounts.later(31)

    def use(token: str) -> Callable[[], str]:
        def refresh() -> str:
            try:
                return accounts.opened()[1].refresh(token).token
            except SessionEnded:
                return ""

        return refresh

    *replays, born = race([use(first)] * 5 + [use(second)])
    assert replays == [""] * 5
    assert not born or not lives(accounts, born)


def test_without_a_grace_the_second_tab_is_a_replay(accounts: Accounts) -> None:
    accounts.add()
    first = accounts.login()
    strict = Sessions(
        accounts.database, Settings(home=accounts.home, session_grace_seconds=0, session_days=1)
    )
    second = strict.refresh(first).token
    with pytest.raises(SessionEnded):
        strict.refresh(first)
    assert not lives(accounts, second)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "\ud800", "é", "x" * 5000])
def test_what_is_no_token_is_a_session_that_has_ended(accounts: Accounts, token: str) -> None:
    for use in (accounts.sessions.refresh, accounts.sessions.check_token):
        with pytest.raises(SessionEnded, match=r"^You are logged out: log in again\.$"):
            use(token)


def test_a_token_of_another_homes_key_is_worth_nothing(accounts: Accounts, tmp_path: Path) -> None:
    accounts.add()
    other = Sessions(accounts.database, Settings(home=tmp_path / "other"))
    token = other.login(ADA, PASSWORD).token
    with pytest.raises(SessionEnded):
        accounts.sessions.refresh(token)
    assert other.refresh(token)


def test_a_genuine_token_without_its_row_is_worth_nothing(accounts: Accounts) -> None:
    user_id = accounts.add()
    token = accounts.login()
    accounts.run("DELETE FROM refresh_tokens")
    with pytest.raises(SessionEnded):
        accounts.sessions.refresh(token)
    token = accounts.login()
    with accounts.database.system() as session:
        set_role(session, accounts.add("boss@example.org"), Role.ADMIN, SYSTEM)
        remove_user(session, user_id, SYSTEM)
    with pytest.raises(SessionEnded):
        accounts.sessions.refresh(token)


def test_sessions_expire_by_the_databases_clock_and_are_swept(accounts: Accounts) -> None:
    accounts.add()
    old = accounts.login()
    accounts.later(29 * 86400)
    assert lives(accounts, old)
    kept = accounts.login(CAFE)
    accounts.later(2 * 86400)
    assert not lives(accounts, old)
    with pytest.raises(SessionEnded):
        accounts.sessions.refresh(old)
    with accounts.database.system() as session:
        assert sweep(session) == {"tokens": 1, "links": 0, "attempts": 1}
    assert tokens(accounts) == 1
    assert lives(accounts, kept)


def deactivate(accounts: Accounts, user_id: str, _: str) -> None:
    with accounts.database.system() as session:
        set_active(session, user_id, active=False, actor=SYSTEM)


def change_password(accounts: Accounts, user_id: str, _: str) -> None:
    with accounts.database.system() as session:
        set_password(session, user_id, "another correct horse", SYSTEM)


def log_out(accounts: Accounts, user_id: str, family: str) -> None:
    accounts.sessions.logout(user_id, family, SYSTEM)


def log_out_everywhere(accounts: Accounts, user_id: str, _: str) -> None:
    assert accounts.sessions.logout_everywhere(user_id, SYSTEM) == 2


@pytest.mark.parametrize(
    ("end", "others_end"),
    [(deactivate, True), (change_password, True), (log_out, False), (log_out_everywhere, True)],
)
def test_every_way_of_ending_a_session(
    accounts: Accounts, end: Callable[[Accounts, str, str], None], others_end: bool
) -> None:
    user_id, stranger = accounts.add(), accounts.add("eve@example.org")
    rotated = accounts.login()
    token = accounts.sessions.refresh(rotated)
    other = accounts.login(CAFE)
    theirs = accounts.login(CAFE, "eve@example.org")
    end(accounts, user_id, token.family_id)
    for ended in (token.token, rotated):  # the rotated one within its grace, too
        with pytest.raises(SessionEnded):
            accounts.sessions.refresh(ended)
    with pytest.raises(SessionEnded):
        accounts.sessions.check(token.family_id)
    assert lives(accounts, other) is not others_end
    assert lives(accounts, theirs)
    assert accounts.actions(stranger) == ["user.create", "session.start"]


def test_nobody_ends_a_session_of_somebody_else(accounts: Accounts) -> None:
    accounts.add()
    eve = accounts.add("eve@example.org")
    token = accounts.login()
    family = accounts.sessions.check_token(token).family_id
    accounts.sessions.logout(eve, family, SYSTEM)
    assert lives(accounts, token)


def test_an_account_that_is_switched_off_behind_our_back_is_refused(accounts: Accounts) -> None:
    """By SQL, which ends no session."""
    user_id = accounts.add()
    token = accounts.login()
    accounts.run("UPDATE users SET is_active = false WHERE id = :u", u=user_id)
    assert not lives(accounts, token)
    with pytest.raises(SessionEnded):
        accounts.sessions.refresh(token)


def test_an_account_that_is_switched_on_again_has_no_sessions(accounts: Accounts) -> None:
    user_id = accounts.add()
    token = accounts.login()
    deactivate(accounts, user_id, "")
    with pytest.raises(LoginRefused, match="This account is switched off"):
        accounts.login()
    with accounts.database.system() as session:
        set_active(session, user_id, active=True, actor=SYSTEM)
    assert not lives(accounts, token)
    assert lives(accounts, accounts.login())


def test_no_session_is_born_while_its_user_is_switched_off(accounts: Accounts) -> None:
    user_id = accounts.add()
    token = accounts.login()

    def refresh() -> str:
        try:
            return accounts.opened()[1].refresh(token).token
        except SessionEnded:
            return ""

    def switch_off() -> str:
        database, _ = accounts.opened()
        with database.system() as session:
            set_active(session, user_id, active=False, actor=SYSTEM)
        return ""

    born = race([refresh] * 4 + [switch_off])
    with accounts.database.system() as session:
        set_active(session, user_id, active=True, actor=SYSTEM)
    assert not any(lives(accounts, token) for token in born if token)


def test_changing_the_own_password_keeps_this_session_only(accounts: Accounts) -> None:
    accounts.add()
    token, other = accounts.login(), accounts.login(CAFE)
    who = accounts.sessions.check_token(token)
    with pytest.raises(LoginRefused):
        accounts.sessions.change_password(who, "wrong horse", "another correct horse")
    accounts.sessions.change_password(who, PASSWORD, "another correct horse")
    assert lives(accounts, token)
    assert not lives(accounts, other)
    assert lives(accounts, accounts.login(password="another correct horse"))


def test_the_key_is_made_once_for_its_owner_alone(accounts: Accounts) -> None:
    """Sessions of many processes that start at once in a new home share one key."""
    accounts.add()
    home = accounts.home.with_name("new")

    def start() -> str:
        return (
            Sessions(Database(accounts.database.urls), Settings(home=home))
            .login(ADA, PASSWORD)
            .token
        )

    issued = race([start] * 4)
    key = home / "session.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert all(
        lives(
            Accounts(accounts.database, Sessions(accounts.database, Settings(home=home)), home),
            token,
        )
        for token in issued
    )
