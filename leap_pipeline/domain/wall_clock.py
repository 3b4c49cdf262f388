"""Wall clocks of time zones, on the days when they are moved too.

Where a wall time occurs never or twice, Dagster's rules hold (`dagster._utils.schedules`):
https://docs.dagster.io/guides/automate/schedules/customizing-execution-timezone
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from leap_pipeline.errors import InputError

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
_NIGHT = (1, 2, 3)  # the hours in which Dagster expects clocks to be moved


@lru_cache(1024)
def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name; `InputError` where there is none."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError) as error:  # a name that is a folder, leads out, or is not there
        msg = f"`timezone` “{name}” is no time zone: give a name such as Europe/Berlin."
        raise InputError(msg) from error
    except KeyError as error:
        msg = f"`timezone` “{name}” is not known here: give a name such as Europe/Berlin."
        raise InputError(msg) from error


@lru_cache(16_384)
def is_regular(day: date, zone: ZoneInfo) -> int | None:
    """The seconds since 1970 of a day's midnight; None where the clock is moved on that day."""
    begin = datetime.combine(day, time(), zone)
    end = datetime.combine(day + _DAY, time(), zone)
    return int(begin.timestamp()) if begin.utcoffset() == end.utcoffset() else None


def instants_of(
    day: date, second: int, zone: ZoneInfo, every_hour: bool, plain: bool
) -> tuple[int, ...]:
    """The instants (seconds since 1970) that count as a wall time, `second` seconds into its day.

    `every_hour` and `plain` are kinds of crontabs, see `domain.due_times`.
    """
    wall = datetime.combine(day, time(second // 3600, second // 60 % 60), zone)
    if not _exists(wall):
        return () if every_hour else (_after_the_gap(wall, plain),)
    first, last = int(wall.timestamp()), int(wall.replace(fold=1).timestamp())
    if every_hour:
        return (first, last)
    return (first,) if plain and wall.hour not in _NIGHT else (last,)


def _exists(wall: datetime) -> bool:
    back = wall.astimezone(UTC).astimezone(wall.tzinfo)
    return back.replace(tzinfo=None) == wall.replace(tzinfo=None)


def _after_the_gap(wall: datetime, plain: bool) -> int:
    """The end of the time that was left out, of an hour where Dagster expects it."""
    if wall.hour in _NIGHT:
        saved = (wall + _HOUR).dst() or timedelta()
        wall = wall.replace(minute=0) + saved
        # Where summer is no “saving” (Dublin, Casablanca) Dagster's answer is an hour early.
        if plain and not _exists(wall):
            wall = wall.replace(fold=1)
    return int(wall.timestamp())
