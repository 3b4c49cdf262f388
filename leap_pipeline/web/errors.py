"""What a service refuses, whichever it is."""

from __future__ import annotations

from leap_pipeline.errors import UserActionError


class CredentialRefused(UserActionError):
    """A service does not take the credential; `code` is the service's, where it gave one.

    `gone` says that the grant itself has ended, so that only connecting again helps; otherwise the
    app or the installation is wrong, and the stored credential may be good.
    """

    def __init__(self, message: str, *, code: int | None = None, gone: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.gone = gone
