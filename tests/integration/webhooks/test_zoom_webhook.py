"""Zoom's webhooks over HTTP, with a real database: who is believed, what is kept, what is told."""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from dashboard.routes.zoom_webhook import LARGEST_BODY, ZoomWebhookRoutes
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import WebhookEvent
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.services import webhooks
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.key_rotation import retire, rotate
from leap_pipeline.services.webhooks import ZoomWebhooks
from leap_pipeline.settings import Settings
from tests.support import postgres
from tests.support.hooks import (
    ADA,
    GRANT,
    OWN_SECRET,
    S2S,
    USERS_SECRET,
    UUID,
    Hooks,
    completed,
    raw,
    signed,
)

OWN = "/webhooks/zoom"
EDITOR = Editor(SYSTEM, Rights())
VALIDATION = raw({"event": "endpoint.url_validation", "payload": {"plainToken": "plain-Token_1"}})


class Clocks:
    """The time of day and the monotonic one, moved by hand."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)
        self.seconds = 1000.0

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.seconds += seconds


class Site:
    """The routes as they are served, and the database behind them."""

    def __init__(self, hooks: Hooks, settings: Settings, database: Database | None = None) -> None:
        self.hooks = hooks
        self.clocks = Clocks()
        served = ZoomWebhooks(
            database or hooks.database,
            hooks.vault,
            settings,
            clock=lambda: self.clocks.now,
            monotonic=lambda: self.clocks.seconds,
        )
        self.routes = ZoomWebhookRoutes(served)
        self.client = TestClient(Starlette(routes=self.routes.routes()))

    def post(self, path: str, secret: str, body: bytes, *, kind: str = "application/json") -> Any:
        headers = signed(secret, body, self.clocks.now, kind=kind)
        return self.client.post(path, content=body, headers=headers)

    def close(self) -> None:
        self.client.close()
        self.routes.close()


@pytest.fixture
def site(hooks: Hooks) -> Iterator[Site]:
    made = Site(hooks, hooks.settings)
    yield made
    made.close()


def users_address(hooks: Hooks, document: dict[str, Any] | None = None) -> str:
    number = hooks.credential(hooks.user(), document or {**S2S, "webhook_secret": USERS_SECRET})
    return f"{OWN}/{number}"


def test_an_event_is_kept_once_and_answered_every_time(site: Site) -> None:
    first = site.post(OWN, OWN_SECRET, raw(completed()))
    site.clocks.later(20)
    again = site.post(OWN, OWN_SECRET, raw(completed()))
    spaced = site.post(OWN, OWN_SECRET, json.dumps(completed(), indent=2).encode())
    assert [each.status_code for each in (first, again, spaced)] == [200, 200, 200]
    (event,) = site.hooks.events()
    assert (event.provider, event.event, event.subject) == ("zoom", "recording.completed", UUID)
    assert (event.account, event.credential_id, event.attempts) == ("acc-1", None, 0)
    assert event.payload == {"host_id": "host-1", "host_email": ADA}
    assert event.event_at == datetime(2025, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)
    assert event.finished_at is None


def test_nothing_that_opens_a_recording_is_kept_or_logged(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    address = users_address(site.hooks)
    body = raw(completed())
    for path, secret in ((OWN, OWN_SECRET), (address, USERS_SECRET), (address, "wrong-secret")):
        site.post(path, secret, body)
        site.clocks.later(60)
    site.post(OWN, OWN_SECRET, body[:-9])
    site.post(OWN, OWN_SECRET, VALIDATION)
    assert len(site.hooks.events()) == 2
    kept = [
        str({name: getattr(event, name) for name in WebhookEvent.__table__.columns.keys()})  # noqa: SIM118
        for event in site.hooks.events()
    ]
    assert "refused" in caplog.text
    assert "canary" not in caplog.text + "".join(kept)


def test_a_users_own_app_has_an_address_and_a_secret_of_its_own(site: Site) -> None:
    address = users_address(site.hooks)
    other = users_address(site.hooks, {**GRANT, "webhook_secret": "canary-of-another"})
    body = raw(completed())
    assert site.post(address, USERS_SECRET, body).status_code == 200
    assert site.post(other, "canary-of-another", body).status_code == 200
    for path, secret in ((address, OWN_SECRET), (OWN, USERS_SECRET), (other, USERS_SECRET)):
        assert site.post(path, secret, body).status_code == 401
    found = [event.credential_id for event in site.hooks.events()]
    assert [f"{OWN}/{number}" for number in found] == [address, other]


def test_whoever_is_refused_learns_nothing(site: Site) -> None:
    """Not whether there is such a credential, nor whether it has a secret, nor what was wrong."""
    hooks = site.hooks
    known = users_address(hooks)
    without = users_address(hooks, dict(S2S))
    body, now = raw(completed()), site.clocks.now
    good = signed(USERS_SECRET, body, now)
    shut = f"{OWN}/{hooks.credential(hooks.user(), {**S2S, 'webhook_secret': 'x' * 20})}"
    with hooks.database.system() as session:
        number = int(shut.rpartition("/")[2])
        session.connection().exec_driver_sql(
            "UPDATE user_credentials SET encrypted_data = 'gAAAAunreadable' WHERE id = %s",
            (number,),
        )
    asked = [
        (path, signed(secret, body, now))
        for path in (known, without, shut, f"{OWN}/999999", f"{OWN}/9999999999", f"{OWN}/x", OWN)
        for secret in ("wrong", "")
    ]
    asked += [
        (f"{OWN}/" + "9" * 5000, good),
        (f"{OWN}/0", good),
        (known, signed(USERS_SECRET, body, now - timedelta(seconds=301))),
        (known, signed(USERS_SECRET, body, now + timedelta(seconds=301))),
        (known, {name: good[name] for name in good if name != "x-zm-signature"}),
        (known, {name: good[name] for name in good if name != "x-zm-request-timestamp"}),
        (known, good | {"x-zm-signature": good["x-zm-signature"].removeprefix("v0=")}),
        (known, good | {"x-zm-request-timestamp": "1e9"}),
    ]
    answers = {
        (found.status_code, found.content, tuple(sorted(found.headers.items())))
        for path, headers in asked
        for found in [site.client.post(path, content=body, headers=headers)]
    }
    assert [status for status, *_ in answers] == [401]
    assert hooks.events() == []
    assert site.client.post(known, content=body, headers=good).status_code == 200


def test_without_a_secret_nothing_is_taken(hooks: Hooks) -> None:
    site = Site(hooks, hooks.settings.model_copy(update={"zoom_webhook_secret": None}))
    for secret in ("", "None", OWN_SECRET):
        assert site.post(OWN, secret, raw(completed())).status_code == 401
        assert site.post(OWN, secret, VALIDATION).status_code == 401
    site.close()


def test_the_address_is_validated_for_who_knows_the_secret(site: Site) -> None:
    address = users_address(site.hooks)
    for path, secret in ((OWN, OWN_SECRET), (address, USERS_SECRET)):
        began = time.monotonic()
        found = site.post(path, secret, VALIDATION)
        assert time.monotonic() - began < 3
        assert found.status_code == 200
        plain = b"plain-Token_1"
        wanted = mac(secret, plain)
        assert found.json() == {"plainToken": plain.decode(), "encryptedToken": wanted}
        assert site.post(path, "wrong", VALIDATION).status_code == 401
        assert site.client.post(path, json=json.loads(VALIDATION)).status_code == 401
    assert site.hooks.events() == []


def mac(secret: str, message: bytes) -> str:
    """By OpenSSL's implementation, not by Python's."""
    made = HMAC(secret.encode(), SHA256())
    made.update(message)
    return made.finalize().hex()


def test_a_challenge_cannot_be_used_to_sign_an_event(site: Site) -> None:
    forged = f"v0:{int(site.clocks.now.timestamp())}:{{}}"
    body = raw({"event": "endpoint.url_validation", "payload": {"plainToken": forged}})
    assert site.post(OWN, OWN_SECRET, body).status_code == 400


def test_what_was_recorded_by_a_listener_is_worthless_after_five_minutes(site: Site) -> None:
    body = raw(completed())
    headers = signed(OWN_SECRET, body, site.clocks.now)
    for seconds, status in ((0, 200), (299, 200), (2, 401), (86_400 * 8, 401)):
        site.clocks.later(seconds)
        assert site.client.post(OWN, content=body, headers=headers).status_code == status
    assert len(site.hooks.events()) == 1


@pytest.mark.parametrize(
    "name", ["recording.transcript_completed", "recording.deleted", "meeting.started"]
)
def test_other_events_are_answered_and_forgotten(site: Site, name: str) -> None:
    assert site.post(OWN, OWN_SECRET, raw(completed(event=name))).status_code == 200
    assert site.hooks.events() == []


def test_a_secret_that_was_just_entered_or_changed_is_soon_known(site: Site) -> None:
    hooks = site.hooks
    user = hooks.user()
    number = hooks.credential(user, S2S)
    path, body = f"{OWN}/{number}", raw(completed())
    assert site.post(path, USERS_SECRET, body).status_code == 401
    with hooks.database.tenant(user) as session:
        store = Credentials(session, user, hooks.vault)
        store.update(number, EDITOR, data={**S2S, "webhook_secret": USERS_SECRET})
    site.clocks.later(6)
    assert site.post(path, USERS_SECRET, body).status_code == 200
    with hooks.database.tenant(user) as session:
        Credentials(session, user, hooks.vault).delete(number, EDITOR)
    site.clocks.later(6)
    assert site.post(path, USERS_SECRET, body).status_code == 401


def test_a_secret_survives_a_change_of_keys(site: Site) -> None:
    address, body = users_address(site.hooks), raw(completed())
    for change in (rotate, retire):
        change(site.hooks.database, site.hooks.settings)
        site.clocks.later(6)
        assert site.post(address, USERS_SECRET, body).status_code == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_is_no_json_is_refused(site: Site, kind: str) -> None:
    found = site.post(OWN, OWN_SECRET, raw(completed()), kind=kind)
    assert found.status_code == 415
    zooms = "application/json; charset=utf-8"
    assert site.post(OWN, OWN_SECRET, raw(completed()), kind=zooms).status_code == 200
    assert site.client.get(OWN).status_code == 405


def test_a_large_body_is_not_read_to_its_end(site: Site) -> None:
    body = b"{" + b" " * LARGEST_BODY
    assert site.post(OWN, OWN_SECRET, body).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(LARGEST_BODY // 1024 + 2):
            yield b" " * 1024

    headers = signed(OWN_SECRET, b"", site.clocks.now)
    assert site.client.post(OWN, content=pieces(), headers=headers).status_code == 413
    least = raw(completed(padding=" " * (LARGEST_BODY - 3000)))
    assert site.post(OWN, OWN_SECRET, least).status_code == 200


def test_who_tries_many_addresses_is_held_back_and_others_are_not(site: Site) -> None:
    address = users_address(site.hooks)
    body = raw(completed())
    assert site.post(address, USERS_SECRET, body).status_code == 200
    site.clocks.later(6)
    tried = [site.post(f"{OWN}/{900_000 + n}", "guess", body).status_code for n in range(60)]
    assert tried == [401] * 50 + [429] * 10
    assert site.post(address, USERS_SECRET, body).status_code == 200
    assert site.post(OWN, OWN_SECRET, body).status_code == 200
    site.clocks.later(1)
    assert site.post(f"{OWN}/900070", "guess", body).status_code == 401


def test_one_user_cannot_fill_the_inbox(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "WAITING_AT_MOST", 3)
    address = users_address(site.hooks)
    sent = [
        site.post(address, USERS_SECRET, raw(completed(f"uuid-{n}"))).status_code for n in range(5)
    ]
    assert sent == [200, 200, 200, 429, 429]
    assert site.post(OWN, OWN_SECRET, raw(completed())).status_code == 200


def test_zoom_is_asked_to_send_again_while_the_database_is_away(
    hooks: Hooks, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        port = taken.getsockname()[1]
        url = hooks.database.urls.application.set(host="127.0.0.1", port=port)
        away = Database(postgres.urls_of(url), pooled=True)
        site = Site(hooks, hooks.settings, away)
        began = time.monotonic()
        assert site.post(OWN, OWN_SECRET, raw(completed())).status_code == 503
        assert site.post(f"{OWN}/7", USERS_SECRET, raw(completed())).status_code == 503
        assert time.monotonic() - began < 6
        # What needs no database is answered all the same.
        assert site.post(OWN, OWN_SECRET, VALIDATION).status_code == 200
        assert site.post(OWN, "wrong", raw(completed())).status_code == 401
        site.close()
    assert "could not be stored" in caplog.text


def test_a_database_that_hangs_is_not_waited_for(site: Site) -> None:
    with site.hooks.database.system() as session:
        session.connection().exec_driver_sql("LOCK TABLE webhook_inbox IN ACCESS EXCLUSIVE MODE")
        began = time.monotonic()
        assert site.post(OWN, OWN_SECRET, raw(completed())).status_code == 503
        assert time.monotonic() - began < 3
    assert site.post(OWN, OWN_SECRET, raw(completed())).status_code == 200
    assert len(site.hooks.events()) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """An event in which one value is another, or a piece of the body is."""
    event: dict[str, Any] = completed()
    place: Any = draw(st.sampled_from([event, event["payload"], event["payload"]["object"]]))
    place[draw(st.sampled_from(sorted(place)))] = draw(JSON)
    body = json.dumps(event).encode(errors="surrogatepass")
    if draw(st.booleans()):
        at = draw(st.integers(0, len(body)))
        body = body[:at] + draw(st.binary(max_size=20)) + body[at + draw(st.integers(0, 20)) :]
    return body


@hypothesis_settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=mutated())
def test_no_body_breaks_anything(site: Site, body: bytes) -> None:
    assert site.post(OWN, OWN_SECRET, body).status_code in (200, 400)
    assert site.post(OWN, "wrong", body).status_code == 401


@hypothesis_settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    timestamp=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
    signature=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=80),
)
def test_no_header_breaks_anything(site: Site, timestamp: str, signature: str) -> None:
    headers: Any = {
        "content-type": "application/json",
        "x-zm-request-timestamp": timestamp.encode("latin-1"),
        "x-zm-signature": signature.encode("latin-1"),
    }
    assert site.client.post(OWN, content=b"{}", headers=headers).status_code == 401
