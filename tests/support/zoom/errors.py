"""Zoom's refusals: HTTP status, code, message, as its documentation and its gateway give them."""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The answer is `status` with the JSON body `{code, message, …}`."""

    def __init__(
        self,
        status: int,
        code: int,
        message: str,
        *,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        note: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.body = {"code": code, "message": message, **(extra or {})}
        self.headers = headers or {}
        self.note = note


def invalid(*, field: str, why: str = "Invalid field.") -> Refused:
    errors = {"errors": [{"field": field, "message": why}]}
    return Refused(400, 300, "Validation Failed.", extra=errors)


def bad_page_token() -> Refused:
    return Refused(400, 300, "The next page token is invalid or expired.", note="page token")


def no_token(*, message: str = "Invalid access token.") -> Refused:
    return Refused(401, 124, message)


def no_user(name: str) -> Refused:
    return Refused(404, 1001, f"User does not exist: {name}.")


def no_recording(what: str = "meeting") -> Refused:
    return Refused(404, 3301, f"There is no recording for this {what}.")


def other_account(account_id: str) -> Refused:
    return Refused(400, 1010, f"User not found on this account: {account_id}.")


def no_permission() -> Refused:
    """Documented as HTTP 200 with an error in the body."""
    return Refused(200, 200, "No permission.")


def no_scope(wanted: tuple[str, ...]) -> Refused:
    scopes = ", ".join(wanted)
    return Refused(400, 4711, f"Invalid access token, does not contain scopes:[{scopes}].")


def no_endpoint() -> Refused:
    return Refused(404, 2300, "This API endpoint is not recognized.")
