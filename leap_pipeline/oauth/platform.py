"""What LEAP asks of a platform at which a person lets it act for them: one interface for all.

    address = platform.address(app, redirect_uri, state, challenge)   # the browser goes there
    grant = platform.exchange(app, returned, redirect_uri, verifier)  # it has come back
    grant = platform.granted(app, grant)                              # what the person allowed
    identity = platform.identify(app, grant)                          # who that was

In OAuth's words it is the authorization code with PKCE (RFC 6749 4.1, RFC 7636) or, at VK only, the
implicit grant (RFC 6749 4.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import SecretStr


class Flow(StrEnum):
    """How the token comes: a code is changed for it, or the browser brings it itself."""

    CODE = "code"
    TOKEN = "token"  # noqa: S105 - OAuth's name of the flow


@dataclass(frozen=True)
class App:
    """An app at a platform, in whose name tokens are asked for; a public one has no secret."""

    client_id: str
    client_secret: SecretStr | None = None


@dataclass(frozen=True)
class Grant:
    """What a platform gave; the access token is used until `fresh_until`, before it ends.

    None there: until it is refused. `user_id` and `device_id` are VK's.
    """

    access_token: SecretStr
    fresh_until: datetime | None
    refresh_token: SecretStr | None = None
    scopes: tuple[str, ...] = ()
    user_id: str | None = None
    device_id: str | None = None


@dataclass(frozen=True)
class Returned:
    """What a browser brought back from a platform, none of it proven.

    `issuer` is the `iss` of RFC 9207; `seconds` is how long the implicit flow's token lives.
    """

    state: str | None = field(default=None, repr=False)
    code: SecretStr | None = None
    error: str | None = None
    issuer: str | None = None
    device_id: str | None = None
    access_token: SecretStr | None = None
    seconds: str | None = None


@dataclass(frozen=True)
class Identity:
    """Whose account it is: the platform's key for it, and its name for people."""

    id: str
    name: str


class OAuthPlatform(Protocol):
    """One platform. Safe to share between threads.

    All that ask it raise CredentialRefused where it says no, TransientError and MustWaitError where
    it cannot say now.
    """

    @property
    def service(self) -> str:
        """Its name in sentences."""

    @property
    def flow(self) -> Flow: ...

    @property
    def issuer(self) -> str:
        """What it calls itself in `iss`: the origin of the address where people log in."""

    def address(self, app: App, redirect_uri: str, state: str, challenge: str) -> str:
        """Where the person's browser is sent; `challenge` is PKCE's, S256."""

    def exchange(
        self, app: App, returned: Returned, redirect_uri: str, verifier: SecretStr
    ) -> Grant:
        """The first tokens of a person who has just agreed."""

    def refresh(self, app: App, refresh_token: SecretStr, device_id: str | None) -> Grant:
        """New tokens; without a refresh token in them the one that was used stays good."""

    def granted(self, app: App, grant: Grant) -> Grant:
        """The same grant with the scopes that it surely has."""

    def missing(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """Scopes that LEAP cannot do without and that are not among these."""

    def identify(self, app: App, grant: Grant) -> Identity:
        """Whose account the grant opens."""

    def revoke(self, app: App, token: SecretStr) -> None:
        """End the grant of this token; one that has ended already is no error."""
