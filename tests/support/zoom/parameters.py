"""The contract of the requests: which parameters there are and which values Zoom takes.

One thing is stricter than Zoom, which passes over parameters that it does not know: here they are
refused, so that a misspelt one is seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from urllib.parse import unquote

from tests.support.zoom.errors import invalid, no_endpoint

MAX_PAGE = 300
MAX_TTL = 604_800
DEFAULT_TTL = 86_400
# "The maximum range can be a month": no month has more days than this, first and last counted.
MAX_WINDOW_DAYS = 31
TOKEN_FIELD = "download_access_token"

LISTING = frozenset(
    "page_size next_page_token mc trash from to trash_type meeting_id".split()  # of a user
)
ACCOUNT_LISTING = frozenset({"page_size", "next_page_token", "from", "to"})
DETAILS = frozenset({"include_fields", "ttl"})
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Listing:
    """A listing that may be answered; `first` and `last` are UTC days, both included."""

    first: date
    last: date
    page_size: int = 30
    token: str | None = None
    trash: bool = False
    meeting_id: int | None = None

    @property
    def signature(self) -> tuple[object, ...]:
        """What must be the same on every page."""
        return self.first, self.last, self.page_size, self.trash, self.meeting_id


def _known(given: Mapping[str, str], known: frozenset[str]) -> None:
    for name in given:
        if name not in known:
            raise invalid(field=name, why="Unknown field.")


def _number(given: Mapping[str, str], name: str, low: int, high: int) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or not low <= int(value) <= high:
        raise invalid(field=name)
    return int(value)


def _truth(given: Mapping[str, str], name: str) -> bool:
    value = given.get(name, "false")
    if value not in ("true", "false"):
        raise invalid(field=name)
    return value == "true"


def _day(given: Mapping[str, str], name: str) -> date | None:
    value = given.get(name)
    if value is None:
        return None
    if not _DATE.fullmatch(value):
        raise invalid(field=name, why="The date must be yyyy-mm-dd.")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise invalid(field=name, why="There is no such day.") from None


def listing(given: Mapping[str, str], now: datetime, *, of_account: bool = False) -> Listing:
    """What is asked for, or Refused."""
    _known(given, ACCOUNT_LISTING if of_account else LISTING)
    _truth(given, "mc")
    trash = _truth(given, "trash")
    if given.get("trash_type", "meeting_recordings") not in (
        "meeting_recordings",
        "recording_file",
    ):
        raise invalid(field="trash_type")
    first, last = _day(given, "from"), _day(given, "to")
    if trash and (first or last):
        raise invalid(field="from", why="Files in the trash cannot be filtered by date.")
    first, last = first or last or now.date(), last or max(now.date(), first or now.date())
    if last < first:
        raise invalid(field="from", why="The start is after the end.")
    if last - first >= timedelta(days=MAX_WINDOW_DAYS):
        raise invalid(field="from", why="The range is longer than a month.")
    return Listing(
        first,
        last,
        _number(given, "page_size", 1, MAX_PAGE) or 30,
        given.get("next_page_token") or None,
        trash,
        _number(given, "meeting_id", 1, 10**15),
    )


def details(given: Mapping[str, str]) -> int | None:
    """How long the download token that is asked for must live, in seconds; None if none is."""
    _known(given, DETAILS)
    if given.get("include_fields") not in (None, TOKEN_FIELD):
        raise invalid(field="include_fields")
    ttl = _number(given, "ttl", 0, MAX_TTL)
    if "include_fields" not in given:
        return None
    return DEFAULT_TTL if ttl is None else ttl


def meeting_name(raw_segment: str) -> str:
    """The meeting's number or UUID that a raw path segment names.

    Zoom's gateway decodes a path once and merges slashes before it looks for the meeting: a UUID
    with a slash in front or two in a row survives only if it was encoded twice. All others are
    encoded once, and a second encoding is taken as it stands.
    """
    if "/" in raw_segment:
        raise no_endpoint()
    once = unquote(raw_segment)
    twice = unquote(once)
    if once != twice and (twice.startswith("/") or "//" in twice):
        return twice
    return re.sub("/{2,}", "/", once).removeprefix("/")
