"""The document that is stored of an account which has just been connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from leap_pipeline.domain.credentials import Credential, Tokens
from leap_pipeline.oauth.platform import App, Grant, Identity
from leap_pipeline.services.oauth_platforms import Login

_WHO: Mapping[Login, str] = {
    Login.ZOOM: "host",
    Login.YOUTUBE: "channel_id",
    Login.VK_ID: "user_id",
    Login.VK_IMPLICIT: "user_id",
}
_APPS = ("client_secret", "project_id")


@dataclass(frozen=True)
class Connected:
    """What a platform gave and told, all of it checked; a pasted token has no known app."""

    login: Login
    app: App | None
    grant: Grant
    identity: Identity


def document_of(found: Connected, before: Credential | None) -> dict[str, Any]:
    """The grant, whose it is, and what a new grant does not change of the document before.

    Of LEAP's own app the id alone is kept: which it was, its secret stays in the settings.
    """
    grant = found.grant
    client = found.app.client_id if found.app is not None else None
    said: dict[str, Any] = {
        "access_token": _plain(grant.access_token),
        "refresh_token": _plain(grant.refresh_token),
        "expires_at": grant.fresh_until.isoformat() if grant.fresh_until is not None else None,
        "scopes": list(grant.scopes),
        "client_id": client,
        "device_id": grant.device_id,
        _WHO[found.login]: found.identity.id,
        "webhook_secret": _plain(getattr(before, "webhook_secret", None)),
    }
    if isinstance(before, Tokens) and client is not None and before.client_id == client:
        said |= {name: _plain(getattr(before, name, None)) for name in _APPS}
    return {name: value for name, value in said.items() if value is not None}


def is_same(stored: Credential, found: Connected) -> bool:
    """Whether the person who has logged in is the one of the stored account, as far as known."""
    return stored.account is None or stored.account.casefold() == found.identity.id.casefold()


def has_own_app(stored: Credential | None) -> bool:
    """Whether the account brings an app of its owner's, with its secret."""
    return isinstance(stored, Tokens) and stored.client_secret is not None


def _plain(value: SecretStr | str | None) -> str | None:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
