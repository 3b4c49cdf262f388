"""Asking a platform, and what its refusals mean (RFC 6749, 5.2)."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

import httpx
from pydantic import SecretStr

from leap_pipeline.oauth.platform import App, Grant
from leap_pipeline.oauth.reading import read_grant
from leap_pipeline.redaction import redact, remember
from leap_pipeline.web.calls import PATIENCE, Answer, Body, Calls
from leap_pipeline.web.errors import CredentialRefused

SHOWN = 200
_AGAIN = "connect the account again"
# What is wrong and what to do, and whether the grant has ended for good.
_SENTENCES: Mapping[str, tuple[str, str, bool]] = {
    "invalid_grant": ("no longer takes the grant", _AGAIN, True),
    "invalid_token": ("no longer takes the grant", _AGAIN, True),
    "invalid_client": (
        "does not know the app, or refuses its secret",
        "correct the client id and secret of the app",
        False,
    ),
    "unauthorized_client": (
        "does not give this kind of grant to the app",
        "see that the app's type fits",
        False,
    ),
    "unsupported_grant_type": (
        "does not give this kind of grant to the app",
        "see that the app's type fits",
        False,
    ),
    "redirect_uri_mismatch": (
        "does not know LEAP's redirect address",
        "add it to the app there",
        False,
    ),
    "invalid_scope": ("does not give the app the rights that LEAP needs", "add them there", False),
    "admin_policy_enforced": (
        "does not let the person give these rights",
        "ask the admin of the account to allow LEAP",
        False,
    ),
    "disabled_client": ("has disabled the app", "restore it there", False),
    "deleted_client": ("no longer knows the app", "make a new one, and set its client id", False),
}


class Endpoint:
    """Asks one platform. Safe to share between threads; `patience` bounds each call."""

    def __init__(
        self,
        http: httpx.Client,
        service: str,
        *,
        patience: timedelta = PATIENCE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._service = service
        self._patience = patience
        self._clock = clock
        self._calls = Calls(http, service, clock=clock, sleep=sleep)

    def grant(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        basic: App | None = None,
        refused: Callable[[Answer], CredentialRefused] | None = None,
    ) -> Grant:
        """What the token endpoint at `url` gives; `refused` says why it does not.

        A code is good once, so a call whose answer was lost is not sent again with it; with a
        refresh token it is, for the next renewal could do nothing else.
        """
        began = self._clock()
        answer = self.post(url, form, basic=basic, repeatable="code" not in form)
        if not httpx.codes.is_success(answer.status) or "access_token" not in answer.body:
            raise (refused or self.refusal)(answer)
        return read_grant(self._service, answer.body, began)

    def post(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        basic: App | None = None,
        repeatable: bool = True,
    ) -> Answer:
        """The answer to a form, with the app's secret as Basic where it goes there."""
        headers = {"Authorization": f"Basic {_basic(basic)}"} if basic is not None else {}
        request = self._http.build_request("POST", url, data=dict(form), headers=headers)
        return self._calls.send(request, self._calls.budget(self._patience), repeatable=repeatable)

    def get(self, url: str, parameters: Mapping[str, str], token: SecretStr) -> Answer:
        """The answer to a question in the name of the token."""
        headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
        request = self._http.build_request("GET", url, params=dict(parameters), headers=headers)
        return self._calls.send(request, self._calls.budget(self._patience))

    def refusal(self, answer: Answer) -> CredentialRefused:
        """Why there is no token, as a sentence that says what to do."""
        name = str(answer.body.get("error", ""))
        if name in _SENTENCES:
            wrong, remedy, gone = _SENTENCES[name]
            return CredentialRefused(f"{self._service} {wrong} ({name}): {remedy}.", gone=gone)
        return CredentialRefused(
            f"{self._service} gives out no token (HTTP {answer.status}){said(answer.body)}: see "
            "that its addresses in the settings and the app are right."
        )


def said(body: Body) -> str:
    """What a platform says of an error, short and without secrets."""
    words = (str(body.get(name, "")).strip() for name in ("error", "error_description"))
    text = redact(" ".join(" ".join(each.split()) for each in words if each))[:SHOWN]
    return f", it says “{text}”" if text else ""


def with_query(url: str, parameters: Mapping[str, str]) -> str:
    """The address with these parameters behind it."""
    return f"{url}{'&' if '?' in url else '?'}{urlencode(parameters)}"


def origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _basic(app: App) -> str:
    secret = app.client_secret.get_secret_value() if app.client_secret is not None else ""
    basic = base64.b64encode(f"{app.client_id}:{secret}".encode()).decode()
    remember(basic)
    return basic
