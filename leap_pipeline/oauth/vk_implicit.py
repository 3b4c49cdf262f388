"""VK's implicit flow: the token is in the fragment of the address, and nothing renews it.

https://dev.vk.com/api/access-token/implicit-flow-user
There is no PKCE here, so the state alone says that the login was begun by the same person. A token
that was pasted is the same kind of token.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import SecretStr

from leap_pipeline.oauth.endpoint import origin, with_query
from leap_pipeline.oauth.platform import App, Flow, Grant, Identity, Returned
from leap_pipeline.oauth.reading import fresh_until, seconds_of
from leap_pipeline.oauth.vk_account import API, VERSION, VKAccount, granted, missing
from leap_pipeline.web.calls import PATIENCE
from leap_pipeline.web.errors import CredentialRefused

OAUTH = "https://oauth.vk.com"
# `offline` makes a token that does not end by itself.
SCOPES = ("video", "groups", "wall", "offline")


class VKImplicitOAuth:
    """See OAuthPlatform."""

    service = "VK"
    flow = Flow.TOKEN

    def __init__(
        self,
        http: httpx.Client,
        *,
        oauth_url: str = OAUTH,
        api_url: str = API,
        patience: timedelta = PATIENCE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = oauth_url.rstrip("/")
        self._clock = clock
        self._account = VKAccount(
            http, api_url=api_url, patience=patience, clock=clock, sleep=sleep
        )

    @property
    def issuer(self) -> str:
        return origin(self._url)

    def address(
        self,
        app: App,
        redirect_uri: str,
        state: str,
        challenge: str,  # noqa: ARG002 - the flow has no PKCE
    ) -> str:
        """See OAuthPlatform."""
        parameters = {
            "response_type": "token",
            "client_id": app.client_id,
            "redirect_uri": redirect_uri,
            "scope": ",".join(SCOPES),
            "display": "page",
            "state": state,
            "v": VERSION,
        }
        return with_query(f"{self._url}/authorize", parameters)

    def exchange(
        self,
        app: App,  # noqa: ARG002
        returned: Returned,
        redirect_uri: str,  # noqa: ARG002
        verifier: SecretStr,  # noqa: ARG002
    ) -> Grant:
        """What the browser brought; `expires_in=0` is a token without an end."""
        if returned.access_token is None:
            msg = "VK's answer has no token: connect again."
            raise CredentialRefused(msg)
        life = seconds_of(returned.seconds) if returned.seconds is not None else 0.0
        until = fresh_until(self._clock(), life) if life > 0 else None
        return Grant(returned.access_token, until)

    def refresh(self, app: App, refresh_token: SecretStr, device_id: str | None) -> Grant:  # noqa: ARG002
        """Always refused."""
        msg = "Nothing renews this kind of VK token: connect the account again."
        raise CredentialRefused(msg, gone=True)

    def granted(self, app: App, grant: Grant) -> Grant:  # noqa: ARG002
        """See OAuthPlatform; only VK's API tells."""
        return granted(self._account, grant)

    def missing(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """See OAuthPlatform."""
        return missing(scopes)

    def identify(self, app: App, grant: Grant) -> Identity:  # noqa: ARG002
        """See OAuthPlatform."""
        return self._account.identify(grant.access_token)

    def revoke(self, app: App, token: SecretStr) -> None:  # noqa: ARG002
        """VK offers apps no such call for these tokens."""
        msg = (
            "VK ends such a token in the person's own settings alone (apps and sites): do it there."
        )
        raise CredentialRefused(msg)
