"""What Zoom refuses, each with the sentence that says what to do."""

from __future__ import annotations

from leap_pipeline.errors import DataError, LeapError, UserActionError


class RecordingMissing(DataError):
    """Code 3301: never made, deleted, or not yet there; whoever asks knows which is likely."""


class CredentialRefused(UserActionError):
    """Zoom does not take the credential; `code` is Zoom's, where it gave one.

    `gone` says that the grant itself has ended, so that only connecting again helps; otherwise the
    app or the installation is wrong, and the stored credential may be good.
    """

    def __init__(self, message: str, *, code: int | None = None, gone: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.gone = gone


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
