"""Logging in: in the same words and time for any failure, and only so often."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import bcrypt
import pytest
from sqlalchemy import func, select

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.audit import LoginAttempt
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.throttling import ACCOUNT, ADDRESS
from leap_pipeline.errors import LoginRefused, MustWaitError
from leap_pipeline.security.passwords import hash_password
from leap_pipeline.services import login
from leap_pipeline.services.audit import SYSTEM, Actor
from leap_pipeline.services.links import Purpose, make_link, reset_password
from leap_pipeline.services.login_attempts import sweep_attempts
from leap_pipeline.services.users import set_active
from tests.support.accounts import (
    ADA,
    CAFE,
    HOME,
    LAIR,
    PASSWORD,
    Accounts,
    cheap_logins,
    make_accounts,
    race,
)

NOBODY = "nobody@example.org"


@pytest.fixture
def accounts(
    shared_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Accounts]:
    with cheap_logins(monkeypatch):
        yield make_accounts(shared_database, tmp_path / "home")


def fail(accounts: Accounts, address: str = LAIR, email: str = ADA) -> str:
    """Which of the two refusals a wrong password met."""
    try:
        accounts.login(address, email, "wrong horse")
    except LoginRefused:
        return "wrong"
    except MustWaitError:
        return "wait"
    return "in"


def fail_until_told_to_wait(accounts: Accounts, address: str = LAIR, email: str = ADA) -> int:
    tries = 0
    while fail(accounts, address, email) == "wrong":
        tries += 1
    return tries


def entered(accounts: Accounts) -> list[tuple[str, bool]]:
    with accounts.database.system() as session:
        rows = session.scalars(select(LoginAttempt).order_by(LoginAttempt.id))
        return [(row.email, row.succeeded) for row in rows]


@pytest.mark.parametrize("email", [ADA, NOBODY, "no address", "", "a\0b@c.d", "\ud800", "x" * 999])
def test_a_wrong_password_and_a_wrong_address_sound_the_same(
    accounts: Accounts, email: str
) -> None:
    accounts.add()
    for _ in range(ACCOUNT.free):
        with pytest.raises(LoginRefused) as refused:
            accounts.login(LAIR, email, "wrong horse")
        assert str(refused.value) == login.WRONG
    with pytest.raises(MustWaitError, match=r"^Too many attempts .+: try again in (49|50) s\.$"):
        accounts.login(LAIR, email, PASSWORD)


@pytest.mark.parametrize("email", [ADA, NOBODY])
def test_they_take_the_same_time_whatever_hash_is_stored(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch, email: str
) -> None:
    user_id = accounts.add()
    quick = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
    accounts.run("UPDATE users SET hashed_password = :h WHERE id = :u", h=quick, u=user_id)
    monkeypatch.setattr(login, "FAILURE_SECONDS", 0.5)
    began = time.monotonic()
    assert fail(accounts, email=email) == "wrong"
    assert 0.5 <= time.monotonic() - began < 1.5


def test_an_older_hash_is_replaced_at_login(accounts: Accounts) -> None:
    user_id = accounts.add()
    older = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    accounts.run("UPDATE users SET hashed_password = :h WHERE id = :u", h=older, u=user_id)
    assert fail(accounts) == "wrong"
    assert accounts.user(user_id).hashed_password == older
    assert accounts.login()
    assert accounts.user(user_id).hashed_password.startswith("$argon2id$")
    assert accounts.login()


def test_a_password_changed_during_the_login_counts(
    accounts: Accounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the comparison and the session somebody sets another password."""
    user_id = accounts.add()
    check = login._check

    def change_after(user: User | None, password: str) -> login._Checked | None:
        checked = check(user, password)
        other = hash_password("another correct horse")
        accounts.run("UPDATE users SET hashed_password = :h WHERE id = :u", h=other, u=user_id)
        return checked

    monkeypatch.setattr(login, "_check", change_after)
    with pytest.raises(LoginRefused):
        accounts.login()


def test_who_is_switched_off_learns_it_by_the_right_password_only(accounts: Accounts) -> None:
    user_id = accounts.add()
    with accounts.database.system() as session:
        set_active(session, user_id, active=False, actor=SYSTEM)
    assert fail(accounts) == "wrong"
    with pytest.raises(LoginRefused, match="This account is switched off: ask an admin"):
        accounts.login()
    assert (ADA, True) not in entered(accounts)


def test_of_twenty_guesses_at_once_only_the_free_ones_are_looked_at(accounts: Accounts) -> None:
    accounts.add()

    def guess(number: int) -> str:
        _, sessions = accounts.opened()
        return fail(Accounts(accounts.database, sessions, accounts.home), f"203.0.113.{number}")

    answers = race([partial(guess, number) for number in range(20)])
    assert answers.count("wrong") == ACCOUNT.free
    assert answers.count("wait") == 20 - ACCOUNT.free
    assert entered(accounts) == [(ADA, False)] * ACCOUNT.free


def test_the_wait_doubles_up_to_its_longest_and_hammering_adds_nothing(accounts: Accounts) -> None:
    accounts.add()
    assert fail_until_told_to_wait(accounts) == ACCOUNT.free
    waits = []
    for _ in range(6):
        for _ in range(3):
            with pytest.raises(MustWaitError) as told:
                accounts.login(LAIR)
        with accounts.database.system() as session:
            now = session.scalars(select(func.clock_timestamp())).one()
        wait = (told.value.due_at - now).total_seconds()
        waits.append(math.ceil(wait / 10) * 10)
        accounts.later(wait)
        assert fail(accounts) == "wrong"
    assert waits == [50, 100, 200, 400, 800, 900]


def test_after_the_window_all_is_forgotten(accounts: Accounts) -> None:
    accounts.add()
    fail_until_told_to_wait(accounts)
    accounts.later(ACCOUNT.window.total_seconds() + 1)
    assert fail_until_told_to_wait(accounts) == ACCOUNT.free


def test_a_stranger_cannot_lock_the_owner_out_of_the_usual_place(accounts: Accounts) -> None:
    accounts.add()
    accounts.login(HOME)
    fail_until_told_to_wait(accounts)
    assert accounts.login(HOME)
    with pytest.raises(MustWaitError):
        accounts.login(CAFE)
    # and the owner's logins give the stranger no new guesses
    assert fail(accounts) == "wait"
    # at the usual place guesses are counted, too
    assert fail_until_told_to_wait(accounts, HOME) == ACCOUNT.free


def test_a_new_place_is_known_after_a_link_that_sets_the_password(accounts: Accounts) -> None:
    user_id = accounts.add()
    fail_until_told_to_wait(accounts)
    with pytest.raises(MustWaitError):
        accounts.login(CAFE)
    with accounts.database.system() as session:
        token = make_link(session, user_id, Purpose.RESET_PASSWORD, SYSTEM)
    with accounts.database.system() as session:
        reset_password(session, token, "another correct horse", Actor(None, "a link", CAFE))
    assert accounts.login(CAFE, password="another correct horse")
    assert fail(accounts) == "wait"


def test_a_place_is_forgotten_after_thirty_days(accounts: Accounts) -> None:
    accounts.add()
    accounts.login(HOME)
    accounts.later(31 * 86400)
    fail_until_told_to_wait(accounts)
    with pytest.raises(MustWaitError):
        accounts.login(HOME)
    with accounts.database.system() as session:
        assert sweep_attempts(session) == 1
    assert len(entered(accounts)) == ACCOUNT.free


def test_mistakes_before_a_success_are_forgiven(accounts: Accounts) -> None:
    accounts.add()
    for _ in range(3):
        for _ in range(ACCOUNT.free - 1):
            assert fail(accounts, HOME) == "wrong"
        assert accounts.login(HOME)
    # nor do they count against the owner at a new place
    assert fail_until_told_to_wait(accounts, CAFE) == ACCOUNT.free


def test_one_address_that_tries_many_accounts_waits(accounts: Accounts) -> None:
    accounts.add()
    tries = 0
    while fail(accounts, LAIR, f"user{tries}@example.org") == "wrong":
        tries += 1
    assert tries == ADDRESS.free
    with pytest.raises(MustWaitError):
        accounts.login(LAIR)
    assert accounts.login(HOME)
    accounts.later(ADDRESS.window.total_seconds() + 1)
    assert accounts.login(LAIR)


def test_a_success_of_ones_own_frees_no_guesses_at_others(accounts: Accounts) -> None:
    accounts.add("eve@example.org")
    for number in range(ADDRESS.free):
        assert fail(accounts, LAIR, f"user{number}@example.org") == "wrong"
        if number < 3:
            assert accounts.login(LAIR, "eve@example.org")
    assert fail(accounts, LAIR, NOBODY) == "wait"
    assert accounts.login(LAIR, "eve@example.org")  # known there, whatever others do


def test_an_ipv6_customer_is_one_address(accounts: Accounts) -> None:
    accounts.add()
    accounts.login("2001:db8:1:2::1")
    fail_until_told_to_wait(accounts)
    assert accounts.login("2001:db8:1:2:ffff::2")
    with pytest.raises(MustWaitError):
        accounts.login("2001:db8:1:3::1")


def test_without_an_address_the_account_counts(accounts: Accounts) -> None:
    accounts.add()
    assert accounts.sessions.login(ADA, PASSWORD)
    assert fail_until_told_to_wait(accounts) == ACCOUNT.free
    with pytest.raises(MustWaitError):
        accounts.sessions.login(ADA, PASSWORD)


def test_right_passwords_are_not_failures(accounts: Accounts) -> None:
    accounts.add()
    for _ in range(ACCOUNT.free + 3):
        assert accounts.login(CAFE)
    assert set(entered(accounts)) == {(ADA, True)}
