"""Zoom's refusals as errors: what is wrong and what to do, by HTTP status and Zoom's own code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from leap_pipeline.errors import DataError, LeapError, UserActionError
from leap_pipeline.redaction import redact
from leap_pipeline.sources.zoom.errors import (
    PageTokenDied,
    PermissionMissing,
    RecordingMissing,
    ScopeMissing,
    UserMissing,
)
from leap_pipeline.web.calls import Answer
from leap_pipeline.web.errors import CredentialRefused

NO_PERMISSION, PAGE_TOKEN, NO_USER, NOT_IN_ACCOUNT, NO_RECORDING = 200, 300, 1001, 1010, 3301
NO_SCOPE = (104, 4711)
SHOWN = 200
_SCOPES = re.compile(r"scopes?\s*:?\s*\[([^\]]{1,500})\]", re.IGNORECASE)
_CODE_IN_WORDS = re.compile(r"\b4,?(7\d\d)\b")


@dataclass(frozen=True)
class Asked:
    """What was asked for, in words, and the scope that it needs."""

    what: str
    scope: str


def refusal(answer: Answer, asked: Asked, *, paged: bool = False) -> LeapError | None:
    """The error for an answer of the API; None for a good one.

    `paged` says that the request had a page token.
    """
    code = code_of(answer.body)
    if httpx.codes.is_success(answer.status):
        return _no_permission(asked) if code == NO_PERMISSION else _odd(answer, code, asked)
    if paged and answer.status == httpx.codes.BAD_REQUEST and code == PAGE_TOKEN:
        return PageTokenDied("Zoom's page token has ended.")
    if code in NO_SCOPE or "does not contain scope" in _message(answer.body).lower():
        return _no_scope(answer.body, asked)
    return _by_code(code, asked) or _by_status(answer, code, asked)


def code_of(body: Mapping[str, Any]) -> int | None:
    """Zoom's own error code, wherever it stands."""
    for name in ("code", "errorCode", "error_code"):
        found = str(body.get(name, ""))
        if found.isdecimal():
            return int(found[:9])
    words = _CODE_IN_WORDS.search(_message(body))
    return int(f"4{words[1]}") if words else None


def said(body: Mapping[str, Any]) -> str:
    """Zoom's own words, short and without secrets, to go behind a sentence of ours."""
    words = " ".join(redact(_message(body)).split())[:SHOWN]
    return f" (Zoom: {words.rstrip('.')})" if words else ""


def _by_code(code: int | None, asked: Asked) -> LeapError | None:
    if code == NO_RECORDING:
        return _missing(asked)
    if code in (NO_USER, NOT_IN_ACCOUNT):
        return UserMissing(
            f"Zoom finds no such user in this account for {asked.what} (code {code}): correct "
            "`user_id` of the source."
        )
    return _no_permission(asked) if code == NO_PERMISSION else None


def _by_status(answer: Answer, code: int | None, asked: Asked) -> LeapError:
    status = answer.status
    if status == httpx.codes.UNAUTHORIZED:
        msg = (
            f"Zoom refuses a fresh token for {asked.what}{_numbers(status, code)}: connect the "
            f"account again{said(answer.body)}."
        )
        return CredentialRefused(msg, code=code)
    if status == httpx.codes.FORBIDDEN:
        return _no_permission(asked)
    if httpx.codes.is_redirect(status):
        host = urlsplit(answer.location or "").hostname or "nowhere"
        msg = (
            f"Zoom's address sends requests on to {host:.100}, which LEAP does not follow: correct "
            "LEAP_ZOOM_API_URL."
        )
        return UserActionError(msg)
    msg = (
        f"Zoom refuses to be asked for {asked.what}{_numbers(status, code)}: see that "
        f"LEAP_ZOOM_API_URL is right, else report it as a fault of LEAP{said(answer.body)}."
    )
    return DataError(msg)


def _odd(answer: Answer, code: int | None, asked: Asked) -> LeapError | None:
    """A success that holds an error's code instead of anything else."""
    if code in (None, 0) or "meetings" in answer.body or "uuid" in answer.body:
        return None
    return _by_code(code, asked) or _by_status(answer, code, asked)


def _missing(asked: Asked) -> RecordingMissing:
    return RecordingMissing(
        f"There is nothing at Zoom when asked for {asked.what}: it was deleted, never made, or is "
        "not ready yet."
    )


def _no_permission(asked: Asked) -> PermissionMissing:
    return PermissionMissing(
        f"Zoom does not let this credential see {asked.what}: give its role the right to view "
        "recordings in Zoom, or use another credential."
    )


def _no_scope(body: Mapping[str, Any], asked: Asked) -> ScopeMissing:
    found = _SCOPES.search(_message(body))
    names = re.findall(r"[\w:]+", found[1]) if found else []
    wanted = " or ".join(names) or asked.scope
    msg = (
        f"The Zoom app lacks the scope {wanted} for {asked.what}: add it to the app in Zoom's "
        "Marketplace, then connect the account again."
    )
    return ScopeMissing(msg, tuple(names) or (asked.scope,))


def _message(body: Mapping[str, Any]) -> str:
    for name in ("message", "reason", "error_description", "errorMessage"):
        if isinstance(found := body.get(name), str) and found:
            return found
    return ""


def _numbers(status: int, code: int | None) -> str:
    return f" (HTTP {status}" + (f", code {code})" if code is not None else ")")
