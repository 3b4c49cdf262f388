"""The gate before all of the console: HTTP and websockets alike.

Without a login nothing answers but logging in, health, static files and webhooks. A page that is
loaded gets the next token of its login; everything else is let through by the token that it has.

It is plain ASGI, since Starlette's `BaseHTTPMiddleware` sees no websockets, and a websocket is what
runs a page (https://asgi.readthedocs.io/en/latest/specs/www.html).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.bindings import BINDINGS
from dashboard.console import Console
from dashboard.cookies import header_of, token_in
from dashboard.pages_html import page
from leap_pipeline.domain.addresses import Origin
from leap_pipeline.errors import LeapError, SessionEnded
from leap_pipeline.services.sessions import Issued, SignedIn

logger = logging.getLogger("leap.console")

WHO = "leap.who"
"""Key of the request's `SignedIn` in its ASGI scope."""
FAMILY = "x-leap-family"
"""Header in which the gate tells a websocket's script whose login it is; nobody else can set it."""
OPEN = ("/login", "/link", "/leave", "/health/", "/static/", "/assets/", "/webhooks/")
OPEN_EXACT = ("/_stcore/health", "/favicon.png", "/robots.txt")
# Streamlit's own addresses that a page needs; its metrics, agents and logins are nobody's here.
STREAMLIT = ("/_stcore/host-config", "/_stcore/stream", "/_stcore/upload_file/", "/_stcore/health")
CLOSED = ("/_stcore/", "/component/", "/auth/", "/oauth2callback", "/app/static/")
WEBHOOKS = "/webhooks/"
SAFE = ("GET", "HEAD", "OPTIONS")
PROTOCOL = b"sec-websocket-protocol"
SESSION_PLACE = 2  # streamlit, the XSRF token, the session to resume
POLICY_VIOLATION, TRY_AGAIN = 1008, 1013
RETRY_SECONDS = 3


@dataclass(frozen=True)
class Admitted:
    """Who asks, and the token that the browser gets with the answer."""

    who: SignedIn
    issued: Issued | None = None


class Gate:
    """Wraps the whole application; `headers` go with every answer that has none of that name."""

    def __init__(self, app: ASGIApp, console: Console, headers: Mapping[str, str]) -> None:
        self._app = app
        self._console = console
        self._headers = [
            (name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
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
            await self._admitted(scope, receive, answer, told)
        finally:
            _log(scope, told, time.monotonic() - began)

    async def _admitted(
        self, scope: Scope, receive: Receive, send: Send, told: dict[str, object]
    ) -> None:
        scope = _without_own_headers(scope)
        headers, path = Headers(scope=scope), scope["path"]
        refused = self._refused(scope["method"], path, headers)
        if refused is not None or _is_open(path):
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
        told["user"] = found.who.user_slug
        scope[WHO] = found.who
        await self._app(scope, receive, self._with_cookie(send, found.issued))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = _without_own_headers(scope)
        try:
            if scope["path"] not in STREAMLIT and not scope["path"].startswith("/dagster/"):
                raise SessionEnded(scope["path"])
            headers = Headers(scope=scope)
            if not self._same_origin(headers):
                raise SessionEnded(scope["path"])
            token = token_in(headers.get("cookie", ""), secure=self._console.is_https)
            who = await run_in_threadpool(self._console.sessions.check_token, token or "")
        except SessionEnded:
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        except LeapError:
            await send({"type": "websocket.close", "code": TRY_AGAIN})
            return
        scope[WHO] = who
        await self._app(_bound(scope, who), receive, send)

    def _admit(self, scope: Scope, headers: Headers) -> Admitted:
        sessions = self._console.sessions
        token = token_in(headers.get("cookie", ""), secure=self._console.is_https) or ""
        if not _loads_page(scope, headers):
            return Admitted(sessions.check_token(token))
        client = scope.get("client")
        origin = Origin.of(client[0] if client else None, headers.get("user-agent"))
        issued = sessions.refresh(token, origin)
        return Admitted(sessions.check(issued.family_id), issued)

    def _refused(self, method: str, path: str, headers: Headers) -> Response | None:
        if path.startswith(CLOSED) and not path.startswith(STREAMLIT):
            return PlainTextResponse("There is nothing here.", 404)
        if method in SAFE or path.startswith(WEBHOOKS):
            return None
        if self._same_origin(headers):
            return None
        return PlainTextResponse("This was sent from another site: begin at LEAP's own page.", 403)

    def _same_origin(self, headers: Headers) -> bool:
        """Does a page of ours send this?

        A browser tells where from in `Origin` (https://fetch.spec.whatwg.org/#origin-header), or
        else in `Sec-Fetch-Site`; no page can set either.
        """
        told = headers.get("origin")
        if told is None:
            return headers.get("sec-fetch-site") == "same-origin"
        own = (urlsplit(self._console.settings.public_url).netloc, headers.get("host"))
        return urlsplit(told).netloc in own

    def _turned_away(self, scope: Scope, headers: Headers) -> Response:
        """To the login and back, where a person looks at it."""
        if scope["method"] in ("GET", "HEAD") and _wants_page(headers):
            asked = scope["path"]
            if scope["query_string"]:
                asked += "?" + scope["query_string"].decode("latin-1")
            target = "/login" if asked == "/" else f"/login?next={quote(asked, safe='')}"
            response: Response = RedirectResponse(target, 303)
            if headers.get("cookie"):
                gone = header_of(None, secure=self._console.is_https)
                response.headers["set-cookie"] = gone.decode("latin-1")
        else:
            response = PlainTextResponse("Nobody is logged in here: log in first.", 401)
        response.headers["cache-control"] = "no-store"
        return response

    def _with_cookie(self, send: Send, issued: Issued | None) -> Send:
        if issued is None:
            return send
        cookie = header_of(issued, secure=self._console.is_https)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                # The login routes may have put another one, as by a change of the password.
                more = [] if _sets_cookie(message) else [(b"set-cookie", cookie)]
                kept = [each for each in message["headers"] if each[0].lower() != b"cache-control"]
                more.append((b"cache-control", b"no-store"))
                message = {**message, "headers": [*kept, *more]}
            await send(message)

        return answer

    def _protected(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        had = {name.lower() for name, _ in headers}
        return [*headers, *(each for each in self._headers if each[0] not in had)]


def _is_open(path: str) -> bool:
    return path in OPEN_EXACT or any(
        path.startswith(each) if each.endswith("/") else path == each or path.startswith(f"{each}/")
        for each in OPEN
    )


def _wants_page(headers: Headers) -> bool:
    kind = headers.get("sec-fetch-dest")
    return kind in ("document", "iframe") if kind else "text/html" in headers.get("accept", "")


def _loads_page(scope: Scope, headers: Headers) -> bool:
    """A whole page, not a part of one: then a token is due."""
    kind = headers.get("sec-fetch-dest")
    if scope["method"] != "GET" or scope["path"].startswith("/dagster/"):
        return False
    return kind == "document" if kind else "text/html" in headers.get("accept", "")


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
    sentence = "LEAP cannot look up who you are at the moment: it tries again by itself."
    response: Response = (
        page("message.html", 503, title="One moment", sentence=sentence, reload=RETRY_SECONDS)
        if _wants_page(headers)
        else PlainTextResponse(sentence, 503)
    )
    response.headers["retry-after"] = str(RETRY_SECONDS)
    return response


def _sets_cookie(message: Message) -> bool:
    return any(
        name.lower() == b"set-cookie" and text.startswith((b"leap=", b"__Host-leap="))
        for name, text in message["headers"]
    )


def _log(scope: Scope, told: Mapping[str, object], seconds: float) -> None:
    """One line a request, without its query, in which a code or a token may stand."""
    path = scope["path"]
    if path.startswith(("/static/", "/assets/", "/health/", "/_stcore/")):
        return
    logger.info(
        "%s %s",
        scope["method"],
        path,
        extra={"status": told["status"], "user": told["user"], "ms": round(seconds * 1000)},
    )
