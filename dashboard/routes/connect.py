"""Connecting accounts: `/connect/{login}` says what will happen, and its button begins the login.

The page is ours and not Streamlit's, since a browser applies `form-action` to where a form's answer
leads on to (https://www.w3.org/TR/CSP3/#directive-form-action): this page alone may lead to the
platform, and no other one may lead away at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboard.console import Console
from dashboard.gate import WHO
from dashboard.pages_html import page
from dashboard.routes.answers import actor_of, language_of
from dashboard.routes.forms import status_of
from dashboard.routes.oauth import OAuthRoutes
from dashboard.texts import mark
from leap_pipeline.domain.permissions import Permission, require
from leap_pipeline.errors import InputError, LeapError, NotFound
from leap_pipeline.services.credentials import Credentials
from leap_pipeline.services.oauth_connect import Connections, Visitor
from leap_pipeline.services.oauth_platforms import Login, OAuthPlatforms
from leap_pipeline.services.sessions import SignedIn
from leap_pipeline.settings import Settings
from leap_pipeline.web.calls import TIMEOUT

HOME = "/connections"
# VK sends browsers from one of its hosts to another.
VK_HOSTS = (
    "https://id.vk.com",
    "https://id.vk.ru",
    "https://oauth.vk.com",
    "https://oauth.vk.ru",
)
WORDS: Mapping[Login, tuple[str, str]] = {
    Login.YOUTUBE: (
        mark("Connect YouTube"),
        mark("You log in at Google. LEAP may then upload videos to your channel, and change them."),
    ),
    Login.ZOOM: (
        mark("Connect Zoom"),
        mark(
            "You log in at Zoom. LEAP may then read your cloud recordings; "
            "it changes nothing there."
        ),
    ),
    Login.VK_ID: (
        mark("Connect VK"),
        mark(
            "You log in at VK. LEAP may then upload videos for you and your groups, "
            "and change them."
        ),
    ),
    Login.VK_IMPLICIT: (
        mark("Connect VK by a token"),
        mark("You log in at VK, which gives LEAP a token; or you paste one that you have."),
    ),
}


@dataclass(frozen=True)
class _Asked:
    """What a page is asked for; `title` is of the account to connect again."""

    login: Login
    credential_id: int | None
    title: str | None
    has_app: bool


class ConnectRoutes:
    """`/connect/{login}`, and behind it `/oauth/…`. `close` ends the connections to platforms."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._http = httpx.Client(timeout=TIMEOUT)
        self._platforms = OAuthPlatforms(self._http, console.settings)
        connections = Connections(
            console.database, console.vault, self._platforms, console.settings.public_url
        )
        self._oauth = OAuthRoutes(connections, visitor_of, home=HOME)

    def routes(self) -> list[Route]:
        """For a Starlette application."""
        return [Route("/connect/{login}", self._ask, methods=["GET"]), *self._oauth.routes()]

    def close(self) -> None:
        self._http.close()

    async def _ask(self, request: Request) -> Response:
        who: SignedIn = request.scope[WHO]
        language = language_of(request)
        try:
            asked = await run_in_threadpool(self._asked, request, who)
        except LeapError as error:
            said = {"title": mark("This did not work"), "sentence": str(error), "reload": None}
            return page("message.html", status_of(error), language=language, **said)
        title, sentence = WORDS[asked.login]
        response = page(
            "connect.html",
            language=language,
            asked=asked,
            title=title,
            sentence=sentence,
            pastes=asked.login is Login.VK_IMPLICIT,
        )
        policy = form_policy(asked.login, self._console.settings)
        response.headers["content-security-policy"] = policy
        return response

    def _asked(self, request: Request, who: SignedIn) -> _Asked:
        require(who.rights, Permission.MANAGE_CREDENTIALS)
        login = _login(request.path_params["login"])
        has_app = self._platforms.own_app(login) is not None
        told = request.query_params.get("credential")
        if told is None:
            return _Asked(login, None, None, has_app)
        number = int(told) if told.isascii() and told.isdecimal() and len(told) < 10 else 0
        with self._console.database.tenant(who.user_id) as session:
            store = Credentials(session, who.user_id, self._console.vault)
            view, stored = store.view(number), store.stored(number)
        if view.platform != login.platform:
            msg = f"{view.title} is no account of {login.platform}: choose it in the list."
            raise InputError(msg)
        # An account may bring an app of its own, by which it is renewed.
        own = getattr(stored, "client_secret", None) is not None
        return _Asked(login, number, view.title, has_app or own)


def visitor_of(request: Request) -> Visitor | None:
    """Whom the gate let in; a login at a platform belongs to that very login here."""
    who: SignedIn | None = request.scope.get(WHO)
    if who is None:
        return None
    return Visitor(who.user_id, who.rights, who.family_id, actor_of(request))


def form_policy(login: Login, settings: Settings) -> str:
    """The page's own Content-Security-Policy: its forms lead here, and to that platform."""
    address = {
        Login.YOUTUBE: settings.google_auth_url,
        Login.ZOOM: settings.zoom_oauth_url,
        Login.VK_ID: settings.vk_id_url,
        Login.VK_IMPLICIT: settings.vk_oauth_url,
    }[login]
    parts = urlsplit(address)
    origin = f"{parts.scheme}://{parts.netloc}"
    allowed = list(VK_HOSTS) if origin in VK_HOSTS else [origin, _below(parts.scheme, parts.netloc)]
    targets = " ".join(["'self'", *filter(None, allowed)])
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
        f"frame-ancestors 'none'; form-action {targets}"
    )


def _below(scheme: str, netloc: str) -> str | None:
    """Hosts below a named one: Zoom and Google send browsers on to them."""
    last = netloc.rpartition(".")[2]
    return f"{scheme}://*.{netloc}" if last.isalpha() else None


def _login(text: str) -> Login:
    try:
        return Login(text)
    except ValueError:
        msg = f"Nobody logs in there: use one of {', '.join(Login)}."
        raise NotFound(msg) from None
