"""Logging in at platforms, so that accounts are connected.

    POST /oauth/{login}/start        the console's button: on to the platform
    GET  /oauth/{login}/callback     the way back, with a code
    GET  /oauth/vk-implicit/callback a page that reads the token off the address, for
    POST /oauth/vk-implicit/callback
    POST /oauth/vk/token             a token that was pasted

`login` is zoom, youtube, vk-id or vk-implicit. Who asks is the caller's to say: see `Who`. The
session's cookie has to be SameSite=Lax: a Strict one is not sent on the way back.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboard.routes.forms import Refused, read_body, status_of
from leap_pipeline.errors import InputError, LeapError
from leap_pipeline.oauth.pages import Page, fragment_page, page
from leap_pipeline.oauth.platform import Returned
from leap_pipeline.oauth.returned import fields_of, returned_from, returned_of
from leap_pipeline.services.credential_rows import CredentialView
from leap_pipeline.services.oauth_connect import Connections, Visitor
from leap_pipeline.services.oauth_platforms import Login

logger = logging.getLogger(__name__)

Who = Callable[[Request], Visitor | None]
"""The person and the browser session of a request; None: nobody is logged in."""
Done = Callable[[CredentialView], None]


class OAuthRoutes:
    """The routes; `home` is where the pages lead back to, `done` hears of each account."""

    def __init__(
        self,
        connections: Connections,
        who: Who,
        *,
        home: str = "/",
        done: Done = lambda _view: None,
    ) -> None:
        self._connections = connections
        self._who = who
        self._home = home
        self._done = done

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [
            Route("/oauth/vk/token", self._paste, methods=["POST"]),
            Route("/oauth/{login}/start", self._start, methods=["POST"]),
            Route("/oauth/{login}/callback", self._came_back, methods=["GET"]),
            Route("/oauth/{login}/callback", self._brought, methods=["POST"]),
        ]

    async def _start(self, request: Request) -> Response:
        async def act() -> Response:
            login = _login(request)
            form, visitor = await self._posted(request)
            address = await run_in_threadpool(
                self._connections.start,
                visitor,
                login,
                credential_id=_number(form.get("credential_id")),
                account_name=form.get("account_name") or None,
            )
            return RedirectResponse(address, 303, headers=_PRIVATE)

        return await self._answered(act)

    async def _came_back(self, request: Request) -> Response:
        async def act() -> Response:
            login = _login(request)
            if login is Login.VK_IMPLICIT:
                return _response(200, fragment_page())
            visitor = await self._visitor(request)
            returned = returned_of(fields_of(request.url.query))
            return await self._finished(visitor, login, returned)

        return await self._answered(act)

    async def _brought(self, request: Request) -> Response:
        async def act() -> Response:
            if _login(request) is not Login.VK_IMPLICIT:
                raise Refused(405, "This address is only read: begin at LEAP's own page.")
            form, visitor = await self._posted(request)
            returned = returned_from(form.get("answer", ""))
            return await self._finished(visitor, Login.VK_IMPLICIT, returned)

        return await self._answered(act)

    async def _paste(self, request: Request) -> Response:
        async def act() -> Response:
            form, visitor = await self._posted(request)
            view = await run_in_threadpool(
                self._connections.paste,
                visitor,
                form.get("token", ""),
                credential_id=_number(form.get("credential_id")),
                account_name=form.get("account_name") or None,
            )
            return self._connected(view)

        return await self._answered(act)

    async def _finished(self, visitor: Visitor, login: Login, returned: Returned) -> Response:
        view = await run_in_threadpool(self._connections.finish, visitor, login, returned)
        return self._connected(view)

    def _connected(self, view: CredentialView) -> Response:
        self._done(view)
        return self._page(200, "Connected", f"{view.title} is connected.")

    async def _answered(self, act: Callable[[], Awaitable[Response]]) -> Response:
        try:
            return await act()
        except Refused as refused:
            return self._page(refused.status, "Not connected", str(refused))
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except LeapError as error:
            logger.info("An account was not connected: %s", error)
            return self._page(status_of(error), "Not connected", str(error))

    def _page(self, status: int, title: str, sentence: str) -> Response:
        return _response(status, page(title, sentence, self._home))

    async def _visitor(self, request: Request) -> Visitor:
        visitor = await run_in_threadpool(self._who, request)
        if visitor is None:
            raise Refused(401, "Nobody is logged in here: log in to LEAP, then connect again.")
        return visitor

    async def _posted(self, request: Request) -> tuple[dict[str, str], Visitor]:
        """The form and who sent it, from a page of LEAP's own and no other one."""
        own = _origin(self._connections.public_url)
        told = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site", "same-origin")
        if told not in (None, own) or site != "same-origin":
            raise Refused(403, "This was sent from another site: begin at LEAP's own page.")
        visitor = await self._visitor(request)
        return fields_of((await read_body(request)).decode("utf-8", "replace")), visitor


_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}


def _response(status: int, found: Page) -> Response:
    return Response(found.text, status, headers=dict(found.headers))


def _login(request: Request) -> Login:
    try:
        return Login(request.path_params["login"])
    except ValueError:
        names = ", ".join(Login)
        raise Refused(404, f"Nobody logs in there: use one of {names}.") from None


def _number(text: str | None) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        msg = "The account to connect again is named by its number: choose it in the list."
        raise InputError(msg)
    return int(text)


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
