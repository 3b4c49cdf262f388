"""Grants under tokens of 2 seconds, at a server that ends a family whose token is used twice."""

from __future__ import annotations

import time
from collections import Counter

import pytest

from leap_pipeline.errors import UserActionError
from leap_pipeline.services.oauth_platforms import Login
from leap_pipeline.web.errors import CredentialRefused
from tests.support.at_once import race
from tests.support.oidc import IDS, Connecting, Work, die_before_the_commit, use

WORKERS = 10
SECONDS = 3.5
USED_FOR = 1.5  # seconds, of a token that lives 2
ROTATING = (Login.ZOOM, Login.VK_ID)


def renewals(connecting: Connecting, login: Login) -> Counter[str]:
    """What the server made of renewals, by name."""
    found: Counter[str] = Counter()
    for (what, client, grant), times in connecting.oidc.ledger().items():
        if client == IDS[login] and grant == "refresh_token":
            found[what] += times
    return found


def work(connecting: Connecting, credential_id: int, seconds: float = 0) -> Work:
    settings, url = connecting.settings, connecting.oidc.url
    return Work(settings, url, connecting.user_id, credential_id, seconds)


def test_ten_processes_never_lose_a_family(connecting: Connecting) -> None:
    number = connecting.connect(Login.VK_ID).id
    before = renewals(connecting, Login.VK_ID)
    told = [work(connecting, number, SECONDS)] * WORKERS
    began = time.monotonic()
    assert race(connecting.database, use, told) == ["ok"] * WORKERS
    done = renewals(connecting, Login.VK_ID) - before
    assert set(done) == {"grant.success"}
    assert 2 <= done["grant.success"] <= (time.monotonic() - began) / USED_FOR + 1
    # The family lives: the stored refresh token is good.
    source = connecting.tokens(number)
    token = source.renew(connecting.stored(number).access_token)
    assert connecting.takes(token)
    assert connecting.row(number).is_active


@pytest.mark.parametrize("login", [*ROTATING, Login.YOUTUBE])
def test_a_renewed_grant_is_stored_as_the_platform_rotates(
    connecting: Connecting, login: Login
) -> None:
    number = connecting.connect(login).id
    before = connecting.stored(number)
    assert connecting.takes(connecting.tokens(number).renew(before.access_token))
    after = connecting.stored(number)
    assert after.access_token != before.access_token
    rotates = login in ROTATING
    assert (after.refresh_token != before.refresh_token) == rotates
    assert after.previous_refresh_token == (before.refresh_token if rotates else None)
    assert (after.account, after.client_id) == (before.account, before.client_id)
    assert getattr(after, "device_id", None) == getattr(before, "device_id", None)


@pytest.mark.parametrize("login", ROTATING)
def test_a_family_that_a_death_lost_is_connected_again(
    connecting: Connecting, login: Login
) -> None:
    """No client can save it where the server forgives nothing; it is noticed, and mended once."""
    number = connecting.connect(login).id
    before = connecting.stored(number)
    assert die_before_the_commit(connecting.database, work(connecting, number)) == -9
    assert connecting.stored(number) == before
    with pytest.raises(CredentialRefused, match=r"connect the account again\.$"):
        connecting.tokens(number).renew(before.access_token)
    assert not connecting.row(number).is_active
    with pytest.raises(UserActionError, match="is inactive: connect it again"):
        connecting.tokens(number).get()
    assert connecting.connect(login, credential_id=number).id == number
    assert connecting.takes(connecting.tokens(number).get())


def test_a_death_costs_nothing_where_tokens_stay_the_same(connecting: Connecting) -> None:
    number = connecting.connect(Login.YOUTUBE).id
    before = connecting.stored(number)
    assert die_before_the_commit(connecting.database, work(connecting, number)) == -9
    assert connecting.takes(connecting.tokens(number).renew(before.access_token))
    assert connecting.row(number).is_active


def test_without_its_device_a_grant_of_vk_id_is_connected_again(connecting: Connecting) -> None:
    number = connecting.connect(Login.VK_ID).id
    stored = connecting.stored(number)
    connecting.put(number, stored.model_copy(update={"device_id": None}))
    with pytest.raises(CredentialRefused, match="device_id of the account is not known"):
        connecting.tokens(number).renew(stored.access_token)
    assert not connecting.row(number).is_active


def test_a_pasted_token_that_is_refused_is_connected_again(connecting: Connecting) -> None:
    person = {"account": "Ada", "number": 1001, "scopes": ["video"]}
    connecting.oidc.control(tokens={"vk1.a.canary-pasted": person})
    number = connecting.connections.paste(connecting.visitor(), "vk1.a.canary-pasted").id
    source = connecting.tokens(number)
    token = source.get()
    with pytest.raises(CredentialRefused, match="nothing renews it: connect the account again"):
        source.renew(token)
    assert not connecting.row(number).is_active


def test_another_app_in_the_settings_costs_nobody_the_grant(connecting: Connecting) -> None:
    number = connecting.connect(Login.YOUTUBE).id
    stored = connecting.stored(number)
    connecting.settings = connecting.settings.model_copy(update={"google_client_id": "another"})
    with pytest.raises(CredentialRefused, match="connected through another app"):
        connecting.tokens(number).renew(stored.access_token)
    assert connecting.row(number).is_active
