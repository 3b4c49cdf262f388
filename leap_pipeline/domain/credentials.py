"""What LEAP keeps of an account at each platform. Every secret is a SecretStr: no `repr` shows it.

Zoom has two kinds (Server-to-Server and a user's OAuth), VK two as well (a token pasted or from the
implicit flow, and VK ID); which one a document is, its keys tell. Documents of older versions are
read too, and come out in today's form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import AfterValidator, AwareDatetime, ConfigDict, Field, SecretStr, model_validator
from pydantic_core import to_jsonable_python

from leap_pipeline.domain.older_credentials import in_todays_form
from leap_pipeline.domain.shapes.base import Shape, parse
from leap_pipeline.errors import InputError

ROOT = "credential"
SHOWN_CHARACTERS = 4
# A value that is not much longer than its shown end would be given away by it.
SHORTEST_SHOWN = 16


class CredentialPlatform(StrEnum):
    """The values of `user_credentials.platform`."""

    ZOOM = "zoom"
    YOUTUBE = "youtube"
    VK = "vk"
    FIREWORKS = "fireworks"
    DEEPSEEK = "deepseek"


def _clean(value: SecretStr) -> SecretStr:
    """Without the blanks and line ends that pasting brings; nothing else is left unsaid."""
    text = value.get_secret_value().strip()
    if not text:
        msg = "is empty; enter it"
        raise ValueError(msg)
    if not text.isprintable():
        msg = "has a line break or a control character inside; paste it again"
        raise ValueError(msg)
    return SecretStr(text)


Secret = Annotated[SecretStr, Field(max_length=8192), AfterValidator(_clean)]
Id = Annotated[str, Field(min_length=1, max_length=512)]


class Credential(Shape):
    """What all platforms' credentials share."""

    # A wrong value may be a secret in the wrong place: errors never show it.
    model_config = ConfigDict(hide_input_in_errors=True)

    @property
    def account(self) -> str | None:
        """How the account calls itself; None where the document does not say."""
        return None


class _ZoomApp(Credential):
    """An app at Zoom may tell of events, and signs what it tells."""

    webhook_secret: Secret | None = None
    """The app's secret token; None: it sends no webhooks."""


class ZoomServerToServer(_ZoomApp):
    """An app of a whole Zoom account; its token lives an hour and is asked for anew."""

    account_id: Id
    client_id: Id
    client_secret: Secret
    host: Annotated[str, Field(max_length=255)] | None = None
    """The person whose recordings are read, by address; None: all that the app may see."""

    @property
    def account(self) -> str | None:
        return self.host or self.account_id


class Tokens(Credential):
    """An OAuth grant: a short-lived token, and mostly one by which it is renewed."""

    access_token: Secret | None = None
    """None: not asked for yet."""
    refresh_token: Secret | None = None
    previous_refresh_token: Secret | None = None
    """What the last renewal replaced, kept for one more try."""
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name
    expires_at: AwareDatetime | None = None
    """When the access token ends; None: not known."""
    scopes: tuple[str, ...] = ()
    client_id: Id | None = None
    """The app that the grant was given to; None: the one of LEAP's settings."""
    client_secret: Secret | None = None

    @model_validator(mode="after")
    def _has_a_token(self) -> Self:
        if self.access_token is None and self.refresh_token is None:
            msg = "needs an access_token or a refresh_token; connect the account"
            raise ValueError(msg)
        return self

    def has_expired(self, now: datetime) -> bool:
        """Whether the access token has ended; one of unknown length has not."""
        return self.expires_at is not None and now >= self.expires_at


class ZoomUser(_ZoomApp, Tokens):
    """A person's own Zoom account; the refresh token is another one after each renewal."""

    host: Annotated[str, Field(max_length=255)] | None = None

    @property
    def account(self) -> str | None:
        return self.host


class YouTube(Tokens):
    """A Google account; the refresh token stays the same."""

    token_uri: Annotated[str, Field(max_length=2048, pattern="^https?://")] | None = None
    project_id: Id | None = None
    channel_id: Id | None = None

    @property
    def account(self) -> str | None:
        return self.channel_id


class VKToken(Credential):
    """A user token of VK's implicit flow, or a pasted one; it cannot be renewed."""

    access_token: Secret
    user_id: Id | None = None
    expires_at: AwareDatetime | None = None
    scopes: tuple[str, ...] = ()
    client_id: Id | None = None

    @property
    def account(self) -> str | None:
        return self.user_id


class VKId(Tokens):
    """A grant of VK ID; renewing it needs the device that it was given to."""

    user_id: Id | None = None
    device_id: Id | None = None

    @property
    def account(self) -> str | None:
        return self.user_id


class ApiKey(Credential):
    """A key that stays the same until its owner revokes it."""

    api_key: Secret


class Fireworks(ApiKey):
    """Speech; the account's name is part of the addresses of its batch jobs."""

    account_id: Id | None = None

    @property
    def account(self) -> str | None:
        return self.account_id


class DeepSeek(ApiKey):
    """Language."""


def parse_credential(platform: str, data: Mapping[str, Any]) -> Credential:
    """The typed credential of a document, of today's form or an older one.

    Raises InputError that names the path of what is wrong, and shows no value.
    """
    try:
        known = CredentialPlatform(platform)
    except ValueError:
        msg = f"There is no platform “{platform:.50}”: use one of {', '.join(CredentialPlatform)}."
        raise InputError(msg) from None
    document = in_todays_form(data)
    return parse(_kind(known, document), document, ROOT)


def reveal(credential: Credential) -> dict[str, Any]:
    """The document to encrypt, its secrets in the clear: for the vault, never for a log."""
    return _written(credential, SecretStr.get_secret_value)


def masked(credential: Credential) -> dict[str, Any]:
    """The document as it may be shown: of a secret its last 4 characters at most."""
    return _written(credential, _mask)


def secrets_of(credential: Credential) -> tuple[str, ...]:
    """The values that must not be written anywhere."""
    found = (getattr(credential, name) for name in type(credential).model_fields)
    return tuple(each.get_secret_value() for each in found if isinstance(each, SecretStr))


def _written(credential: Credential, write: Callable[[SecretStr], str]) -> dict[str, Any]:
    found = credential.model_dump(exclude_none=True, exclude_defaults=True)
    shown = {
        name: write(value) if isinstance(value, SecretStr) else value
        for name, value in found.items()
    }
    return dict(to_jsonable_python(shown))


def _mask(secret: SecretStr) -> str:
    text = secret.get_secret_value()
    return "…" + (text[-SHOWN_CHARACTERS:] if len(text) >= SHORTEST_SHOWN else "")


def _kind(platform: CredentialPlatform, document: Mapping[str, Any]) -> type[Credential]:
    """The model that a document is meant for, right or wrong."""
    granted = "access_token" in document or "refresh_token" in document
    renewable = "refresh_token" in document or "device_id" in document
    kinds: dict[CredentialPlatform, type[Credential]] = {
        CredentialPlatform.ZOOM: ZoomUser if granted else ZoomServerToServer,
        CredentialPlatform.YOUTUBE: YouTube,
        CredentialPlatform.VK: VKId if renewable else VKToken,
        CredentialPlatform.FIREWORKS: Fireworks,
        CredentialPlatform.DEEPSEEK: DeepSeek,
    }
    return kinds[platform]
