"""Whose VK token it is, and what it may: asked of VK's API.

https://dev.vk.com/method/users.get, https://dev.vk.com/method/account.getAppPermissions
VK answers errors with HTTP 200 and `error{error_code, error_msg}`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import SecretStr

from leap_pipeline.errors import LeapError, TransientError
from leap_pipeline.oauth.endpoint import Endpoint, said
from leap_pipeline.oauth.platform import Grant, Identity
from leap_pipeline.oauth.reading import as_id
from leap_pipeline.web.calls import PATIENCE
from leap_pipeline.web.errors import CredentialRefused

API = "https://api.vk.com/method"
VERSION = "5.199"
NEEDED = ("video",)
"""Without it nothing can be published; VK gives it to an app by hand."""
# https://dev.vk.com/reference/access-rights
BITS: Mapping[str, int] = {
    "video": 1 << 4,
    "wall": 1 << 13,
    "offline": 1 << 16,
    "groups": 1 << 18,
}
NO_LOGIN, NOT_HERE = 5, 1051
NOT_PERMITTED = frozenset({7, 15, 27, 28, NOT_HERE})
NOT_NOW = frozenset({1, 6, 9, 10, 29})


class VKAccount:
    """Asks VK's API about a token. Safe to share between threads."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        api_url: str = API,
        patience: timedelta = PATIENCE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = api_url.rstrip("/")
        self._endpoint = Endpoint(http, "VK", patience=patience, clock=clock, sleep=sleep)

    def identify(self, token: SecretStr) -> Identity:
        """The person, by the number that VK gives everybody."""
        found = self._asked("users.get", token)
        person = found[0] if isinstance(found, list) and found else None
        number = as_id(person.get("id")) if isinstance(person, dict) else None
        if person is None or number is None:
            msg = "VK does not tell whose token it is, as if it were a group's: give it a person's."
            raise CredentialRefused(msg)
        words = (str(person.get(name, "")).strip() for name in ("first_name", "last_name"))
        return Identity(number, " ".join(each for each in words if each) or number)

    def scopes(self, token: SecretStr) -> tuple[str, ...]:
        """Of the rights that LEAP uses those that the token has."""
        mask = self._asked("account.getAppPermissions", token)
        held = mask if isinstance(mask, int) else 0
        return tuple(name for name, bit in BITS.items() if held & bit)

    def probe(self, token: SecretStr) -> None:
        """See that VK lets the app at videos, for a scope alone does not say so."""
        self._asked("video.get", token, count="1")

    def _asked(self, method: str, token: SecretStr, **asked: str) -> Any:
        form = {"access_token": token.get_secret_value(), "v": VERSION, **asked}
        answer = self._endpoint.post(f"{self._url}/{method}", form)
        if "response" in answer.body:
            return answer.body["response"]
        raise _refused(method, answer.body.get("error"), answer.status)


def granted(account: VKAccount, grant: Grant) -> Grant:
    """The grant with its scopes, asked for where they are not known; raises as `probe` does."""
    scopes = grant.scopes or account.scopes(grant.access_token)
    if not missing(scopes):
        account.probe(grant.access_token)
    return replace(grant, scopes=scopes)


def missing(scopes: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in NEEDED if each not in scopes)


def _refused(method: str, error: object, status: int) -> LeapError:
    found: Mapping[str, Any] = error if isinstance(error, dict) else {}
    code = found.get("error_code")
    words = said({"error": str(found.get("error_msg", ""))})
    number = code if isinstance(code, int) else None
    if number in NOT_NOW:
        return TransientError(f"VK cannot answer now (error {number}){words}: try again later.")
    if number == NO_LOGIN:
        msg = f"VK does not take the token (error 5){words}: connect the account again."
        return CredentialRefused(msg, code=number, gone=True)
    if number in NOT_PERMITTED:
        msg = (
            f"Not permitted: VK has not given the app the right to this (error {number}){words}: "
            "ask VK's support for the right “video”, or paste a token of an app that has it."
        )
        return CredentialRefused(msg, code=number)
    kind = f"error {number}" if number is not None else f"HTTP {status}"
    msg = f"VK refuses {method} ({kind}){words}: connect the account again, or try later."
    return CredentialRefused(msg, code=number)
