"""What token endpoints answer (RFC 6749, 5.1), read without trust."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from leap_pipeline.errors import TransientError
from leap_pipeline.oauth.platform import Grant
from leap_pipeline.redaction import remember

MARGIN_SECONDS = 60
HOUR = 3600
LONGEST_SECONDS = 90 * 24 * HOUR
LONGEST_ID = 255


def read_grant(service: str, body: Mapping[str, Any], began: datetime) -> Grant:
    """The grant of a good answer to what was asked at `began`.

    Raises TransientError for a token that no header takes.
    """
    access = as_token(body.get("access_token"))
    if access is None:
        msg = (
            f"{service}'s token endpoint answers with a token that cannot be used: try again later."
        )
        raise TransientError(msg)
    return Grant(
        access,
        fresh_until(began, seconds_of(body.get("expires_in"))),
        as_token(body.get("refresh_token")),
        scopes_of(body.get("scope")),
        as_id(body.get("user_id")),
    )


def fresh_until(began: datetime, life: float) -> datetime:
    """Until when a token is used that lives so many seconds: a minute less, or a quarter."""
    return began + timedelta(seconds=life - min(MARGIN_SECONDS, life / 4))


def as_token(value: object) -> SecretStr | None:
    """As a header takes it, and hidden from here on wherever it turns up."""
    found = as_claimed(value)
    if found is not None:
        remember(found.get_secret_value())
    return found


def as_claimed(value: object) -> SecretStr | None:
    """As a header takes it; what anybody may claim is not remembered, or it would push out more."""
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()):
        return None
    return SecretStr(value)


def as_id(value: object) -> str | None:
    """A key of the platform's, which comes as a number or a text."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    found = str(value)
    return found if 0 < len(found) <= LONGEST_ID and found.isprintable() else None


def scopes_of(value: object) -> tuple[str, ...]:
    """Scopes as they stand in one text, between blanks or commas."""
    return tuple(re.split(r"[\s,]+", value.strip())) if isinstance(value, str) and value else ()


def seconds_of(value: object) -> float:
    """How long a token lives; an hour where that is not said."""
    try:
        found = float(value) if isinstance(value, int | float | str) else HOUR
    except ValueError:
        return HOUR
    return HOUR if math.isnan(found) else min(max(found, 0.0), LONGEST_SECONDS)
