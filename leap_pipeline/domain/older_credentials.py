"""Credentials as older versions and the platforms' own libraries write them, in today's form.

Google's two files (`client_secrets.json` and the token) are read as they are, alone or as
`{"client_secrets": …, "token": …}`. A key that nobody knows keeps its path, to be refused by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

NEW_NAMES = {
    "account": "host",
    "token": "access_token",
    "scope": "scopes",
    "expiry": "expires_at",
}
# Google's other keys, and a length of time that nobody knows the beginning of.
WITHOUT_USE = frozenset(
    {
        "auth_uri",
        "auth_provider_x509_cert_url",
        "redirect_uris",
        "javascript_origins",
        "universe_domain",
        "expires_in",
    }
)
NESTED = ("client_secrets", "web", "installed", "token")
_WITHOUT_ZONE = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?")


def in_todays_form(document: Mapping[str, Any]) -> dict[str, Any]:
    """The flat document; of a value said twice the one of the token counts."""
    found: dict[str, Any] = {}
    for path, value in _leaves(document, ()):
        *above, key = path
        name = NEW_NAMES.get(key, key)
        if key not in WITHOUT_USE and value not in (None, ""):
            known = not above or name in _GOOGLES
            found[name if known else ".".join(path)] = _renewed(name, value)
    return found


_GOOGLES = frozenset(
    {
        "access_token",
        "refresh_token",
        "token_uri",
        "client_id",
        "client_secret",
        "project_id",
        "scopes",
        "expires_at",
    }
)


def _leaves(
    document: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value with its path; only Google's own objects are looked into, the token's last."""
    for key in sorted(document, key=lambda each: each == "token"):
        value = document[key]
        if isinstance(value, Mapping) and key in NESTED:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _renewed(name: str, value: Any) -> Any:
    if name == "scopes" and isinstance(value, str):
        return re.split(r"[\s,]+", value.strip()) if value.strip() else []
    if name == "user_id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if name == "expires_at" and isinstance(value, str) and _WITHOUT_ZONE.fullmatch(value):
        return f"{value}Z"  # Google's library writes UTC without saying so
    return value
