"""VK's refusals as errors: what is wrong and what to do, by VK's own code.

VK refuses with HTTP 200 and `{"error": {"error_code": …, "error_msg": …}}`.
https://dev.vk.com/reference/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from leap_pipeline.errors import (
    DataError,
    LeapError,
    MustWaitError,
    TransientError,
    UserActionError,
)
from leap_pipeline.redaction import redact
from leap_pipeline.web.calls import Again, Answer
from leap_pipeline.web.errors import CredentialRefused

NO_TOKEN, TOO_MANY, FLOOD, DAILY, IN_ALBUM = 5, 6, 9, 29, 800
OTHER_ADDRESS = 1130
BROKEN = frozenset({1, 10})
"""VK failed by itself; another try may not."""
SHOWN = 200

FLOOD_WAIT = timedelta(hours=1)
DAILY_WAIT = timedelta(hours=6)
"""VK does not tell when its day begins, so it is asked a few times a day."""

_ACT: Mapping[int, str] = {
    14: (
        "VK asks for a captcha before {what}, which only a person can answer: log in to VK with "
        "this account in a browser, do something there, then try again."
    ),
    17: "VK wants the login confirmed before {what}: log in to VK in a browser, connect again.",
    18: "VK says that the account is deleted or blocked, which {what} needs: see vk.com.",
    24: "VK wants a confirmation by the account's owner before {what}: log in to VK and confirm.",
    3300: (
        "VK asks for a captcha before {what}, which only a person can answer: log in to VK with "
        "this account in a browser, then try again."
    ),
    3301: "VK wants the phone number confirmed before {what}: log in to VK and confirm it.",
    3302: "VK wants the password once more before {what}: log in to VK, then connect again.",
    3609: "VK wants the token to be extended before {what}: connect the VK account again.",
    3610: "VK says that the account is switched off, which {what} needs: switch it on at vk.com.",
    7: "VK does not permit {what} to this account: connect it again with the right to videos.",
    114: "VK knows no such album for {what}: correct `album_id` of the preset.",
    125: "VK knows no such community for {what}: correct `group_id` of the preset.",
    203: (
        "VK does not let this account into the community for {what}: make it an editor there, or "
        "correct `group_id` of the preset."
    ),
    204: (
        "VK does not permit {what}: the video or the album belongs to somebody else, or is gone; "
        "see the account, `group_id` and `album_id` of the preset."
    ),
    214: "VK lets nothing more be posted on the wall for {what}: switch `wallpost` off, or wait.",
    219: "VK lets no advertising be posted on the wall for {what}: switch `wallpost` off.",
    222: "VK takes no links on the wall for {what}: take them out of the template.",
}
_NOT_PERMITTED: Mapping[int, str] = {
    15: (
        "VK: not permitted: this account is denied {what}; see its rights in the community, or "
        "connect it again with the right to videos."
    ),
    27: (
        "VK: not permitted: {what} needs a user's token, and the one stored is a community's; "
        "connect a user's account."
    ),
    28: (
        "VK: not permitted: {what} needs a user's token, and the one stored is an app's; connect "
        "a user's account."
    ),
    1051: (
        "VK: not permitted: the app was not granted the right to videos, which {what} needs; ask "
        "VK's support for it (devsupport@corp.vk.com), or connect with a token that has it."
    ),
}


@dataclass(frozen=True)
class Refusal:
    """VK's own words: `code`, 0 where it gave none, and more of it."""

    code: int
    subcode: int
    words: str


def refused(body: Mapping[str, Any]) -> Refusal | None:
    """The refusal in an answer, in the form of a method or of an upload server."""
    error = body.get("error")
    if error is None and "error_code" not in body:
        return None
    inner = error if isinstance(error, Mapping) else body
    words = next(
        (
            text
            for name in ("error_msg", "error_descr", "error_description", "error_text", "error")
            if isinstance(text := inner.get(name), str) and text
        ),
        "",
    )
    return Refusal(_number(inner.get("error_code")), _number(inner.get("error_subcode")), words)


def judge(answer: Answer, now: datetime) -> Again | None:
    """Refusals that another try may not meet."""
    found = refused(answer.body)
    if found is None:
        return None
    if found.code == TOO_MANY:
        # VK counts whole seconds: one later is the next one.
        later = now + timedelta(seconds=1)
        return Again("wants fewer requests (code 6)", at=later, held_back=True, undone=True)
    if found.code in BROKEN:
        return Again(f"has a fault of its own (code {found.code})")
    return None


def wants_other_token(answer: Answer) -> bool:
    """The token has ended; for one that is bound to another address a new one is no help."""
    found = refused(answer.body)
    if found is None:
        return answer.status == httpx.codes.UNAUTHORIZED
    return found.code == NO_TOKEN and found.subcode != OTHER_ADDRESS


def refusal(answer: Answer, what: str, now: datetime) -> LeapError | None:
    """The error for the answer of a method; None for a good one. `what` was asked for, in words."""
    found = refused(answer.body)
    if found is None:
        if answer.status == httpx.codes.OK and "response" in answer.body:
            return None
        return _by_status(answer, what)
    said = _said(found)
    if found.code == FLOOD:
        due = now + FLOOD_WAIT
        return MustWaitError(f"VK sees too much of the same (code 9) in {what}.", due)
    if found.code == DAILY:
        due = now + DAILY_WAIT
        return MustWaitError(f"VK's limit of a day (code 29) is reached for {what}.", due)
    if found.code == NO_TOKEN:
        return _no_token(found, what)
    if found.code in _NOT_PERMITTED:
        return UserActionError(_NOT_PERMITTED[found.code].format(what=what))
    if found.code in _ACT:
        return UserActionError(_ACT[found.code].format(what=what).rstrip(".") + said + ".")
    return DataError(
        f"VK refuses {what} (code {found.code}): report it as a fault of LEAP, with the settings "
        f"of the preset{said}."
    )


def said_of(found: Refusal) -> str:
    """VK's own words to go behind a sentence of ours, short and without secrets."""
    return _said(found)


def _no_token(found: Refusal, what: str) -> LeapError:
    if found.subcode == OTHER_ADDRESS:
        msg = (
            f"VK gave the token to another network address than {what} comes from: connect the "
            "VK account again from this installation."
        )
    else:
        msg = f"VK does not take the token for {what} any more: connect the VK account again."
    return CredentialRefused(msg, code=found.code, gone=True)


def _by_status(answer: Answer, what: str) -> LeapError:
    status = answer.status
    if status == httpx.codes.UNAUTHORIZED:
        return _no_token(Refusal(NO_TOKEN, 0, ""), what)
    if httpx.codes.is_success(status):
        return TransientError(f"VK's answer to {what} cannot be read: try again later.")
    if httpx.codes.is_redirect(status):
        host = urlsplit(answer.location or "").hostname or "nowhere"
        return UserActionError(
            f"VK's address sends requests on to {host:.100}, which LEAP does not follow: correct "
            "LEAP_VK_API_URL."
        )
    return DataError(
        f"VK refuses {what} (HTTP {status}): see that LEAP_VK_API_URL is right, else report it as "
        "a fault of LEAP."
    )


def _said(found: Refusal) -> str:
    words = " ".join(redact(found.words).split())[:SHOWN].rstrip(".")
    return f" (VK: {words})" if words else ""


def _number(value: object) -> int:
    try:
        return int(str(value))
    except ValueError:
        return 0
