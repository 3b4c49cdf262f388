"""When a server wants to be asked again, in every form in which servers say so."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

FARTHEST = timedelta(days=2)
"""Nobody is waited for longer, whatever a server says."""
_SECONDS = re.compile(r"\d{1,12}(?:\.\d*)?")


def retry_at(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """The moment (timezone-aware, never before `now`); None where the server names none.

    `headers` finds names whatever their case. Retry-After comes in seconds, as an HTTP date (RFC
    9110, 10.2.3) or as an ISO 8601 date, which Zoom sends at a daily limit; at a limit per second
    it sends X-RateLimit-Reset in Unix seconds instead.
    https://developers.zoom.us/docs/api/rate-limits/
    """
    for found in (
        _after(headers.get("retry-after", "").strip(), now),
        _reset(headers.get("x-ratelimit-reset", "").strip()),
    ):
        if found is not None:
            return min(max(found, now), now + FARTHEST)
    return None


def _after(text: str, now: datetime) -> datetime | None:
    if _SECONDS.fullmatch(text):
        return now + min(timedelta(seconds=math.ceil(float(text))), FARTHEST)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            found = read(text)
            # A date without a zone is in UTC, as everything else that a server says of time.
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _reset(text: str) -> datetime | None:
    if not _SECONDS.fullmatch(text):
        return None
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None
