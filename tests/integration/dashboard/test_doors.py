"""Every address that the running application has: who gets in, and what no other site may send.

The addresses are those of the application itself, Streamlit's among them: a new one is tried
without anybody thinking of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
import pytest
from sqlalchemy import func, update
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from streamlit.runtime import Runtime

from dashboard.asgi import guarded, unguarded
from dashboard.gate import NOTHING
from leap_pipeline.db.models.users import RefreshToken
from leap_pipeline.domain.permissions import Role
from leap_pipeline.errors import SessionEnded
from leap_pipeline.security.tokens import Claims, TokenSigner
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.sessions import Issued
from leap_pipeline.services.users import set_active
from tests.support.accounts import ADA, PASSWORD
from tests.support.console import ORIGIN, Desk
from tests.support.neighbours import empty_desk
from tests.support.postgres import TestServer

BOSS = "boss@example.org"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
SOCKETS = ("/_stcore/stream", "/dagster/graphql")
UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
# What answers anybody: logging in, health, static files, webhooks.
OPEN = {
    "/login",
    "/leave",
    "/link/password",
    "/link/address",
    "/health/live",
    "/health/ready",
    "/_stcore/health",
    "/assets",
    "/webhooks/zoom",
    "/webhooks/zoom/{credential_id}",
}
# Who sends something: no page of ours.
STRANGERS: dict[str, dict[str, str]] = {
    "another site": {"Origin": "https://evil.example"},
    "a site whose name begins like ours": {"Origin": f"{ORIGIN}.evil.example"},
    "ours by another scheme": {"Origin": ORIGIN.replace("http:", "https:")},
    "ours at another port": {"Origin": f"{ORIGIN}:8080"},
    "a sandboxed frame": {"Origin": "null"},
    "nobody": {},
    "another site that hides": {"Sec-Fetch-Site": "cross-site"},
    "a neighbour that hides": {"Sec-Fetch-Site": "same-site"},
}


@dataclass(frozen=True)
class Address:
    """`pattern` as the application has it, `path` as a browser would ask for it."""

    pattern: str
    path: str
    methods: frozenset[str]


def addresses(routes: Sequence[BaseRoute], before: str = "") -> Iterator[Address]:
    for route in routes:
        if isinstance(route, Mount):
            below = route.path.rstrip("/")
            yield Address(before + below, f"{before}{below}/x", frozenset(METHODS))
            yield from addresses(route.routes or [], before + below)
            continue
        assert isinstance(route, Route | WebSocketRoute), route
        methods = getattr(route, "methods", None) or {"GET"}
        path = re.sub(r"\{[^}]*\}", "1", route.path)
        yield Address(before + route.path, before + path, frozenset(methods))


@dataclass
class House:
    """The whole application behind its gate; Streamlit itself does not run."""

    desk: Desk
    client: TestClient
    addresses: list[Address]
    worthless: dict[str, str]

    def ask(self, method: str, path: str, token: str | None, **headers: str) -> tuple[int, str]:
        if token is not None:
            headers["Cookie"] = f"leap={token}"
        answer = self.client.request(method, path, headers=headers)
        return answer.status_code, answer.text

    def refusal_of_socket(self, path: str, headers: dict[str, str]) -> int:
        with (
            pytest.raises(WebSocketDisconnect) as refused,
            self.client.websocket_connect(path, headers=headers),
        ):
            pass
        return refused.value.code

    def is_shut(self, method: str, path: str, token: str | None) -> bool:
        status, said = self.ask(method, path, token, Origin=ORIGIN)
        return status == 401 or (status == 404 and said in (NOTHING, ""))


@pytest.fixture(scope="module")
def house(postgres_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with empty_desk(postgres_server, tmp_path_factory.mktemp("house")) as desk:
        desk.add(ADA)
        desk.add(BOSS, role=Role.ADMIN)
        inside = unguarded(desk.console)._build_starlette_app()
        client = TestClient(guarded(inside, desk.console), ORIGIN, raise_server_exceptions=False)
        client.follow_redirects = False
        try:
            yield House(desk, client, list(addresses(inside.routes)), dict(worthless(desk)))
        finally:
            Runtime._instance = None


def person(desk: Desk, name: str) -> Issued:
    desk.add(f"{name}@example.org")
    return desk.console.sessions.login(f"{name}@example.org", PASSWORD)


def worthless(desk: Desk) -> Iterator[tuple[str, str]]:
    """Tokens with which nobody is anybody."""
    sessions, live = desk.console.sessions, desk.console.sessions.login(ADA, PASSWORD)
    claims = Claims(live.user_id, live.family_id)
    now, later = datetime.now(UTC), datetime.now(UTC) + timedelta(days=1)
    yield "empty", ""
    yield "no token", "0"
    yield "cut short", live.token[:-2]
    yield "signed by somebody else", TokenSigner("k" * 43).sign(claims, now, later)
    yield "signed by us, and kept by nobody", sessions._signer.sign(claims, now, later)
    content = jwt.decode(live.token, options={"verify_signature": False})
    yield "signed by nobody", jwt.encode(content, "", algorithm="none")
    ended = person(desk, "ended")
    sessions.logout(ended.user_id, ended.family_id, SYSTEM)
    yield "logged out", ended.token
    off = person(desk, "off")
    with desk.database.system() as session:
        set_active(session, off.user_id, active=False, actor=SYSTEM)
    yield "of an account that is off", off.token
    old, replayed = person(desk, "old"), person(desk, "replayed")
    sessions.refresh(replayed.token)
    past = func.now() - timedelta(minutes=5)
    with desk.database.system() as session:
        for issued, column in ((old, "expires_at"), (replayed, "replaced_at")):
            session.execute(
                update(RefreshToken)
                .where(RefreshToken.user_id == issued.user_id)
                .where(RefreshToken.revoked == (column == "replaced_at"))
                .values({column: past})
            )
    yield "expired", old.token
    yield "replaced long ago", replayed.token


def test_without_a_login_nothing_answers_but_what_must(house: House) -> None:
    patterns = {each.pattern for each in house.addresses}
    assert {"/_stcore/stream", "/media/{file_id:path}", "/dagster", "/uploads"} < patterns
    open_ones = {
        each.pattern
        for each in house.addresses
        for method in METHODS
        if not house.is_shut(method, each.path, None)
    }
    assert open_ones == OPEN


def test_a_token_that_is_worth_nothing_opens_nothing(house: House) -> None:
    live = house.desk.login(ADA).token
    shut = [each for each in house.addresses if each.pattern not in OPEN]
    for each in shut:
        for method in each.methods & {"GET", "POST", "PUT"}:
            assert house.is_shut(method, each.path, house.worthless["logged out"]), each
    opened = [each.path for each in shut if not house.is_shut("GET", each.path, live)]
    assert {"/uploads", "/recordings/1/player"} < set(opened)
    for kind, token in house.worthless.items():
        for path in ("/uploads", "/recordings/1/player", "/dagster/x", "/media/1", "/x"):
            assert house.is_shut("GET", path, token), (kind, path)


def test_no_websocket_opens_without_a_login_anywhere(house: House) -> None:
    tried: list[tuple[str, str | None]] = [(each.path, None) for each in house.addresses]
    tried += [(path, token) for token in house.worthless.values() for path in SOCKETS]
    for path, token in tried:
        headers = {"Origin": ORIGIN}
        if token is not None:
            headers["Cookie"] = f"leap={token}"
        assert house.refusal_of_socket(path, headers) == 1008, (path, token)


def test_no_other_site_changes_anything(house: House) -> None:
    token = house.desk.login(BOSS).token
    for each in house.addresses:
        if each.pattern.startswith("/webhooks/"):
            continue  # signed by who sends it
        for who, headers in STRANGERS.items():
            for method in each.methods.intersection(UNSAFE) | {"POST"}:
                status, said = house.ask(method, each.path, token, **headers)
                nowhere = status == 404 and said == NOTHING
                assert status == 403 or nowhere, (who, method, each.path, status)


def test_no_websocket_opens_for_another_site(house: House) -> None:
    cookie = {"Cookie": f"leap={house.desk.login(BOSS).token}"}
    for who, headers in STRANGERS.items():
        for path in SOCKETS:
            assert house.refusal_of_socket(path, cookie | headers) == 1008, (who, path)


def test_a_page_of_ours_is_not_taken_for_another_site(house: House) -> None:
    token = house.desk.login(ADA).token
    for headers in ({"Origin": ORIGIN}, {"Sec-Fetch-Site": "same-origin"}):
        assert house.ask("POST", "/uploads/check?name=x.mp4&size=9", token, **headers)[0] == 200


def test_a_login_over_another_ends_that_one(desk: Desk) -> None:
    """The browser forgets the token: nobody could log out of it any more."""
    desk.add(ADA)
    desk.add(BOSS)
    client = desk.client(ADA)
    former = desk.login(ADA).family_id
    elsewhere = desk.console.sessions.login(ADA, PASSWORD)
    assert client.post("/login", data={"email": BOSS, "password": "wrong"}).status_code == 401
    assert desk.console.sessions.check(former).email == ADA
    assert client.post("/login", data={"email": BOSS, "password": PASSWORD}).status_code == 303
    assert client.get("/uploads").status_code == 200
    with pytest.raises(SessionEnded):
        desk.console.sessions.check(former)
    assert desk.console.sessions.check(elsewhere.family_id).email == ADA
