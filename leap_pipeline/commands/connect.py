"""`leap connect` and `leap disconnect`: an account at a platform, by logging in there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from getpass import getpass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Annotated
from urllib.parse import urlsplit

import httpx
import typer

from leap_pipeline.commands.context import Platform, open_platform, print_json, say
from leap_pipeline.commands.credentials import owner_of
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.errors import InputError, LeapError, UserActionError
from leap_pipeline.oauth.pages import Page, fragment_page, page
from leap_pipeline.oauth.returned import fields_of, returned_from
from leap_pipeline.security.tokens import new_token
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.credential_rows import CredentialView
from leap_pipeline.services.oauth_connect import CALLBACK, Connections, Disconnected, Visitor
from leap_pipeline.services.oauth_platforms import Login, OAuthPlatforms
from leap_pipeline.services.oauth_states import VALID_FOR
from leap_pipeline.services.users import find_user
from leap_pipeline.web.calls import TIMEOUT

HOST = "127.0.0.1"
LARGEST_BODY = 16 * 1024
SOCKET_SECONDS = 3.0
PATIENCE = VALID_FOR.total_seconds()


def connect(
    platform: Annotated[Login, typer.Argument(help="Where to log in.")],
    *,
    user: Annotated[str, typer.Option("--user", help="Address of the owner in LEAP.")],
    credential: Annotated[
        int | None, typer.Option(help="Number of the account to connect again.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it; default: as it says.")] = None,
    port: Annotated[int, typer.Option(help="Port of the way back, on loopback.")] = 8503,
    paste: Annotated[
        bool,
        typer.Option(
            "--paste",
            help="Come back to LEAP_PUBLIC_URL, and paste the address that the browser shows then.",
        ),
    ] = False,
    token: Annotated[
        bool, typer.Option("--token", help="Read a token of VK from standard input instead.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Connect an account by logging in at its platform, in a browser on this machine."""
    opened = open_platform()
    with httpx.Client(timeout=TIMEOUT) as http:
        own = opened.settings.public_url if paste else f"http://{HOST}:{port}"
        platforms = OAuthPlatforms(http, opened.settings)
        connections = Connections(opened.database, load_vault(opened.settings), platforms, own)
        visitor = _visitor(opened, user)
        if token:
            view = _pasted_token(connections, visitor, platform, credential, name)
        else:
            address = connections.start(
                visitor, platform, credential_id=credential, account_name=name
            )
            redirect = connections.redirect_uri(platform)
            _tell(f"Open this address in a browser, and log in there:\n\n{address}\n")
            _tell(f"The app at the platform must know the redirect address {redirect}")

            def finish(answer: str) -> CredentialView:
                return connections.finish(visitor, platform, returned_from(answer))

            view = finish(_asked()) if paste else listen(port, platform, finish)
    if as_json:
        print_json(asdict(view))
    else:
        say(f"{view.title} is connected as {view.id}.")


def disconnect(
    credential: Annotated[int, typer.Argument(help="Its number, as `leap credentials list` says.")],
    *,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Also where it is used (its presets are deleted), or its platform cannot be told.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """End an account's grant at its platform, where that can be done, and remove it here."""
    opened = open_platform()
    owner = owner_of(opened, credential)
    with httpx.Client(timeout=TIMEOUT) as http:
        platforms = OAuthPlatforms(http, opened.settings)
        vault, own = load_vault(opened.settings), f"http://{HOST}"
        visitor = Visitor(owner, Rights(), new_token(), Actor(None, "leap disconnect"))
        connections = Connections(opened.database, vault, platforms, own)
        done = connections.disconnect(visitor, credential, force=force)
    if as_json:
        print_json(asdict(done))
    else:
        say(_disconnected(done))


def _disconnected(done: Disconnected) -> str:
    platform = done.account.platform
    at_platform = (
        f"{platform} ended what was granted to it"
        if done.ended
        else f"at {platform} nothing changed, so end what was granted in the settings there"
    )
    presets = len(done.uses.presets)
    gone = f" Until now it was used by {done.uses}." if done.uses else ""
    deleted = f" Presets deleted with it: {presets}." if presets else ""
    return f"{done.account.title} is removed; {at_platform}.{gone}{deleted}"


def listen(port: int, login: Login, finish: Callable[[str], CredentialView]) -> CredentialView:
    """Wait on loopback for the browser to come back; what `finish` raises is shown there too.

    Raises UserActionError where nobody comes in time, or the port is taken.
    """
    try:
        server = _Server((HOST, port), _Handler)
    except OSError as error:
        msg = f"Port {port} of {HOST} cannot be used ({error.strerror}): choose another --port."
        raise UserActionError(msg) from error
    server.login, server.finish = login, finish
    server.timeout = PATIENCE
    with server:
        while server.outcome is None and not server.late:
            server.handle_request()
    if isinstance(server.outcome, CredentialView):
        return server.outcome
    if server.outcome is not None:
        raise server.outcome
    msg = f"Nobody came back within {PATIENCE / 60:.0f} minutes: connect again."
    raise UserActionError(msg)


class _Server(HTTPServer):
    login: Login
    finish: Callable[[str], CredentialView]
    outcome: CredentialView | LeapError | None = None
    late = False

    def handle_timeout(self) -> None:
        self.late = True


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = SOCKET_SECONDS

    def do_GET(self) -> None:
        """The way back; VK's implicit flow brings its answer in the fragment."""
        parts = urlsplit(self.path)
        if not self._is_the_way_back(parts.path):
            return
        if self.server.login is Login.VK_IMPLICIT:
            self._show(200, fragment_page())
        else:
            self._finish(parts.query)

    def do_POST(self) -> None:
        """What the page of the implicit flow sends."""
        told = self.headers.get("Content-Length", "")
        own = f"http://{HOST}:{self.server.server_port}"
        if not self._is_the_way_back(self.path):
            return
        if self.headers.get("Origin", own) != own or not told.isdecimal():
            self._show(400, page("Not connected", "This was sent from another site."))
        elif int(told[:9]) > LARGEST_BODY:
            self._show(413, page("Not connected", f"This is more than {LARGEST_BODY} bytes."))
        else:
            self._finish(self.rfile.read(int(told)).decode("utf-8", "replace"), "answer")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: the address holds a code."""

    def _is_the_way_back(self, path: str) -> bool:
        if path == CALLBACK.format(login=self.server.login):
            return True
        self._show(404, page("Nothing here", "Go back to the address that LEAP has printed."))
        return False

    def _finish(self, answer: str, form: str | None = None) -> None:
        """`form` is the field of the form where the answer is."""
        try:
            said = fields_of(answer).get(form, "") if form is not None else answer
            view = self.server.finish(said)
        except LeapError as error:
            self.server.outcome = error
            self._show(400, page("Not connected", str(error)))
        else:
            self.server.outcome = view
            done = f"{view.title} is connected: this page can be closed."
            self._show(200, page("Connected", done))

    def _show(self, status: int, found: Page) -> None:
        body = found.text.encode("utf-8")
        self.send_response(status)
        for header, value in {**found.headers, "Content-Length": str(len(body))}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(body)


def _visitor(opened: Platform, email: str) -> Visitor:
    """Who runs commands here has the database and the keys: permissions are for the console."""
    with opened.database.system() as session:
        owner = find_user(session, email).id
    return Visitor(owner, Rights(), new_token(), Actor(None, "leap connect"))


def _pasted_token(
    connections: Connections,
    visitor: Visitor,
    platform: Login,
    credential: int | None,
    name: str | None,
) -> CredentialView:
    if platform.platform != "vk":
        msg = "Only VK's tokens are pasted: connect the others by logging in, without --token."
        raise InputError(msg)
    found = _read("The token (it is not shown): ")
    return connections.paste(visitor, found, credential_id=credential, account_name=name)


def _asked() -> str:
    return _read("The address that the browser shows in the end (it is not shown here): ")


def _read(question: str) -> str:
    return getpass(question) if sys.stdin.isatty() else sys.stdin.readline()


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
