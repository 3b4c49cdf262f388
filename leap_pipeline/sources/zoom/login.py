"""A person's login at Zoom, by which LEAP may read that person's recordings.

https://developers.zoom.us/docs/integrations/oauth/
Which scopes an app asks for is set at Zoom's Marketplace, not in the address.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import SecretStr

from leap_pipeline.oauth.endpoint import Endpoint, origin, with_query
from leap_pipeline.oauth.platform import App, Flow, Grant, Identity, Returned
from leap_pipeline.oauth.reading import as_id
from leap_pipeline.sources.zoom.answers import Asked, refusal
from leap_pipeline.sources.zoom.oauth import OAUTH, TokenEndpoint
from leap_pipeline.web.calls import PATIENCE
from leap_pipeline.web.errors import CredentialRefused

API = "https://api.zoom.us/v2"
WHO = "user:read:user"
# Each one by itself, for an admin, and as apps from before 2024 call it.
_NEEDED: tuple[tuple[str, ...], ...] = tuple(
    (name, f"{name}:admin", classic, f"{classic}:admin")
    for name, classic in (
        ("cloud_recording:read:list_user_recordings", "recording:read"),
        ("cloud_recording:read:list_recording_files", "recording:read"),
        (WHO, "user:read"),
    )
)


class ZoomOAuth:
    """See OAuthPlatform. Its refresh tokens rotate."""

    service = "Zoom"
    flow = Flow.CODE

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
        self._api = api_url.rstrip("/")
        self._tokens = TokenEndpoint(
            http, oauth_url=oauth_url, patience=patience, clock=clock, sleep=sleep
        )
        self._endpoint = Endpoint(http, self.service, patience=patience, clock=clock, sleep=sleep)

    @property
    def issuer(self) -> str:
        return origin(self._url)

    def address(self, app: App, redirect_uri: str, state: str, challenge: str) -> str:
        """See OAuthPlatform."""
        parameters = {
            "response_type": "code",
            "client_id": app.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return with_query(f"{self._url}/authorize", parameters)

    def exchange(
        self, app: App, returned: Returned, redirect_uri: str, verifier: SecretStr
    ) -> Grant:
        """See OAuthPlatform."""
        return self._tokens.exchange(app, returned.code or SecretStr(""), redirect_uri, verifier)

    def refresh(
        self,
        app: App,
        refresh_token: SecretStr,
        device_id: str | None,  # noqa: ARG002 - VK's
    ) -> Grant:
        """See OAuthPlatform."""
        return self._tokens.refresh(app, refresh_token)

    def granted(self, app: App, grant: Grant) -> Grant:  # noqa: ARG002 - the answer has told
        """See OAuthPlatform."""
        return grant

    def missing(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """See OAuthPlatform."""
        return tuple(each[0] for each in _NEEDED if not set(each) & set(scopes))

    def identify(self, app: App, grant: Grant) -> Identity:  # noqa: ARG002
        """The person's address, by which recordings are listed and events name their host.

        https://developers.zoom.us/docs/api/users/ (`GET /users/me`)
        """
        answer = self._endpoint.get(f"{self._api}/users/me", {}, grant.access_token)
        refused = refusal(answer, Asked("the person who logged in", WHO))
        if refused is not None:
            raise refused
        host = as_id(answer.body.get("email")) or as_id(answer.body.get("id"))
        if host is None:
            msg = "Zoom does not tell who has logged in: connect again."
            raise CredentialRefused(msg)
        return Identity(host, host)

    def revoke(self, app: App, token: SecretStr) -> None:
        """See OAuthPlatform."""
        form = {"token": token.get_secret_value()}
        answer = self._endpoint.post(f"{self._url}/revoke", form, basic=app)
        if not httpx.codes.is_success(answer.status):
            refused = self._tokens.refusal(answer)
            if not refused.gone:
                raise refused
