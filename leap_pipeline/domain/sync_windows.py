"""When a source is read, and which days of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

DAY = timedelta(days=1)
LONGEST_WINDOW = 30
LONGEST_GAP = timedelta(hours=6)

Span = tuple[date, date]
"""First and last day, both included, in UTC."""


def first_day(
    *,
    now: datetime,
    made_at: datetime,
    read_to: datetime | None,
    lookback_days: int,
    sync_from: datetime | None,
    history_days: int,
) -> date:
    """The day from which a sync reads.

    Up to `read_to` everything was listed once; so many days before it, and one at the least, are
    read again, for what finished late. Nothing is read from before `sync_from`. The first sync to
    succeed reads so many days before the source was made, however long it could not be read.
    """
    if read_to is None:
        return _day(sync_from or min(now, made_at) - timedelta(days=history_days))
    again = _day(read_to - timedelta(days=max(lookback_days, 1)))
    return again if sync_from is None else max(again, _day(sync_from))


def spans(first: date, now: datetime, days: int = LONGEST_WINDOW) -> Iterator[Span]:
    """Windows of at most `days` days, oldest first, up to tomorrow: clocks differ.

    Each begins on the last day of the one before it; of one day, on the day after.
    """
    last = _day(now) + DAY
    first = min(first, last)
    while True:
        end = min(first + (days - 1) * DAY, last)
        yield first, end
        if end >= last:
            return
        first = end if days > 1 else end + DAY


def read_to(span: Span, now: datetime) -> datetime:
    """Every recording that began before this was listed, once the window was read to its end."""
    end = datetime.combine(span[1] + DAY, datetime.min.time(), UTC)
    return min(end, now)


def poll_gap(interval: timedelta, failures: int) -> timedelta:
    """The time to a source's next poll after so many failures in a row."""
    doubled: timedelta = interval * 2 ** min(max(failures - 1, 0), 20)
    return max(interval, min(doubled, LONGEST_GAP))


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()
