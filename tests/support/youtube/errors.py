"""YouTube's refusals, in the form in which its API gives them.

https://developers.google.com/youtube/v3/docs/errors
"""

from __future__ import annotations

from typing import Any


class Refused(Exception):
    """The answer is `status` with Google's kind of body, which names `reason`."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str = "",
        *,
        domain: str = "youtube",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message or reason)
        self.status = status
        self.reason = reason
        self.headers = headers or {}
        self.message = message or f"The request was refused: {reason}."
        self.domain = domain

    @property
    def body(self) -> dict[str, Any]:
        each = {"message": self.message, "domain": self.domain, "reason": self.reason}
        return {"error": {"code": self.status, "message": self.message, "errors": [each]}}


class HungUp(Exception):
    """The connection ends without an answer; `early` before the body was read to its end."""

    def __init__(self, *, early: bool = False) -> None:
        super().__init__("the connection ended")
        self.early = early


def out_of_quota() -> Refused:
    message = "The request cannot be completed because you have exceeded your quota."
    return Refused(403, "quotaExceeded", message, domain="youtube.quota")
