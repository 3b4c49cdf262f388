"""Dagster's UI behind the console: who gets to it, and what goes through, both ways."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

import dashboard.routes.dagster as proxy
from dashboard.asgi import guarded
from dashboard.cookies import cookie_name
from dashboard.headers import policy_beside
from dashboard.routes.all import Routes
from leap_pipeline.domain.permissions import Role
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.users import set_role
from leap_pipeline.settings import Settings
from tests.support.accounts import ADA
from tests.support.console import Desk
from tests.support.supervised import free_port

BOSS = "boss@example.org"
CSP = "script-src 'nonce-1'"
PROTOCOL = Subprotocol("graphql-ws")


@dataclass
class Webserver:
    """Stands for Dagster's: tells what it was asked."""

    asked: list[Request] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/dagster/graphql", self._graphql, methods=["POST"]),
                Route("/dagster/slow", self._slow),
                Route("/dagster/packed", self._packed),
                Route("/dagster/elsewhere", self._elsewhere),
                WebSocketRoute("/dagster/graphql", self._socket),
                Route("/dagster/{path:path}", self._page),
            ]
        )

    async def _page(self, request: Request) -> Response:
        self.asked.append(request)
        headers = {"Content-Security-Policy": CSP, "Set-Cookie": "leap=mine"}
        return Response("<h1>Dagster</h1>", media_type="text/html", headers=headers)

    async def _graphql(self, request: Request) -> Response:
        self.asked.append(request)
        return JSONResponse({"data": await request.json()})

    async def _slow(self, _request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"first"
            await asyncio.to_thread(self.go_on.wait, 20)
            yield b"second"

        return StreamingResponse(pieces(), media_type="text/plain")

    async def _packed(self, _request: Request) -> Response:
        return Response(b"not unpacked on the way", headers={"Content-Encoding": "x-own"})

    async def _elsewhere(self, request: Request) -> Response:
        return RedirectResponse(str(request.url.replace(path="/dagster/runs", query="")))

    async def _socket(self, socket: WebSocket) -> None:
        await socket.accept(subprotocol=PROTOCOL)
        await socket.send_json({"cookie": socket.headers.get("cookie")})
        async for text in socket.iter_text():
            await socket.send_text(text.upper())


@dataclass
class Front:
    """The console before it, over real sockets."""

    desk: Desk
    url: str
    webserver: Webserver

    def headers(self, email: str | None) -> dict[str, str]:
        found = {"Origin": self.desk.console.settings.public_url}
        if email is not None:
            found["Cookie"] = f"{cookie_name(secure=False)}={self.desk.login(email).token}"
        return found

    def ask(self, method: str, path: str, email: str | None = BOSS, **more: Any) -> httpx.Response:
        headers = self.headers(email) | more.pop("headers", {})
        url = self.url + path
        return httpx.request(method, url, headers=headers, trust_env=False, timeout=20, **more)

    def socket(self, email: str | None) -> ClientConnection:
        url = self.url.replace("http", "ws") + "/dagster/graphql"
        return connect(
            url, additional_headers=self.headers(email), subprotocols=[PROTOCOL], proxy=None
        )


@contextmanager
def serving(app: ASGIApp, port: int) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.01)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"dagster_port": free_port()})


@pytest.fixture
def front(desk: Desk) -> Iterator[Front]:
    desk.add(ADA)
    desk.add(BOSS, role=Role.ADMIN)
    webserver, console = Webserver(), desk.console
    with ExitStack() as stack:
        stack.enter_context(serving(webserver.app(), console.settings.dagster_port))
        routes = Routes(console)
        app = Starlette(routes=routes.routes(), lifespan=lambda _app: routes.running())
        url = stack.enter_context(serving(guarded(app, console), free_port()))
        yield Front(desk, url, webserver)


def test_an_admin_gets_dagsters_page_as_it_is(front: Front) -> None:
    answer = front.ask("GET", "/dagster/runs/%D1%8F?q=a%2Fb&q=2")
    assert answer.status_code == 200
    assert answer.text == "<h1>Dagster</h1>"
    beside = policy_beside(front.desk.console.settings.public_url)
    assert answer.headers.get_list("content-security-policy") == [CSP, beside]
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "set-cookie" not in answer.headers
    asked = front.webserver.asked[0]
    assert asked.scope["raw_path"] == b"/dagster/runs/%D1%8F"
    assert asked.scope["query_string"] == b"q=a%2Fb&q=2"


def test_neither_the_login_nor_what_is_between_two_servers_reaches_dagster(front: Front) -> None:
    headers = {"Connection": "close, X-Hop", "X-Hop": "1", "TE": "trailers", "X-Kept": "1"}
    front.ask("GET", "/dagster/", headers=headers)
    asked = front.webserver.asked[0].headers
    assert asked["host"] == f"127.0.0.1:{front.desk.console.settings.dagster_port}"
    assert asked["x-kept"] == "1"
    for name in ("cookie", "x-hop", "te", "x-leap-family"):
        assert name not in asked


def test_what_is_sent_and_answered_goes_through(front: Front) -> None:
    answer = front.ask("POST", "/dagster/graphql", json={"query": "{ version }"})
    assert answer.json() == {"data": {"query": "{ version }"}}
    packed = front.ask("GET", "/dagster/packed")
    assert packed.content == b"not unpacked on the way"
    assert packed.headers["content-encoding"] == "x-own"
    assert front.ask("GET", "/dagster").headers["location"] == "/dagster/"
    assert front.ask("GET", "/dagster/elsewhere").headers["location"] == "/dagster/runs"


def test_no_question_is_asked_on_a_connection_that_may_be_closing(front: Front) -> None:
    for path in ("/dagster/runs", "/dagster/jobs"):
        assert front.ask("GET", path).is_success
    first, second = (request.client for request in front.webserver.asked)
    assert first != second


def test_an_answer_comes_piece_by_piece(front: Front) -> None:
    url, headers = f"{front.url}/dagster/slow", front.headers(BOSS)
    with httpx.stream("GET", url, headers=headers, trust_env=False, timeout=20) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"
        front.webserver.go_on.set()
        assert b"".join(pieces) == b"second"


def test_nobody_but_an_admin_is_told_that_it_is_there(front: Front) -> None:
    for path in ("/dagster", "/dagster/", "/dagster/graphql", "/dagster/slow"):
        answer = front.ask("GET", path, ADA)
        assert (answer.status_code, answer.text) == (404, "There is nothing here."), path
        assert front.ask("GET", path, None).status_code == 401, path
    assert front.ask("POST", "/dagster/graphql", ADA, json={}).status_code == 404
    other = front.ask("POST", "/dagster/graphql", json={}, headers={"Origin": "https://evil.test"})
    assert other.status_code == 403
    for person in (ADA, None):
        with pytest.raises(InvalidStatus):
            front.socket(person)
    assert not front.webserver.asked


def test_the_websocket_talks_both_ways(front: Front) -> None:
    with front.socket(BOSS) as socket:
        assert socket.subprotocol == PROTOCOL
        assert socket.recv() == '{"cookie":null}'
        socket.send("connection_init")
        assert socket.recv(timeout=10) == "CONNECTION_INIT"


def test_a_websocket_ends_when_its_admin_is_none_any_more(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxy, "LOOK_SECONDS", 0.05)
    front.desk.add("other@example.org", role=Role.ADMIN)
    with front.socket(BOSS) as socket:
        socket.recv()
        with front.desk.database.system() as session:
            set_role(session, front.desk.id_of(BOSS), Role.USER, SYSTEM)
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=10)


def test_a_dagster_that_is_down_gets_a_sentence(desk: Desk) -> None:
    desk.add(BOSS, role=Role.ADMIN)
    with desk.client(BOSS) as client:
        answer = client.post("/dagster/graphql", json={})
        assert (answer.status_code, answer.text) == (503, proxy.DOWN)
        shown = client.get("/dagster/", headers={"Accept": "text/html"})
        assert shown.status_code == 503
        assert 'http-equiv="refresh"' in shown.text
