"""The token endpoint: what is sent, what is read, and every way in which it says no."""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import SecretStr

from leap_pipeline.errors import MustWaitError, TransientError
from leap_pipeline.oauth.platform import App
from leap_pipeline.redaction import redact
from leap_pipeline.sources.zoom.oauth import TokenEndpoint, account_of
from leap_pipeline.web.errors import CredentialRefused
from tests.support.zoom.clock import START, Clock
from tests.support.zoom_calls import Answering, Script

APP = App("app", SecretStr("canary-app-secret"))
GIVEN = {"access_token": "canary-access-1", "token_type": "bearer", "expires_in": 3599}


def given(**changes: Any) -> httpx.Response:
    return httpx.Response(200, json={**GIVEN, **changes})


def endpoint(*answers: Answering) -> tuple[TokenEndpoint, Script, Clock]:
    script, clock = Script(*answers), Clock()
    made = TokenEndpoint(
        script.http(), oauth_url="https://zoom.test/oauth/", clock=clock, sleep=clock.sleep
    )
    return made, script, clock


def form(request: httpx.Request) -> dict[str, str]:
    assert (request.method, str(request.url)) == ("POST", "https://zoom.test/oauth/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    basic = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
    assert basic == "app:canary-app-secret"
    return dict(parse_qsl(request.content.decode(), strict_parsing=True))


def refusal(answer: httpx.Response) -> CredentialRefused:
    asked, _, _ = endpoint(answer)
    with pytest.raises(CredentialRefused) as caught:
        asked.refresh(APP, SecretStr("refresh"))
    return caught.value


def test_a_server_to_server_app_asks_for_its_account() -> None:
    asked, script, _ = endpoint(given(scope="a:b c:d"))
    grant = asked.account(APP, "acc")
    assert form(script.requests[0]) == {"grant_type": "account_credentials", "account_id": "acc"}
    assert grant.access_token.get_secret_value() == "canary-access-1"
    assert (grant.refresh_token, grant.scopes) == (None, ("a:b", "c:d"))
    assert grant.fresh_until == START + timedelta(seconds=3599 - 60)


def test_a_refresh_brings_the_next_refresh_token() -> None:
    asked, script, _ = endpoint(given(refresh_token="canary-refresh-2"))
    grant = asked.refresh(APP, SecretStr("refresh+1/&"))
    assert form(script.requests[0]) == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh+1/&",
    }
    assert grant.refresh_token == SecretStr("canary-refresh-2")


def test_a_code_is_exchanged_with_its_verifier() -> None:
    asked, script, _ = endpoint(given(), given())
    asked.exchange(APP, SecretStr("code"), "https://leap.test/back", SecretStr("verifier"))
    asked.exchange(APP, SecretStr("code"), "https://leap.test/back")
    wanted = {
        "grant_type": "authorization_code",
        "code": "code",
        "redirect_uri": "https://leap.test/back",
    }
    assert form(script.requests[0]) == {**wanted, "code_verifier": "verifier"}
    assert form(script.requests[1]) == wanted


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(3600, 3540), ("3600", 3540), (2, 1.5), (None, 3540), ("soon", 3540), ("nan", 3540), (-5, 0)],
)
def test_how_long_a_token_is_used(said: object, seconds: float) -> None:
    asked, _, _ = endpoint(given(expires_in=said))
    assert asked.account(APP, "acc").fresh_until == START + timedelta(seconds=seconds)


def test_nothing_that_it_gives_or_takes_is_shown() -> None:
    asked, script, _ = endpoint(given(refresh_token="canary-refresh-3"))
    grant = asked.account(APP, "acc")
    assert "canary" not in repr(grant) + repr(APP)
    for secret in ("canary-access-1", "canary-refresh-3", script.tokens[0].removeprefix("Basic ")):
        assert secret not in redact(f"said {secret} aloud")


@pytest.mark.parametrize(
    ("code", "words", "gone"),
    [
        (4702, "correct the client id and secret", False),
        (4704, "correct the client id and secret", False),
        (4705, "see that the app's type", False),
        (4709, "add LEAP's address", False),
        (4711, "scope", False),
        (4733, "expired.*connect the account again", True),
        (4734, "connect the account again", True),
        (4735, "no longer there.*let another person connect it", True),
        (4738, "disabled the app.*ask the admin", False),
        (4741, "later authorization.*connect the account again", True),
    ],
)
def test_every_refusal_says_what_to_do(code: int, words: str, gone: bool) -> None:
    for body in ({"code": code, "error": "invalid_grant"}, {"errorCode": str(code)}):
        found = refusal(httpx.Response(400, json=body))
        assert (found.code, found.gone) == (code, gone)
        assert f"(code {code})" in str(found)
        assert re.search(words, str(found))
    written = f"{code:,}"  # as Zoom's documentation writes them
    assert refusal(httpx.Response(400, json={"reason": f"Refused ({written})"})).code == code


@pytest.mark.parametrize(
    ("body", "code", "gone"),
    [
        ({"error": "invalid_client"}, 4702, False),
        ({"error": "invalid_grant"}, 4734, True),
        ({"error": "unsupported_grant_type"}, 4705, False),
        ({"error": "invalid_scope"}, 4711, False),
        ({"error": "invalid_request", "reason": "Invalid Token!"}, 4734, True),
        ({"error": "invalid_request", "reason": "Bad Request"}, None, False),
        ({}, None, False),
    ],
)
def test_refusals_without_a_code(body: dict[str, str], code: int | None, gone: bool) -> None:
    found = refusal(httpx.Response(401, json=body))
    assert (found.code, found.gone) == (code, gone)


def test_an_unknown_refusal_comes_with_zooms_words() -> None:
    found = refusal(httpx.Response(400, json={"reason": "No such thing", "error": "odd"}))
    assert str(found) == (
        "Zoom gives out no token (HTTP 400): see that LEAP_ZOOM_OAUTH_URL and the credential are "
        "right (Zoom: No such thing)."
    )


def test_a_redirect_gets_no_secret() -> None:
    asked, script, _ = endpoint(httpx.Response(302, headers={"location": "https://evil.example"}))
    with pytest.raises(CredentialRefused, match="HTTP 302"):
        asked.account(APP, "acc")
    assert len(script.requests) == 1


def test_a_failing_endpoint_is_asked_again() -> None:
    asked, script, _ = endpoint(httpx.Response(502), httpx.ConnectError("x"), given())
    assert asked.account(APP, "acc").access_token == SecretStr("canary-access-1")
    assert len(script.requests) == 3


def test_a_limit_of_the_endpoint() -> None:
    asked, _, _ = endpoint(httpx.Response(429, headers={"retry-after": "90"}))
    with pytest.raises(MustWaitError) as caught:
        asked.account(APP, "acc")
    assert caught.value.due_at == START + timedelta(seconds=90)


@pytest.mark.parametrize("token", ["", 5, None, "line\nbreak", "naïve"])
def test_a_token_that_no_header_takes(token: object) -> None:
    asked, _, _ = endpoint(given(access_token=token))
    with pytest.raises(TransientError, match="token that cannot be used"):
        asked.account(APP, "acc")


def jwt(payload: object) -> SecretStr:
    body = base64.urlsafe_b64encode(json.dumps(payload).encode()).decode().rstrip("=")
    return SecretStr(f"e30.{body}.signature")


@pytest.mark.parametrize(
    ("token", "account"),
    [
        (jwt({"aid": "acc-1"}), "acc-1"),
        (jwt({"aid": 5}), None),
        (jwt({}), None),
        (jwt([1]), None),
        (SecretStr("opaque"), None),
        (SecretStr("a.b.c"), None),
        (SecretStr("a.ü.c"), None),
        (None, None),
    ],
    ids=range(8),
)
def test_the_account_that_a_token_names(token: SecretStr | None, account: str | None) -> None:
    assert account_of(token) == account
