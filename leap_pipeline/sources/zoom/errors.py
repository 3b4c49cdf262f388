"""What Zoom refuses, each with the sentence that says what to do."""

from __future__ import annotations

from leap_pipeline.errors import DataError, LeapError, UserActionError


class RecordingMissing(DataError):
    """Code 3301: never made, deleted, or not yet there; whoever asks knows which is likely."""


class ScopeMissing(UserActionError):
    """The app may not do this; `scopes` names what it lacks."""

    def __init__(self, message: str, scopes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.scopes = scopes


class PermissionMissing(UserActionError):
    """The person or the role behind the credential may not see this."""


class UserMissing(UserActionError):
    """No such user in this account."""


class PageTokenDied(LeapError):
    """A listing took longer than its page token lives; the client begins its window again."""
