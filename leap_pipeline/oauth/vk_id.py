"""VK ID, which is OAuth 2.1: PKCE is a must, and a grant belongs to a device.

https://id.vk.com/about/business/go/docs/ru/vkid/latest/vk-id/connection/api-integration/api-description
The `device_id` comes with the code, and both the exchange and every renewal need it. Apps are
public: they have no secret here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import SecretStr

from leap_pipeline.oauth.endpoint import Endpoint, origin, with_query
from leap_pipeline.oauth.pkce import new_verifier
from leap_pipeline.oauth.platform import App, Flow, Grant, Identity, Returned
from leap_pipeline.oauth.vk_account import API, VKAccount, granted, missing
from leap_pipeline.web.calls import PATIENCE
from leap_pipeline.web.errors import CredentialRefused

ID = "https://id.vk.com"
SCOPES = ("video", "groups", "wall")


class VKIdOAuth:
    """See OAuthPlatform. Its refresh tokens rotate."""

    service = "VK"
    flow = Flow.CODE

    def __init__(
        self,
        http: httpx.Client,
        *,
        id_url: str = ID,
        api_url: str = API,
        patience: timedelta = PATIENCE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = id_url.rstrip("/")
        self._endpoint = Endpoint(http, self.service, patience=patience, clock=clock, sleep=sleep)
        self._account = VKAccount(
            http, api_url=api_url, patience=patience, clock=clock, sleep=sleep
        )

    @property
    def issuer(self) -> str:
        return origin(self._url)

    def address(self, app: App, redirect_uri: str, state: str, challenge: str) -> str:
        """See OAuthPlatform; VK wants a state of at least 32 characters."""
        parameters = {
            "response_type": "code",
            "client_id": app.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(SCOPES),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return with_query(f"{self._url}/authorize", parameters)

    def exchange(
        self, app: App, returned: Returned, redirect_uri: str, verifier: SecretStr
    ) -> Grant:
        """See OAuthPlatform; the grant names its device."""
        grant = self._grant(
            app,
            returned.device_id,
            grant_type="authorization_code",
            code=returned.code.get_secret_value() if returned.code is not None else "",
            code_verifier=verifier.get_secret_value(),
            redirect_uri=redirect_uri,
            state=returned.state or "",
        )
        if grant.refresh_token is None:
            msg = "VK gave no refresh token: see that the app uses VK ID, and connect again."
            raise CredentialRefused(msg)
        return grant

    def refresh(self, app: App, refresh_token: SecretStr, device_id: str | None) -> Grant:
        """See OAuthPlatform; refused as gone without the device."""
        return self._grant(
            app,
            device_id,
            grant_type="refresh_token",
            refresh_token=refresh_token.get_secret_value(),
            # VK wants one here as well, and gives it back; it protects nothing.
            state=new_verifier().get_secret_value(),
        )

    def granted(self, app: App, grant: Grant) -> Grant:  # noqa: ARG002
        """See OAuthPlatform; VK's API tells where the token's answer did not."""
        return granted(self._account, grant)

    def missing(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """See OAuthPlatform."""
        return missing(scopes)

    def identify(self, app: App, grant: Grant) -> Identity:  # noqa: ARG002
        """See OAuthPlatform."""
        return self._account.identify(grant.access_token)

    def revoke(self, app: App, token: SecretStr) -> None:
        """See OAuthPlatform."""
        form = {"client_id": app.client_id, "access_token": token.get_secret_value()}
        answer = self._endpoint.post(f"{self._url}/oauth2/revoke", form)
        error = answer.body.get("error")
        if error is not None and error != "invalid_token":
            raise self._endpoint.refusal(answer)

    def _grant(self, app: App, device_id: str | None, **form: str) -> Grant:
        if device_id is None:
            msg = "VK ID's device_id of the account is not known: connect the account again."
            raise CredentialRefused(msg, gone=True)
        given = self._endpoint.grant(
            f"{self._url}/oauth2/auth",
            {**form, "client_id": app.client_id, "device_id": device_id},
        )
        return replace(given, device_id=device_id)
