"""Zoom's token endpoint.

https://developers.zoom.us/docs/integrations/oauth/, for Server-to-Server apps
https://developers.zoom.us/docs/internal-apps/s2s-oauth/
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import SecretStr

from leap_pipeline.oauth.endpoint import Endpoint
from leap_pipeline.oauth.platform import App, Grant
from leap_pipeline.sources.zoom.answers import code_of, said
from leap_pipeline.web.calls import PATIENCE, Answer
from leap_pipeline.web.errors import CredentialRefused

OAUTH = "https://zoom.us/oauth"

_APP = "correct the client id and secret of the app"
_AGAIN = "connect the account again"
# What is wrong and what to do, and whether the grant has ended for good.
_SENTENCES: Mapping[int, tuple[str, str, bool]] = {
    4702: ("Zoom does not know the app or its account", _APP, False),
    4704: ("Zoom refuses the app's secret", _APP, False),
    4705: (
        "Zoom does not give this kind of grant to the app",
        "see that the app's type in Zoom's Marketplace fits the credential",
        False,
    ),
    4709: (
        "Zoom does not know the redirect address",
        "add LEAP's address to the app in Zoom's Marketplace",
        False,
    ),
    4711: (
        "The Zoom app lacks a scope that it is asked for",
        f"add it in Zoom's Marketplace, then {_AGAIN}",
        False,
    ),
    4733: ("Zoom's authorization code has expired", _AGAIN, True),
    4734: ("Zoom does not know the authorization", _AGAIN, True),
    4735: (
        "The person who connected the Zoom account is no longer there",
        "let another person connect it",
        True,
    ),
    4738: (
        "The Zoom account's admin has disabled the app",
        "ask the admin to allow it",
        False,
    ),
    4741: ("A later authorization has replaced this one at Zoom", _AGAIN, True),
}
# Where an answer has only the name that OAuth gives to the error (RFC 6749, 5.2).
_BY_NAME = {
    "invalid_client": 4702,
    "unauthorized_client": 4705,
    "unsupported_grant_type": 4705,
    "invalid_scope": 4711,
    "invalid_grant": 4734,
}


class TokenEndpoint:
    """Asks for tokens. Safe to share between threads.

    Raises CredentialRefused where Zoom says no, TransientError and MustWaitError where it cannot
    say now, after `patience`.
    """

    def __init__(
        self,
        http: httpx.Client,
        *,
        oauth_url: str = OAUTH,
        patience: timedelta = PATIENCE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = f"{oauth_url.rstrip('/')}/token"
        self._endpoint = Endpoint(http, "Zoom", patience=patience, clock=clock, sleep=sleep)

    def account(self, app: App, account_id: str) -> Grant:
        """A Server-to-Server app's token, which nothing renews."""
        return self._grant(app, {"grant_type": "account_credentials", "account_id": account_id})

    def refresh(self, app: App, refresh_token: SecretStr) -> Grant:
        """New tokens of a person's grant; the refresh token given has ended with that."""
        token = refresh_token.get_secret_value()
        return self._grant(app, {"grant_type": "refresh_token", "refresh_token": token})

    def exchange(
        self, app: App, code: SecretStr, redirect_uri: str, verifier: SecretStr | None = None
    ) -> Grant:
        """The first tokens of a person who has just agreed; `verifier` is PKCE's."""
        form = {
            "grant_type": "authorization_code",
            "code": code.get_secret_value(),
            "redirect_uri": redirect_uri,
        }
        if verifier is not None:
            form["code_verifier"] = verifier.get_secret_value()
        return self._grant(app, form)

    def refusal(self, answer: Answer) -> CredentialRefused:
        """What an answer that is none means."""
        return _refused(answer)

    def _grant(self, app: App, form: Mapping[str, str]) -> Grant:
        return self._endpoint.grant(self._url, form, basic=app, refused=_refused)


def account_of(token: SecretStr | None) -> str | None:
    """The account that a token says it is for; unproven, so good for no more than a label.

    Zoom's access tokens are JWTs that name it as `aid`, which is not documented.
    """
    parts = token.get_secret_value().split(".") if token is not None else []
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    account = found.get("aid") if isinstance(found, dict) else None
    return account if isinstance(account, str) and 0 < len(account) <= 100 else None


def _refused(answer: Answer) -> CredentialRefused:
    name = str(answer.body.get("error", ""))
    code = code_of(answer.body)
    known = code if code in _SENTENCES else _BY_NAME.get(name)
    if known is None and "invalid token" in said(answer.body).lower():
        known = 4734
    if known is None:
        msg = (
            f"Zoom gives out no token (HTTP {answer.status}): see that LEAP_ZOOM_OAUTH_URL and "
            f"the credential are right{said(answer.body)}."
        )
        return CredentialRefused(msg, code=code)
    wrong, remedy, gone = _SENTENCES[known]
    msg = f"{wrong} (code {known}): {remedy}."
    return CredentialRefused(msg, code=known, gone=gone)
