"""VK's refusals: HTTP 200 with a code and words, as its documentation gives them.

https://dev.vk.com/reference/errors
"""

from __future__ import annotations

from typing import Any

MESSAGES = {
    1: "Unknown error occurred",
    3: "Unknown method passed",
    5: "User authorization failed: invalid access_token (4).",
    6: "Too many requests per second",
    7: "Permission to perform this action is denied",
    9: "Flood control",
    10: "Internal server error",
    14: "Captcha needed",
    15: "Access denied",
    17: "Validation required",
    18: "User was deleted or banned",
    23: "This method was disabled",
    24: "Confirmation required",
    27: "Group authorization failed: method is unavailable with group auth.",
    28: "Application authorization failed: method is unavailable with service token.",
    29: "Rate limit reached",
    100: "One of the parameters specified was missing or invalid",
    113: "Invalid user id",
    114: "Invalid album id",
    125: "Invalid group id",
    203: "Access to group denied",
    204: "Access denied",
    214: "Access to adding post denied",
    219: "Advertisement post was recently added",
    222: "Hyperlinks are forbidden",
    800: "This video is already added",
    1051: "Access denied: method is unavailable for this token type",
    3300: "Recaptcha needed",
    3301: "Phone validation needed",
    3302: "Password validation needed",
    3609: "Token extension required",
    3610: "User is deactivated",
}
CAPTCHA = {
    "captcha_sid": "239633676097",
    "captcha_img": "https://api.vk.com/captcha.php?sid=239633676097",
}


class Refused(Exception):
    """A method refuses with a code; `why` goes behind VK's words, `note` into the ledger."""

    def __init__(self, code: int, why: str = "", *, subcode: int | None = None) -> None:
        super().__init__(why)
        self.code = code
        self.body = error(code, why, subcode=subcode)


def error(code: int, why: str = "", *, subcode: int | None = None) -> dict[str, Any]:
    """The body of a refusal."""
    words = MESSAGES.get(code, "Planned.") + (f": {why}" if why else "")
    inner: dict[str, Any] = {"error_code": code, "error_msg": words, "request_params": []}
    if subcode is not None:
        inner["error_subcode"] = subcode
    if code == 14:
        inner |= CAPTCHA
    return {"error": inner}


class UploadRefused(Exception):
    """An upload server refuses: its own form, with HTTP 200 unless it says otherwise."""

    def __init__(self, words: str, code: int, status: int = 200) -> None:
        super().__init__(words)
        self.code = code
        self.status = status
        self.body = {"error": words, "error_code": code}
