"""Logging in and out, and one-time links; pages of their own, since no script may run before."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import anyio
import anyio.to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from dashboard.console import Console
from dashboard.cookies import drop_token, put_token, token_in
from dashboard.pages_html import page
from dashboard.routes.forms import Refused, read_form
from dashboard.texts import mark, preferred
from leap_pipeline.domain.addresses import Origin
from leap_pipeline.errors import (
    LeapError,
    LoginRefused,
    MustWaitError,
    SessionEnded,
    TransientError,
    UserActionError,
)
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.links import reset_password, verify_email

logger = logging.getLogger("leap.console")

HOME = "/"
NOT_FROM_LOGIN = ("/login", "/leave", "/logout")
AT_ONCE, MOST_WAITING = 8, 40
# What the services say, for those who translate: they know of no catalogue.
SAID = (
    mark(
        "The address or the password is wrong: try again, or ask for a link to set a new password."
    ),
    mark("This account is switched off: ask an admin to switch it on."),
    mark("This link was used before or has expired: ask for a new one."),
)
T = TypeVar("T")


class LoginRoutes:
    """`/login`, `/logout`, and `/link/{purpose}#token`, whose token no server's log sees."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._waiting = 0

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [
            Route("/login", self._ask, methods=["GET"]),
            Route("/login", self._login, methods=["POST"]),
            Route("/logout", self._logout, methods=["GET", "POST"]),
            Route("/link/password", self._new_password, methods=["GET", "POST"]),
            Route("/link/address", self._verify, methods=["GET", "POST"]),
        ]

    async def _ask(self, request: Request) -> Response:
        return _login_page(request, next_=safe_next(request.query_params.get("next")))

    async def _login(self, request: Request) -> Response:
        form: dict[str, str] = {}

        async def act() -> Response:
            form.update(await read_form(request))
            issued = await self._counter(
                self._console.sessions.login,
                form.get("email", ""),
                form.get("password", ""),
                origin_of(request),
            )
            await self._end_former(request)
            response = RedirectResponse(safe_next(form.get("next")), 303)
            put_token(response, issued, secure=self._console.is_https)
            return response

        def refused(status: int, sentence: str) -> Response:
            return _login_page(
                request,
                status,
                error=sentence,
                email=form.get("email", "")[:255],
                next_=safe_next(form.get("next")),
            )

        return await _answered(act, refused)

    async def _logout(self, request: Request) -> Response:
        """A link cannot log anybody out: asked by GET, it asks back."""
        if request.method == "GET":
            return page("logout.html", language=_language(request))

        async def act() -> Response:
            await self._end(request)
            response = RedirectResponse("/login", 303)
            drop_token(response, secure=self._console.is_https)
            return response

        return await _answered(
            act,
            lambda status, sentence: _message(request, mark("Not logged out"), sentence, status),
        )

    async def _new_password(self, request: Request) -> Response:
        language = _language(request)
        if request.method == "GET":
            return page("password.html", language=language, error=None)

        async def act() -> Response:
            form = await read_form(request)
            password = form.get("password", "")
            if password != form.get("again", ""):
                raise Refused(400, mark("The two passwords differ: type the same one twice."))
            await self._counter(
                self._with_link, reset_password, request, form.get("token", ""), password
            )
            return _message(request, mark("Your password is set"), mark("Log in with it now."))

        def refused(status: int, sentence: str) -> Response:
            return page("password.html", status, language=language, error=sentence)

        return await _answered(act, refused)

    async def _verify(self, request: Request) -> Response:
        if request.method == "GET":
            return page("verify.html", language=_language(request))

        async def act() -> Response:
            form = await read_form(request)
            await self._counter(self._with_link, verify_email, request, form.get("token", ""))
            return _message(
                request, mark("Your address is confirmed"), mark("You can close this page.")
            )

        def refused(status: int, sentence: str) -> Response:
            return _message(request, mark("This did not work"), sentence, status)

        return await _answered(act, refused)

    async def _counter(self, act: Callable[..., T], *given: object) -> T:
        """Passwords are compared by few threads of their own, so that nobody who guesses, and no
        crowd, takes those that look after whoever is in already.
        """
        if self._waiting >= MOST_WAITING:
            raise Refused(503, mark("Too many people log in at once: try again in a moment."))
        self._waiting += 1
        try:
            return await anyio.to_thread.run_sync(
                partial(act, *given), limiter=self._limiter, abandon_on_cancel=False
            )
        finally:
            self._waiting -= 1

    async def _end_former(self, request: Request) -> None:
        """The login that this browser had: its cookie is about to be replaced, and it would live on
        without anybody who could log out of it.
        """
        try:
            await self._end(request)
        except LeapError as error:  # the new login is made already
            logger.warning("A former login lives on: %s", error)

    async def _end(self, request: Request) -> None:
        """End the login whose token the browser sends, if it lives."""
        token = token_in(request.headers.get("cookie", ""), secure=self._console.is_https)
        if token is not None:
            await run_in_threadpool(self._end_family, token, origin_of(request))

    def _end_family(self, token: str, origin: Origin) -> None:
        try:
            who = self._console.sessions.check_token(token)
        except SessionEnded:
            return
        actor = Actor(who.user_id, who.email, origin.ip_address, origin.user_agent)
        self._console.sessions.logout(who.user_id, who.family_id, actor)

    def _with_link(self, act: Callable[..., str], request: Request, *given: str) -> None:
        origin = origin_of(request)
        nobody = Actor(None, "a one-time link", origin.ip_address, origin.user_agent)
        with self._console.database.system() as session:
            act(session, *given, nobody)


def safe_next(text: str | None) -> str:
    """An address of ours to go on to; what leads elsewhere becomes the first page."""
    if not text or not text.startswith("/") or text.startswith(("//", *NOT_FROM_LOGIN)):
        return HOME
    plain = all(0x20 < ord(each) < 0x7F for each in text) and "\\" not in text
    return text if plain else HOME


def origin_of(request: Request) -> Origin:
    """Where a request comes from; behind a proxy of this machine, what the proxy says."""
    client = request.client
    return Origin.of(client.host if client else None, request.headers.get("user-agent"))


async def _answered(
    act: Callable[[], Awaitable[Response]], refused: Callable[[int, str], Response]
) -> Response:
    try:
        return await act()
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it
    except Refused as error:
        return refused(error.status, str(error))
    except LoginRefused as error:
        return refused(401, str(error))
    except MustWaitError as error:
        return refused(429, str(error))
    except UserActionError as error:
        return refused(400, str(error))
    except TransientError:
        return refused(503, mark("LEAP's database does not answer at the moment: try again."))
    except LeapError as error:
        return refused(500, str(error))


def _login_page(
    request: Request, status: int = 200, *, error: str | None = None, email: str = "", next_: str
) -> Response:
    language = _language(request)
    return page("login.html", status, language=language, error=error, email=email, next=next_)


def _message(request: Request, title: str, sentence: str, status: int = 200) -> Response:
    return page(
        "message.html",
        status,
        language=_language(request),
        title=title,
        sentence=sentence,
        reload=None,
    )


def _language(request: Request) -> str:
    return preferred(request.headers.get("accept-language", ""))
