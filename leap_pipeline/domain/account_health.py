"""How an account at a platform is, and how it can be connected again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

SOON = timedelta(days=7)
RENEWABLE = "refresh_token"


class Health(StrEnum):
    """The first that holds counts."""

    UNREADABLE = "unreadable"
    REFUSED = "refused"
    OFF = "off"
    EXPIRED = "expired"
    EXPIRES_SOON = "expires soon"
    ACTIVE = "active"

    @property
    def is_good(self) -> bool:
        return self in (Health.ACTIVE, Health.EXPIRES_SOON)


def ends_at(details: Mapping[str, Any] | None) -> datetime | None:
    """When a grant ends that cannot be renewed, by its shown document; None: never, or unknown."""
    said = (details or {}).get("expires_at")
    if said is None or RENEWABLE in (details or {}):
        return None
    return datetime.fromisoformat(str(said))


def health_of(
    details: Mapping[str, Any] | None, *, is_active: bool, is_refused: bool, now: datetime
) -> Health:
    """`details` is the document as it may be shown, None where it cannot be read.

    `is_refused`: the platform refused it since it was last switched on.
    """
    if details is None:
        return Health.UNREADABLE
    if not is_active:
        return Health.REFUSED if is_refused else Health.OFF
    ends = ends_at(details)
    if ends is None or ends > now + SOON:
        return Health.ACTIVE
    return Health.EXPIRED if ends <= now else Health.EXPIRES_SOON
