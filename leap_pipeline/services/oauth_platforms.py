"""The platforms at which people log in, as this installation's settings reach them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import httpx

from leap_pipeline.domain.credentials import (
    Credential,
    CredentialPlatform,
    Tokens,
    VKId,
    VKToken,
    YouTube,
    ZoomUser,
)
from leap_pipeline.errors import InputError
from leap_pipeline.oauth.google import GoogleOAuth
from leap_pipeline.oauth.platform import App, OAuthPlatform
from leap_pipeline.oauth.vk_id import VKIdOAuth
from leap_pipeline.oauth.vk_implicit import VKImplicitOAuth
from leap_pipeline.settings import Settings
from leap_pipeline.sources.zoom.login import ZoomOAuth
from leap_pipeline.web.calls import PATIENCE
from leap_pipeline.web.errors import CredentialRefused


class Login(StrEnum):
    """The ways to log in; each is part of an address."""

    ZOOM = "zoom"
    YOUTUBE = "youtube"
    VK_ID = "vk-id"
    VK_IMPLICIT = "vk-implicit"

    @property
    def platform(self) -> CredentialPlatform:
        return _PLATFORMS[self]


_PLATFORMS: Mapping[Login, CredentialPlatform] = {
    Login.ZOOM: CredentialPlatform.ZOOM,
    Login.YOUTUBE: CredentialPlatform.YOUTUBE,
    Login.VK_ID: CredentialPlatform.VK,
    Login.VK_IMPLICIT: CredentialPlatform.VK,
}
_LOGINS: Mapping[type[Credential], Login] = {
    ZoomUser: Login.ZOOM,
    YouTube: Login.YOUTUBE,
    VKId: Login.VK_ID,
    VKToken: Login.VK_IMPLICIT,
}
_VARIABLES: Mapping[CredentialPlatform, str] = {
    CredentialPlatform.ZOOM: "LEAP_ZOOM_CLIENT_ID and LEAP_ZOOM_CLIENT_SECRET",
    CredentialPlatform.YOUTUBE: "LEAP_GOOGLE_CLIENT_ID and LEAP_GOOGLE_CLIENT_SECRET",
    CredentialPlatform.VK: "LEAP_VK_CLIENT_ID",
}


class OAuthPlatforms:
    """All of them. Safe to share between threads; `http` stays the caller's to close.

    `patience` bounds each call: where a row is locked meanwhile, others wait for it.
    """

    def __init__(
        self,
        http: httpx.Client,
        settings: Settings,
        *,
        patience: timedelta = PATIENCE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        zoom = ZoomOAuth(
            http,
            oauth_url=settings.zoom_oauth_url,
            api_url=settings.zoom_api_url,
            patience=patience,
            clock=clock,
            sleep=sleep,
        )
        google = GoogleOAuth(
            http,
            authorize_url=settings.google_auth_url,
            token_url=settings.google_token_url,
            youtube_url=settings.youtube_api_url,
            patience=patience,
            clock=clock,
            sleep=sleep,
        )
        vk_id = VKIdOAuth(
            http,
            id_url=settings.vk_id_url,
            api_url=settings.vk_api_url,
            patience=patience,
            clock=clock,
            sleep=sleep,
        )
        implicit = VKImplicitOAuth(
            http,
            oauth_url=settings.vk_oauth_url,
            api_url=settings.vk_api_url,
            patience=patience,
            clock=clock,
            sleep=sleep,
        )
        self._platforms: Mapping[Login, OAuthPlatform] = {
            Login.ZOOM: zoom,
            Login.YOUTUBE: google,
            Login.VK_ID: vk_id,
            Login.VK_IMPLICIT: implicit,
        }

    def of(self, login: Login) -> OAuthPlatform:
        return self._platforms[login]

    def of_credential(self, credential: Credential) -> tuple[Login, OAuthPlatform]:
        """How a stored grant is renewed. Raises InputError for what is no person's grant."""
        login = _LOGINS.get(type(credential))
        if login is None:
            msg = "The credential is another kind of account now: run it again."
            raise InputError(msg)
        return login, self._platforms[login]

    def own_app(self, login: Login) -> App | None:
        """LEAP's own app there; None where the settings have none."""
        settings = self._settings
        name, secret = {
            CredentialPlatform.ZOOM: (settings.zoom_client_id, settings.zoom_client_secret),
            CredentialPlatform.YOUTUBE: (settings.google_client_id, settings.google_client_secret),
            CredentialPlatform.VK: (settings.vk_client_id, None),
        }[login.platform]
        if not name or (secret is None and login.platform is not CredentialPlatform.VK):
            return None
        return App(name, secret)

    def app_of(self, stored: Credential | None, login: Login) -> App:
        """The app that a grant was given to, or shall be: the credential's own, or LEAP's.

        Raises CredentialRefused where neither is known; the grant may be good all the same.
        """
        name: str | None = getattr(stored, "client_id", None)
        if isinstance(stored, Tokens) and name is not None and stored.client_secret is not None:
            return App(name, stored.client_secret)
        own = self.own_app(login)
        if login.platform is CredentialPlatform.VK and name is not None:
            return App(name)
        if own is None:
            title = self._platforms[login].service
            msg = (
                f"A {title} account is connected through LEAP's own app, which is not set: set "
                f"{_VARIABLES[login.platform]}."
            )
            raise CredentialRefused(msg)
        if name is not None and name != own.client_id:
            title = self._platforms[login].service
            msg = (
                f"The {title} account was connected through another app than the one of "
                f"{_VARIABLES[login.platform]}: connect it again."
            )
            raise CredentialRefused(msg)
        return own
