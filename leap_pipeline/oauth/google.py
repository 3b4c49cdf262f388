"""Google's OAuth for YouTube.

https://developers.google.com/youtube/v3/guides/auth/server-side-web-apps
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import SecretStr

from leap_pipeline.errors import UserActionError
from leap_pipeline.oauth.endpoint import Endpoint, origin, said, with_query
from leap_pipeline.oauth.platform import App, Flow, Grant, Identity, Returned
from leap_pipeline.oauth.reading import as_id
from leap_pipeline.web.calls import PATIENCE, Answer
from leap_pipeline.web.errors import CredentialRefused

AUTHORIZE = "https://accounts.google.com/o/oauth2/v2/auth"
TOKENS = "https://oauth2.googleapis.com"
YOUTUBE = "https://youtube.googleapis.com"
# The second is for captions, playlists and changes of what is published.
SCOPES = (
    "https://www.googleapis.com/auth/youtube.upload",
    "https://www.googleapis.com/auth/youtube.force-ssl",
)


class GoogleOAuth:
    """See OAuthPlatform. A refresh token stays the same as long as its grant lives."""

    service = "Google"
    flow = Flow.CODE

    def __init__(
        self,
        http: httpx.Client,
        *,
        authorize_url: str = AUTHORIZE,
        token_url: str = TOKENS,
        youtube_url: str = YOUTUBE,
        patience: timedelta = PATIENCE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._authorize = authorize_url
        self._tokens = token_url.rstrip("/")
        self._youtube = youtube_url.rstrip("/")
        self._endpoint = Endpoint(http, self.service, patience=patience, clock=clock, sleep=sleep)

    @property
    def issuer(self) -> str:
        return origin(self._authorize)

    def address(self, app: App, redirect_uri: str, state: str, challenge: str) -> str:
        """`consent` is asked for each time: only then is there surely a refresh token."""
        parameters = {
            "response_type": "code",
            "client_id": app.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(SCOPES),
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "access_type": "offline",
            "prompt": "consent",
        }
        return with_query(self._authorize, parameters)

    def exchange(
        self, app: App, returned: Returned, redirect_uri: str, verifier: SecretStr
    ) -> Grant:
        """See OAuthPlatform; a grant that nothing renews is refused."""
        grant = self._grant(
            app,
            grant_type="authorization_code",
            code=returned.code.get_secret_value() if returned.code is not None else "",
            redirect_uri=redirect_uri,
            code_verifier=verifier.get_secret_value(),
        )
        if grant.refresh_token is None:
            msg = (
                "Google gave no refresh token: remove LEAP at "
                "https://myaccount.google.com/permissions, and connect again."
            )
            raise CredentialRefused(msg)
        return grant

    def refresh(
        self,
        app: App,
        refresh_token: SecretStr,
        device_id: str | None,  # noqa: ARG002 - VK's
    ) -> Grant:
        """See OAuthPlatform."""
        token = refresh_token.get_secret_value()
        return self._grant(app, grant_type="refresh_token", refresh_token=token)

    def granted(self, app: App, grant: Grant) -> Grant:  # noqa: ARG002 - the answer has told
        """The scopes stand in the token's own answer: a person may untick each of them."""
        return grant

    def missing(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """See OAuthPlatform."""
        return tuple(each for each in SCOPES if each not in scopes)

    def identify(self, app: App, grant: Grant) -> Identity:  # noqa: ARG002
        """The channel of the account that was chosen (`channels.list mine`, 1 unit of quota).

        https://developers.google.com/youtube/v3/docs/channels/list
        """
        answer = self._endpoint.get(
            f"{self._youtube}/youtube/v3/channels",
            {"part": "id,snippet", "mine": "true"},
            grant.access_token,
        )
        if not httpx.codes.is_success(answer.status):
            raise _unreadable(answer)
        items = answer.body.get("items")
        channel = items[0] if isinstance(items, list) and items else None
        number = as_id(channel.get("id")) if isinstance(channel, dict) else None
        if channel is None or number is None:
            raise UserActionError(_NO_CHANNEL)
        snippet = channel.get("snippet")
        title = as_id(snippet.get("title")) if isinstance(snippet, dict) else None
        return Identity(number, title or number)

    def revoke(self, app: App, token: SecretStr) -> None:  # noqa: ARG002
        """See OAuthPlatform. Google ends all that the person has granted to the app."""
        answer = self._endpoint.post(f"{self._tokens}/revoke", {"token": token.get_secret_value()})
        ended = answer.body.get("error") == "invalid_token"
        if not httpx.codes.is_success(answer.status) and not ended:
            raise self._endpoint.refusal(answer)

    def _grant(self, app: App, **form: str) -> Grant:
        secret = app.client_secret.get_secret_value() if app.client_secret is not None else ""
        return self._endpoint.grant(
            f"{self._tokens}/token", {**form, "client_id": app.client_id, "client_secret": secret}
        )


_NO_CHANNEL = (
    "The Google account has no YouTube channel: make one at https://www.youtube.com/create_channel,"
    " or choose an account that has one, and connect again."
)


def _unreadable(answer: Answer) -> UserActionError:
    error: Any = answer.body.get("error")
    found = error if isinstance(error, dict) else {}
    details = found.get("errors")
    first = details[0] if isinstance(details, list) and details else {}
    reason = first.get("reason") if isinstance(first, dict) else None
    if reason == "youtubeSignupRequired":
        return UserActionError(_NO_CHANNEL)
    if reason in ("quotaExceeded", "dailyLimitExceeded"):
        msg = (
            "YouTube's quota of the project is used up for today, so that the channel cannot be "
            "read: connect again after midnight in California."
        )
        return UserActionError(msg)
    if reason == "accessNotConfigured":
        msg = (
            "The YouTube Data API v3 is off in the app's project: switch it on in Google's console,"
            " and connect again."
        )
        return CredentialRefused(msg)
    words = said({"error": str(found.get("message", ""))})
    msg = f"YouTube does not tell whose channel it is (HTTP {answer.status}){words}: connect again."
    return CredentialRefused(msg)
