"""The token endpoint: `account_credentials`, `authorization_code`, `refresh_token`.

Refresh tokens rotate at every refresh. One that was rotated is refused, and with `reuse_revokes`
its whole family ends: the access token answers 401 and the newest refresh token is refused too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

import httpx

from tests.support.zoom.errors import no_token
from tests.support.zoom.world import Account, App, User, World

FORM = "application/x-www-form-urlencoded"
ACCESS_SECONDS = 3600
REFRESH_TIME = timedelta(days=90)
CODE_TIME = timedelta(minutes=10)
_OAUTH_NAMES = {4702: "invalid_client", 4704: "invalid_client", 4705: "unsupported_grant_type"}


class TokenRefused(Exception):
    """The token endpoint says no, with one of Zoom's codes."""

    def __init__(self, code: int, reason: str, status: int = 400) -> None:
        super().__init__(reason)
        self.code = code
        self.status = status
        error = _OAUTH_NAMES.get(code, "invalid_grant")
        self.body = {"code": code, "reason": reason, "message": reason, "error": error}


@dataclass
class Grant:
    """Whom a token speaks for."""

    account_id: str
    user_id: str
    scopes: frozenset[str]
    client_id: str
    family: str
    expires_at: datetime
    server_to_server: bool


@dataclass
class Code:
    client_id: str
    user_id: str
    redirect_uri: str
    challenge: str | None
    expires_at: datetime


@dataclass
class Tokens:
    """Every token that was given out; `pairs` are those still good for a refresh."""

    world: World
    reuse_revokes: bool = True
    access_seconds: int = ACCESS_SECONDS
    access: dict[str, Grant] = field(default_factory=dict)
    refresh: dict[str, Grant] = field(default_factory=dict)
    rotated: dict[str, Grant] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)

    def answer(self, request: httpx.Request, now: datetime) -> dict[str, object]:
        """The body of a good answer, or TokenRefused."""
        if request.method != "POST":
            raise TokenRefused(4705, "The token endpoint takes POST.", 405)
        if request.headers.get("content-type", "").split(";")[0] != FORM:
            raise TokenRefused(4705, "The body must be a form.", 415)
        app = self._app(request.headers.get("authorization", ""))
        form = dict(parse_qsl(request.content.decode(), strict_parsing=bool(request.content)))
        grants = {
            "account_credentials": self._account,
            "authorization_code": self._code,
            "refresh_token": self._refresh,
        }
        kind = grants.get(form.get("grant_type", ""))
        if kind is None:
            raise TokenRefused(4705, "The grant type is not supported.")
        return kind(app, form, now)

    def bearer(self, request: httpx.Request, now: datetime) -> Grant:
        """Whom the request speaks for, or Refused 401 with code 124."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        grant = self.access.get(token)
        if scheme.lower() != "bearer" or grant is None or grant.family in self.ended:
            raise no_token()
        if grant.expires_at <= now:
            raise no_token(message="Access token is expired.")
        return grant

    def authorize(
        self, app: App, user: User, redirect_uri: str, challenge: str | None, now: datetime
    ) -> str:
        """What the user's consent in the browser gives: a code for the redirect."""
        code = secrets.token_urlsafe(24)
        expires_at = now + CODE_TIME
        self.codes[code] = Code(app.client_id, user.id, redirect_uri, challenge, expires_at)
        return code

    def revoke(self, family: str, code: int = 4741) -> None:
        self.ended[family] = code

    def issue(
        self, app: App, account: Account, user: User, now: datetime, family: str = ""
    ) -> dict[str, object]:
        """A new access token, with a refresh token unless the app is Server-to-Server."""
        machine = app.account_id is not None
        family = family or secrets.token_hex(8)

        def grant(life: timedelta) -> Grant:
            scopes = frozenset(app.scopes)
            return Grant(account.id, user.id, scopes, app.client_id, family, now + life, machine)

        token = secrets.token_urlsafe(48)
        self.access[token] = grant(timedelta(seconds=self.access_seconds))
        answer: dict[str, object] = {
            "access_token": token,
            "token_type": "bearer",
            "expires_in": self.access_seconds - 1 if self.access_seconds > 1 else 1,
            "scope": " ".join(sorted(app.scopes)),
            "api_url": "https://api.zoom.us",
        }
        if not machine:
            again = secrets.token_urlsafe(48)
            self.refresh[again] = grant(REFRESH_TIME)
            answer["refresh_token"] = again
        return answer

    def _app(self, header: str) -> App:
        scheme, _, encoded = header.partition(" ")
        try:
            client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            client_id = secret = ""
        app = self.world.apps.get(client_id)
        if scheme.lower() != "basic" or app is None:
            raise TokenRefused(4702, "Invalid client_id or client_secret.", 401)
        if not secrets.compare_digest(app.client_secret, secret):
            raise TokenRefused(4704, "Invalid client secret.", 401)
        if app.disabled:
            raise TokenRefused(4738, "The app has been disabled by the account's admin.")
        return app

    def _account(self, app: App, form: Mapping[str, str], now: datetime) -> dict[str, object]:
        account = self.world.accounts.get(form.get("account_id", ""))
        if app.account_id is None or account is None or account.id != app.account_id:
            raise TokenRefused(4702, "The account and the client do not belong together.")
        return self.issue(app, account, self.world.users[account.owner_id], now)

    def _code(self, app: App, form: Mapping[str, str], now: datetime) -> dict[str, object]:
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or code.client_id != app.client_id:
            raise TokenRefused(4734, "The authorization code is invalid.")
        if code.expires_at <= now:
            raise TokenRefused(4733, "The authorization code is expired.")
        if form.get("redirect_uri") != code.redirect_uri:
            raise TokenRefused(4709, "The redirect URI does not match.")
        if code.challenge is not None and code.challenge != s256(form.get("code_verifier", "")):
            raise TokenRefused(4734, "The code verifier does not fit.")
        user = self._owner(code.user_id)
        for grant in self.refresh.values():
            if (grant.client_id, grant.user_id) == (app.client_id, user.id):
                self.revoke(grant.family)  # a later authorisation supersedes it
        return self.issue(app, self.world.accounts[user.account_id], user, now)

    def _refresh(self, app: App, form: Mapping[str, str], now: datetime) -> dict[str, object]:
        token = form.get("refresh_token", "")
        if token in self.rotated:
            if self.reuse_revokes:
                self.revoke(self.rotated[token].family)
            raise TokenRefused(4741, "The token has been superseded.")
        grant = self.refresh.get(token)
        if grant is None or grant.client_id != app.client_id or grant.expires_at <= now:
            raise TokenRefused(4734, "The refresh token is invalid.")
        if grant.family in self.ended:
            raise TokenRefused(self.ended[grant.family], "The token has been revoked.")
        user = self._owner(grant.user_id)
        self.rotated[token] = self.refresh.pop(token)
        return self.issue(app, self.world.accounts[grant.account_id], user, now, grant.family)

    def _owner(self, user_id: str) -> User:
        user = self.world.user(user_id)
        if user is None:
            raise TokenRefused(4735, "The owner of the token does not exist.")
        return user


def s256(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
