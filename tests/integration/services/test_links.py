"""One-time links: one thing, once, by whoever holds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import OneTimeLink
from leap_pipeline.errors import InputError, SessionEnded, UserActionError
from leap_pipeline.security.tokens import fingerprint
from leap_pipeline.services.audit import SYSTEM, Actor, AuditFilter, entries
from leap_pipeline.services.links import (
    VALID_FOR,
    Purpose,
    make_link,
    reset_password,
    sweep_links,
    verify_email,
)
from leap_pipeline.services.users import change_email, set_active, set_password
from tests.support.accounts import ADA, CAFE, Accounts, cheap_logins, make_accounts, race

HOLDER = Actor(None, "a link", CAFE, "Firefox")
SPENT = "This link was used before or has expired: ask for a new one."
NEW = "another correct horse"


@pytest.fixture
def accounts(
    shared_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Accounts]:
    with cheap_logins(monkeypatch):
        yield make_accounts(shared_database, tmp_path / "home")


def make(accounts: Accounts, user_id: str, purpose: Purpose = Purpose.RESET_PASSWORD) -> str:
    with accounts.database.system() as session:
        return make_link(session, user_id, purpose, SYSTEM)


def reset(accounts: Accounts, token: str, password: str = NEW) -> str:
    with accounts.database.system() as session:
        return reset_password(session, token, password, HOLDER)


def refused(accounts: Accounts, token: str) -> None:
    with pytest.raises(UserActionError) as error:
        reset(accounts, token)
    assert str(error.value) == SPENT


def test_a_link_sets_a_password_once_and_ends_all_sessions(accounts: Accounts) -> None:
    user_id = accounts.add()
    old = accounts.login()
    token = make(accounts, user_id)
    assert reset(accounts, token) == user_id
    refused(accounts, token)
    with pytest.raises(SessionEnded):
        accounts.sessions.refresh(old)
    assert accounts.login(password=NEW)
    with accounts.database.system() as session:
        [entry] = entries(session, AuditFilter(owner_id=user_id, action="user.set_password"))
    assert (entry.actor_id, str(entry.ip_address)) == (user_id, CAFE)


def test_only_its_hash_is_kept(accounts: Accounts) -> None:
    token = make(accounts, accounts.add())
    with accounts.database.system() as session:
        [row] = session.scalars(select(OneTimeLink))
        written = str([entry.after for entry in entries(session)])
    assert row.token_hash == fingerprint(token)
    assert token not in written


def test_of_two_who_use_one_link_at_once_one_wins(accounts: Accounts) -> None:
    token = make(accounts, accounts.add())

    def use(password: str) -> str:
        try:
            with accounts.opened()[0].system() as session:
                reset_password(session, token, password, HOLDER)
        except UserActionError as error:
            return str(error)
        return password

    said = race([lambda: use("the first new horse"), lambda: use("the second new horse")])
    assert SPENT in said
    [winner] = [each for each in said if each != SPENT]
    assert accounts.login(password=winner)


def test_it_ends_by_the_databases_clock_and_is_swept(accounts: Accounts) -> None:
    user_id = accounts.add()
    token = make(accounts, user_id)
    kept = make(accounts, user_id, Purpose.VERIFY_EMAIL)
    accounts.later(VALID_FOR[Purpose.RESET_PASSWORD].total_seconds() + 1)
    refused(accounts, token)
    with accounts.database.system() as session:
        assert sweep_links(session) == 1
        assert verify_email(session, kept, HOLDER) == user_id


def test_a_link_does_what_it_is_for_and_nothing_else(accounts: Accounts) -> None:
    user_id = accounts.add()
    verify = make(accounts, user_id, Purpose.VERIFY_EMAIL)
    refused(accounts, verify)
    refused(accounts, "")
    refused(accounts, "\ud800")
    with accounts.database.system() as session:
        verify_email(session, verify, HOLDER)
    assert accounts.user(user_id).is_verified


def test_a_newer_link_ends_the_older_one_of_its_kind(accounts: Accounts) -> None:
    user_id = accounts.add()
    older = make(accounts, user_id)
    verify = make(accounts, user_id, Purpose.VERIFY_EMAIL)
    newer = make(accounts, user_id)
    refused(accounts, older)
    with accounts.database.system() as session:
        verify_email(session, verify, HOLDER)
    reset(accounts, newer)


def test_a_password_that_the_policy_refuses_leaves_the_link(accounts: Accounts) -> None:
    token = make(accounts, accounts.add())
    with pytest.raises(InputError, match="shorter than 10"):
        reset(accounts, token, "short")
    assert reset(accounts, token)


def test_what_changes_the_account_ends_its_links(accounts: Accounts) -> None:
    user_id = accounts.add()
    token = make(accounts, user_id)
    with accounts.database.system() as session:
        set_password(session, user_id, NEW, SYSTEM)
    refused(accounts, token)
    verify = make(accounts, user_id, Purpose.VERIFY_EMAIL)
    with accounts.database.system() as session:
        change_email(session, user_id, "love@lace.org", SYSTEM)
        with pytest.raises(UserActionError, match="used before"):
            verify_email(session, verify, HOLDER)


def test_a_link_does_not_let_in_who_is_switched_off(accounts: Accounts) -> None:
    user_id = accounts.add()
    token = make(accounts, user_id)
    with accounts.database.system() as session:
        set_active(session, user_id, active=False, actor=SYSTEM)
    refused(accounts, token)
    with pytest.raises(UserActionError, match=f"{ADA} is switched off"):
        make(accounts, user_id)
