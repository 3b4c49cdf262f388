"""Dagster's UI, passed on to admins: `/dagster/…` over HTTP, and the websocket of its GraphQL.

The webserver has no login and shows all tenants, so it listens on loopback alone. What it answers
goes through as it comes; what is between two servers only (RFC 9110, 7.6.1) stays behind, and so
does the login's cookie.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Iterable
from urllib.parse import urlsplit

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from dashboard.console import Console
from dashboard.gate import WHO
from dashboard.headers import policy_beside
from dashboard.pages_html import page
from dashboard.texts import mark, preferred
from leap_pipeline.commands.dagster_home import WEB_PREFIX, webserver_url
from leap_pipeline.errors import LeapError, SessionEnded
from leap_pipeline.services.sessions import SignedIn

logger = logging.getLogger("leap.console")

DOWN = mark("Dagster does not answer at the moment: `leap up` starts it, and starts it again.")
NOTHING = "There is nothing here."
RETRY_SECONDS = 5
CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 180.0
WAITING_SECONDS = 30.0
CONNECTIONS = 64
# A websocket lives on when its login has ended, so the login is looked up again so often.
LOOK_SECONDS = 15.0
LARGEST_MESSAGE = 2**26
POLICY_VIOLATION, GOING_AWAY, TRY_AGAIN = 1008, 1001, 1013

# https://www.rfc-editor.org/rfc/rfc9110.html#section-7.6.1
HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
# Dagster knows no logins: neither ours may reach it, nor may it set one here.
NOT_SENT = HOP_BY_HOP | {b"host", b"cookie", b"authorization"}
NOT_ANSWERED = HOP_BY_HOP | {b"set-cookie", b"date", b"server"}
Headers = list[tuple[bytes, bytes]]


class DagsterRoutes:
    """Everything under `/dagster/`; who is no admin is told that there is nothing."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._server = webserver_url(console.settings).removesuffix(WEB_PREFIX)
        # Its own policy lets its scripts run; ours, beside it, lets nothing out of the console.
        self._policy = policy_beside(console.settings.public_url).encode("latin-1")
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=WAITING_SECONDS),
            # Kept open, one could be used just as the webserver closes it, which it does after 5 s.
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=0),
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # on loopback nobody speaks TLS
        )

    def routes(self) -> list[BaseRoute]:
        """For a Starlette application."""
        return [Route(WEB_PREFIX, self._begin), Mount(WEB_PREFIX, app=self._pass_on)]

    async def close(self) -> None:
        await self._client.aclose()

    async def _begin(self, request: Request) -> Response:
        if not _is_admin(request.scope):
            return PlainTextResponse(NOTHING, 404)
        return RedirectResponse(f"{WEB_PREFIX}/", 307)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(WebSocket(scope, receive, send))
        elif _is_admin(scope):
            await self._http(Request(scope, receive), send)
        else:
            await PlainTextResponse(NOTHING, 404)(scope, receive, send)

    async def _http(self, request: Request, send: Send) -> None:
        has_body = {"content-length", "transfer-encoding"} & set(request.headers)
        try:
            url = httpx.URL(self._server, raw_path=_target(request.scope))
        except (httpx.InvalidURL, UnicodeError):
            await PlainTextResponse(NOTHING, 400)(request.scope, request.receive, send)
            return
        asked = self._client.build_request(
            request.method,
            url,
            headers=_without(request.headers.raw, NOT_SENT),
            content=request.stream() if has_body else None,
        )
        try:
            answer = await self._client.send(asked, stream=True)
        except ClientDisconnect:
            return  # nobody reads it
        except httpx.HTTPError as error:
            logger.warning("Dagster's webserver does not answer: %r", error)
            await _down(request)(request.scope, request.receive, send)
            return
        try:
            await self._answer(answer, send)
        finally:
            await answer.aclose()

    async def _answer(self, answer: httpx.Response, send: Send) -> None:
        """As it comes, piece by piece, and packed as it is."""
        headers = [
            (name, self._here(text) if name.lower() == b"location" else text)
            for name, text in _without(answer.headers.raw, NOT_ANSWERED)
        ]
        if "content-security-policy" in answer.headers:
            headers.append((b"content-security-policy", self._policy))
        status = answer.status_code
        await send({"type": "http.response.start", "status": status, "headers": headers})
        async for piece in answer.aiter_raw():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _here(self, location: bytes) -> bytes:
        """Where Dagster leads to, seen from outside."""
        return location.removeprefix(self._server.encode())

    async def _websocket(self, front: WebSocket) -> None:
        if not _is_admin(front.scope):
            await front.close(POLICY_VIOLATION)
            return
        parts = urlsplit(self._server)
        url = f"ws://{parts.netloc}{_target(front.scope).decode('latin-1')}"
        protocols = [Subprotocol(name) for name in front.scope.get("subprotocols", [])]
        try:
            back = await connect(
                url,
                subprotocols=protocols or None,
                open_timeout=CONNECT_SECONDS,
                max_size=LARGEST_MESSAGE,
                compression=None,
                proxy=None,
            )
        except (OSError, InvalidHandshake, TimeoutError) as error:
            logger.warning("Dagster's websocket does not open: %r", error)
            await front.close(TRY_AGAIN)
            return
        async with back:
            await front.accept(back.subprotocol)
            await self._talk(front, back)

    async def _talk(self, front: WebSocket, back: ClientConnection) -> None:
        """Both ways until one side ends, or the login does."""
        ways = [
            asyncio.ensure_future(way)
            for way in (_to_dagster(front, back), _to_browser(front, back), self._watch(front))
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        for way in done:
            code = None if way.cancelled() or way.exception() is not None else way.result()
            if code is not None:
                await front.close(code)
                return

    async def _watch(self, front: WebSocket) -> int:
        """Ends when whoever opened it is no admin any more."""
        who: SignedIn = front.scope[WHO]
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                found = await run_in_threadpool(self._console.sessions.check, who.family_id)
            except SessionEnded:
                return POLICY_VIOLATION
            except LeapError:  # the database is away for a moment
                continue
            if not found.rights.is_admin:
                return POLICY_VIOLATION


async def _to_dagster(front: WebSocket, back: ClientConnection) -> None:
    try:
        while True:
            message = await front.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            await back.send(message["bytes"] if text is None else text)
    except (ConnectionClosed, WebSocketDisconnect):
        return


async def _to_browser(front: WebSocket, back: ClientConnection) -> int:
    async for piece in _messages(back):
        if isinstance(piece, str):
            await front.send_text(piece)
        else:
            await front.send_bytes(piece)
    return GOING_AWAY


async def _messages(back: ClientConnection) -> AsyncIterator[str | bytes]:
    try:
        while True:
            yield await back.recv()
    except ConnectionClosed:
        return


def _is_admin(scope: Scope) -> bool:
    who: SignedIn | None = scope.get(WHO)
    return who is not None and who.rights.is_admin


def _target(scope: Scope) -> bytes:
    """Path and query as they were sent."""
    path: bytes = scope.get("raw_path") or httpx.URL(path=scope["path"]).raw_path
    query: bytes = scope["query_string"]
    return path.partition(b"?")[0] + (b"?" + query if query else b"")


def _without(headers: Iterable[tuple[bytes, bytes]], names: set[bytes]) -> Headers:
    """Headers but those, and those that `Connection` names."""
    found = list(headers)
    own = {
        name.strip().lower()
        for key, text in found
        if key.lower() == b"connection"
        for name in text.split(b",")
    }
    return [each for each in found if each[0].lower() not in names | own]


def _down(request: Request) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        return PlainTextResponse(DOWN, 503)
    language = preferred(request.headers.get("accept-language", ""))
    said = {"title": "Dagster", "sentence": DOWN, "reload": RETRY_SECONDS}
    return page("message.html", 503, language=language, **said)
