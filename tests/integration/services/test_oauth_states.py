"""Logins that have begun: what their rows hold, who sees them, how often one is good."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import delete, text

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import User
from leap_pipeline.errors import UserActionError
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.oauth_platforms import Login
from leap_pipeline.services.oauth_states import OAuthStates, Whose
from leap_pipeline.services.stored_secrets import take_stock
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings

THREADS = 8
BACK = "https://leap.example.edu/oauth/youtube/callback"


@pytest.fixture
def states(shared_database: Database, tmp_path: Path) -> OAuthStates:
    with shared_database.system() as session:
        session.execute(delete(User))
    return OAuthStates(shared_database, load_vault(Settings(home=tmp_path)))


@pytest.fixture
def whose(states: OAuthStates) -> Whose:
    with states.database.system() as session:
        user_id = add_user(session, "ada@example.org").id
    return Whose(user_id, "canary-browser-session", Login.YOUTUBE, "code", BACK)


def test_of_many_who_come_at_once_with_a_state_one_goes_on(
    states: OAuthStates, whose: Whose
) -> None:
    state, begun = states.begin(whose, account_name="Physics")

    def end(_: int) -> str:
        try:
            found = states.end(whose, state)
        except UserActionError as refused:
            return str(refused)
        assert found == begun
        return "good"

    with ThreadPoolExecutor(THREADS) as pool:
        said = list(pool.map(end, range(THREADS)))
    assert said.count("good") == 1
    assert sum("was used already" in each for each in said) == THREADS - 1


def test_a_row_holds_nothing_that_helps_a_thief(states: OAuthStates, whose: Whose) -> None:
    state, begun = states.begin(whose)
    with states.database.system() as session:
        row = str(session.execute(text("SELECT o::text FROM oauth_states o")).one())
    for secret in (state, whose.browser, begun.verifier.get_secret_value()):
        assert secret not in row
        assert secret not in repr((whose, begun))
    assert take_stock(states.database, states.vault).current == 1


def test_no_tenant_sees_logins(states: OAuthStates, whose: Whose) -> None:
    states.begin(whose)
    with states.database.tenant(whose.user_id) as session:
        allowed = session.scalar(text("SELECT has_table_privilege('oauth_states', 'SELECT')"))
        rows = session.scalar(text("SELECT count(*) FROM oauth_states")) if allowed else 0
    assert rows == 0


def test_a_new_login_sweeps_those_that_expired(states: OAuthStates, whose: Whose) -> None:
    state, _ = states.begin(whose)
    with states.database.system() as session:
        session.execute(text("UPDATE oauth_states SET expires_at = now() - interval '1 second'"))
    states.begin(whose)
    with states.database.system() as session:
        assert session.scalar(text("SELECT count(*) FROM oauth_states")) == 1
    with pytest.raises(UserActionError, match="was used already, has expired"):
        states.end(whose, state)


def test_a_login_ends_with_its_user(states: OAuthStates, whose: Whose) -> None:
    state, _ = states.begin(whose)
    with states.database.system() as session:
        session.execute(text("DELETE FROM users"))
    with pytest.raises(UserActionError, match="never began"):
        states.end(whose, state)
