"""The gate before all of the console: HTTP and websockets alike.

Without a login nothing answers but logging in, health, static files and webhooks. A page that is
loaded gets the next token of its login; everything else is let through by the token that it has.

It is plain ASGI, since Starlette's `BaseHTTPMiddleware` sees no websockets, and a websocket is what
runs a page (https://asgi.readthedocs.io/en/latest/specs/www.html).
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.admission import (
    has_socket,
    is_foreign,
    is_nowhere,
    is_open,
    is_ours,
    loads_page,
    upload_session,
    wants_page,
)
from dashboard.bindings import BINDINGS
from dashboard.console import Console
from dashboard.cookies import header_of, token_in
from dashboard.held_files import HeldFiles
from dashboard.pages_html import page
from dashboard.texts import mark, preferred, translated
from leap_pipeline.domain.addresses import Origin
from leap_pipeline.errors import LeapError, SessionEnded
from leap_pipeline.services.sessions import Issued, SignedIn

logger = logging.getLogger("leap.console")

WHO = "leap.who"
"""Key of the request's `SignedIn` in its ASGI scope."""
FAMILY = "x-leap-family"
"""Header in which the gate tells a websocket's script whose login it is; nobody else can set it."""
NOTHING = "There is nothing here."
PROTOCOL = b"sec-websocket-protocol"
SESSION_PLACE = 2  # streamlit, the XSRF token, the session to resume
POLICY_VIOLATION, TRY_AGAIN = 1008, 1013
RETRY_SECONDS = 3
MOST_SOCKETS = 40
"""Of one login at once: each runs scripts."""
SILENT = ("/static/", "/assets/", "/health/", "/_stcore/")
PRIVATE = (b"cache-control", b"private, no-store")


@dataclass(frozen=True)
class Admitted:
    """Who asks, and the token that the browser gets with the answer.

    `who` is None where the token was renewed, and the database went away before it said whose it
    is: the browser must have the token all the same.
    """

    who: SignedIn | None
    issued: Issued | None = None


class Gate:
    """Wraps the whole application; `headers` go with every answer that has none of that name."""

    def __init__(self, app: ASGIApp, console: Console, headers: Mapping[str, str]) -> None:
        self._app = app
        self._console = console
        self._public_url = console.settings.public_url
        self._headers = [
            (name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()
        ]
        self._sockets: Counter[str] = Counter()
        self._files = HeldFiles()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(_without_own_headers(scope), receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.monotonic()
        told: dict[str, object] = {"status": 0, "user": None}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                told["status"] = message["status"]
                message = {**message, "headers": self._protected(message["headers"])}
            await send(message)

        try:
            await self._answered(_without_own_headers(scope), receive, answer, told)
        finally:
            _log(scope, told, time.monotonic() - began)

    async def _answered(
        self, scope: Scope, receive: Receive, send: Send, told: dict[str, object]
    ) -> None:
        headers, path = Headers(scope=scope), scope["path"]
        refused = self._refused(scope["method"], path, headers)
        if refused is not None or is_open(path):
            await (refused or self._app)(scope, receive, send)
            return
        try:
            found = await run_in_threadpool(self._admit, scope, headers)
        except SessionEnded:
            await self._turned_away(scope, headers)(scope, receive, send)
            return
        except LeapError as error:
            logger.warning("Nobody can be let in: %s", error)
            await _unavailable(headers)(scope, receive, send)
            return
        answer = self._private(send, found.issued)
        if found.who is None:
            await _unavailable(headers)(scope, receive, answer)
            return
        told["user"] = found.who.user_slug
        scope[WHO] = found.who
        session_id = upload_session(path)
        if session_id is None:
            await self._app(scope, receive, answer)
        else:
            await self._file(scope, receive, answer, session_id, found.who.family_id)

    async def _file(
        self, scope: Scope, receive: Receive, send: Send, session_id: str, family_id: str
    ) -> None:
        """A file for a page, which has to be of this login."""
        if not BINDINGS.may_resume(session_id, family_id):
            await PlainTextResponse(NOTHING, 404)(scope, receive, send)
            return
        if scope["method"] != "PUT":
            await self._app(scope, receive, send)
            return
        with self._files.room(session_id, family_id) as there_is_room:
            if there_is_room:
                await self._app(scope, receive, send)
            else:
                sentence = mark("Too many files are on their way: try again in a moment.")
                language = _language(Headers(scope=scope))
                await PlainTextResponse(translated(sentence, language), 429)(scope, receive, send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        code = POLICY_VIOLATION
        if has_socket(scope["path"]) and is_ours(headers, self._public_url):
            token = token_in(headers.get("cookie", ""), secure=self._console.is_https)
            try:
                who = await run_in_threadpool(self._console.sessions.check_token, token or "")
            except SessionEnded:
                pass
            except LeapError:
                code = TRY_AGAIN
            else:
                await self._connected(scope, receive, send, who)
                return
        await send({"type": "websocket.close", "code": code})

    async def _connected(self, scope: Scope, receive: Receive, send: Send, who: SignedIn) -> None:
        family = who.family_id
        if self._sockets[family] >= MOST_SOCKETS:
            await send({"type": "websocket.close", "code": TRY_AGAIN})
            return
        self._sockets[family] += 1
        try:
            scope[WHO] = who
            await self._app(_bound(scope, who), receive, send)
        finally:
            self._sockets[family] -= 1
            if not self._sockets[family]:
                del self._sockets[family]

    def _admit(self, scope: Scope, headers: Headers) -> Admitted:
        sessions = self._console.sessions
        token = token_in(headers.get("cookie", ""), secure=self._console.is_https) or ""
        if not loads_page(scope["method"], scope["path"], headers):
            return Admitted(sessions.check_token(token))
        client = scope.get("client")
        origin = Origin.of(client[0] if client else None, headers.get("user-agent"))
        issued = sessions.refresh(token, origin)
        try:
            return Admitted(sessions.check(issued.family_id), issued)
        except SessionEnded:
            raise
        except LeapError as error:
            logger.warning("Somebody cannot be looked up: %s", error)
            return Admitted(None, issued)

    def _refused(self, method: str, path: str, headers: Headers) -> Response | None:
        if is_nowhere(path):
            return PlainTextResponse(NOTHING, 404)
        if is_foreign(method, path, headers, self._public_url):
            sentence = mark("This was sent from another site: begin at LEAP's own page.")
            return PlainTextResponse(translated(sentence, _language(headers)), 403)
        return None

    def _turned_away(self, scope: Scope, headers: Headers) -> Response:
        """To the login and back, where a person looks at it."""
        if scope["method"] in ("GET", "HEAD") and wants_page(headers):
            asked = scope["path"]
            if scope["query_string"]:
                asked += "?" + scope["query_string"].decode("latin-1")
            target = "/login" if asked == "/" else f"/login?next={quote(asked, safe='')}"
            response: Response = RedirectResponse(target, 303)
            if headers.get("cookie"):
                gone = header_of(None, secure=self._console.is_https)
                response.headers["set-cookie"] = gone.decode("latin-1")
        else:
            sentence = mark("Nobody is logged in here: log in first.")
            response = PlainTextResponse(translated(sentence, _language(headers)), 401)
        response.headers["cache-control"] = "no-store"
        return response

    def _private(self, send: Send, issued: Issued | None) -> Send:
        """What somebody who is logged in gets is kept by nobody else."""
        cookie = header_of(issued, secure=self._console.is_https) if issued is not None else None

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                if cookie is not None:
                    headers = [each for each in headers if each[0].lower() != PRIVATE[0]]
                    headers.append((b"set-cookie", cookie))
                if not any(name.lower() == PRIVATE[0] for name, _ in headers):
                    headers.append(PRIVATE)
                message = {**message, "headers": headers}
            await send(message)

        return answer

    def _protected(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        had = {name.lower() for name, _ in headers}
        return [*headers, *(each for each in self._headers if each[0] not in had)]


def _without_own_headers(scope: Scope) -> Scope:
    kept = [each for each in scope["headers"] if not each[0].lower().startswith(b"x-leap-")]
    return {**scope, "headers": kept}


def _bound(scope: Scope, who: SignedIn) -> Scope:
    """The handshake with the login's name, and without a session of another login."""
    headers = [
        (name, _own_session(text, who.family_id) if name.lower() == PROTOCOL else text)
        for name, text in scope["headers"]
    ]
    headers.append((FAMILY.encode(), who.family_id.encode()))
    return {**scope, "headers": headers}


def _own_session(protocols: bytes, family_id: str) -> bytes:
    parts = [part.strip() for part in protocols.decode("latin-1").split(",")]
    resumed = parts[SESSION_PLACE] if len(parts) > SESSION_PLACE else None
    if resumed is not None and not BINDINGS.may_resume(resumed, family_id):
        parts = parts[:SESSION_PLACE]
    return ", ".join(parts).encode("latin-1")


def _unavailable(headers: Headers) -> Response:
    sentence = mark("LEAP cannot look up who you are at the moment: it tries again by itself.")
    language = _language(headers)
    said = {"title": mark("One moment"), "sentence": sentence, "reload": RETRY_SECONDS}
    response: Response = (
        page("message.html", 503, language=language, **said)
        if wants_page(headers)
        else PlainTextResponse(translated(sentence, language), 503)
    )
    response.headers["retry-after"] = str(RETRY_SECONDS)
    return response


def _language(headers: Headers) -> str:
    """What the browser prefers: who asks, and what they chose, is not known here."""
    return preferred(headers.get("accept-language", ""))


def _log(scope: Scope, told: Mapping[str, object], seconds: float) -> None:
    """One line a request, without its query, in which a code or a token may stand."""
    path = scope["path"]
    if path.startswith(SILENT):
        return
    logger.info(
        "%s %s",
        scope["method"],
        path,
        extra={"status": told["status"], "user": told["user"], "ms": round(seconds * 1000)},
    )
