"""The fake of Zoom's token endpoint refuses what Zoom refuses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import httpx
import pytest

from tests.support.zoom import faults
from tests.support.zoom.desk import MINE, Zoom, refusal
from tests.support.zoom.fake import OAUTH
from tests.support.zoom.scenario import REDIRECT
from tests.support.zoom.tokens import s256


@pytest.fixture
def zoom() -> Zoom:
    return Zoom()


def ask(zoom: Zoom, form: Mapping[str, str], **client: str) -> httpx.Response:
    app = zoom.account.app
    auth = (client.get("client_id", app.client_id), client.get("secret", app.client_secret))
    return zoom.http.post(f"{OAUTH}/token", data=form, auth=auth)


def test_a_server_to_server_token_works(zoom: Zoom) -> None:
    form = {"grant_type": "account_credentials", "account_id": zoom.account.id}
    body = ask(zoom, form).json()
    assert "refresh_token" not in body
    assert 0 < body["expires_in"] <= 3600
    assert zoom.get(MINE, body["access_token"]).status_code == 200


@pytest.mark.parametrize(
    ("form", "client", "expected"),
    [
        pytest.param({}, {"client_id": "nobody"}, (401, 4702), id="unknown client"),
        pytest.param({}, {"secret": "wrong"}, (401, 4704), id="wrong secret"),
        pytest.param({"grant_type": "password"}, {}, (400, 4705), id="unknown grant"),
        pytest.param({"grant_type": ""}, {}, (400, 4705), id="no grant"),
        pytest.param({"account_id": "another"}, {}, (400, 4702), id="another account"),
        pytest.param({"account_id": ""}, {}, (400, 4702), id="no account"),
    ],
)
def test_a_wrong_token_request_is_refused(
    zoom: Zoom, form: dict[str, str], client: dict[str, str], expected: tuple[int, int]
) -> None:
    good = {"grant_type": "account_credentials", "account_id": zoom.account.id}
    assert refusal(ask(zoom, good | form, **client)) == expected


def test_the_token_endpoint_takes_only_a_posted_form(zoom: Zoom) -> None:
    app = zoom.account.app
    auth = (app.client_id, app.client_secret)
    form = {"grant_type": "account_credentials", "account_id": zoom.account.id}
    assert zoom.http.get(f"{OAUTH}/token", params=form, auth=auth).status_code == 405
    assert zoom.http.post(f"{OAUTH}/token", json=form, auth=auth).status_code == 415
    assert refusal(zoom.http.post(f"{OAUTH}/token", data=form)) == (401, 4702)


def test_a_disabled_app_gets_nothing(zoom: Zoom) -> None:
    zoom.account.app.disabled = True
    form = {"grant_type": "account_credentials", "account_id": zoom.account.id}
    assert refusal(ask(zoom, form)) == (400, 4738)


class Person:
    """A user who connects an account through an app, with PKCE."""

    verifier = "v" * 64

    def __init__(self, zoom: Zoom) -> None:
        self.zoom = zoom
        self.app = zoom.fake.add_app()
        self.user = zoom.fake.add_user(zoom.account)

    def code(self) -> str:
        return self.zoom.fake.authorize(self.app, self.user, challenge=s256(self.verifier))

    def connect(self, code: str | None = None, **form: str) -> httpx.Response:
        given = {
            "grant_type": "authorization_code",
            "code": code or self.code(),
            "redirect_uri": REDIRECT,
            "code_verifier": self.verifier,
        }
        return self.post(given | form)

    def refresh(self, token: str) -> httpx.Response:
        return self.post({"grant_type": "refresh_token", "refresh_token": token})

    def post(self, form: Mapping[str, str]) -> httpx.Response:
        client = {"client_id": self.app.client_id, "secret": self.app.client_secret}
        return ask(self.zoom, form, **client)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param({"redirect_uri": "https://evil.example.org"}, (400, 4709), id="redirect"),
        pytest.param({"code_verifier": "w" * 64}, (400, 4734), id="verifier"),
        pytest.param({"code_verifier": ""}, (400, 4734), id="no verifier"),
        pytest.param({"code": "made-up"}, (400, 4734), id="code"),
    ],
)
def test_a_wrong_code_is_refused(
    zoom: Zoom, form: dict[str, str], expected: tuple[int, int]
) -> None:
    assert refusal(Person(zoom).connect(**form)) == expected


def test_a_code_works_once_and_for_ten_minutes(zoom: Zoom) -> None:
    person = Person(zoom)
    code = person.code()
    assert person.connect(code).status_code == 200
    assert refusal(person.connect(code)) == (400, 4734)
    late = person.code()
    zoom.clock.advance(timedelta(minutes=10))
    assert refusal(person.connect(late)) == (400, 4733)


def test_refresh_tokens_rotate_and_reuse_ends_the_family(zoom: Zoom) -> None:
    person = Person(zoom)
    first = person.connect().json()
    second = person.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    assert zoom.get(MINE, second["access_token"]).status_code == 200
    assert refusal(person.refresh(first["refresh_token"])) == (400, 4741)
    assert refusal(person.refresh(second["refresh_token"])) == (400, 4741)
    assert refusal(zoom.get(MINE, second["access_token"])) == (401, 124)


def test_a_later_authorisation_supersedes_the_earlier(zoom: Zoom) -> None:
    person = Person(zoom)
    first = person.connect().json()
    again = person.connect().json()
    assert refusal(person.refresh(first["refresh_token"])) == (400, 4741)
    assert person.refresh(again["refresh_token"]).status_code == 200


def test_an_owner_who_is_gone_refreshes_nothing(zoom: Zoom) -> None:
    person = Person(zoom)
    token = person.connect().json()["refresh_token"]
    person.user.gone = True
    assert refusal(person.refresh(token)) == (400, 4735)


def test_a_refresh_token_lives_ninety_days(zoom: Zoom) -> None:
    person = Person(zoom)
    token = person.connect().json()["refresh_token"]
    zoom.clock.advance(timedelta(days=90))
    assert refusal(person.refresh(token)) == (400, 4734)


def test_a_lost_answer_to_a_refresh_was_a_refresh(zoom: Zoom) -> None:
    person = Person(zoom)
    token = person.connect().json()["refresh_token"]
    zoom.fake.fail(faults.lost("token"))
    with pytest.raises(httpx.ReadError):
        person.refresh(token)
    assert refusal(person.refresh(token)) == (400, 4741)
