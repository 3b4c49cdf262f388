"""When a scheduled job is due: crontabs on a wall clock, intervals from an anchor. Pure.

A crontab has the five fields of Vixie cron, which Celery takes too (0 and 7 are Sunday, names such
as `mon-fri` and `jan`): https://manpages.debian.org/crontab.5. Dagster fires the real schedules, so
on the days when clocks are moved this follows its evaluation (`dagster._utils.schedules`) and not
cron's: one whose hours are restricted runs at the end of the hour that was left out, and in the
second of two hours of the same name; one with `*` for its hours goes on once an hour of real time.

An interval is real time, not days of a calendar: it is due at `anchored_at` + n × interval, n >= 1.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any

from leap_pipeline.domain.crontab_fields import FIELDS, field_text, field_values, require_days
from leap_pipeline.domain.wall_clock import instants_of, is_regular, zone_of
from leap_pipeline.errors import InputError

PERIODS = {
    "seconds": timedelta(seconds=1),
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
}
LONGEST_INTERVAL = timedelta(days=3660)
_DAY = timedelta(days=1)
_DAY_SECONDS = 86_400
_SEARCH_DAYS = 3660  # 29 February can be 8 years away
# Every gap that a calendar has, between two days that match, occurs in here; two leap years.
_SAMPLE = (date(2024, 1, 1), date(2032, 1, 1))
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Crontab:
    """Five fields as they were typed, and an IANA zone; `parse` makes one that is right."""

    minute: str
    hour: str
    day_of_month: str
    month: str
    day_of_week: str
    timezone: str


@dataclass(frozen=True)
class Interval:
    """Every so many of a period (`PERIODS`), counted from `anchored_at` (timezone-aware)."""

    every: int
    period: str
    anchored_at: datetime

    @property
    def step(self) -> timedelta:
        return self.every * PERIODS[self.period]


Schedule = Crontab | Interval


def parse(values: Mapping[str, Any]) -> Schedule:
    """The schedule in the columns of an `automation_jobs` row, `timezone` being the one to use.

    A crontab field of None is `*`. Raises `InputError` with the name of the column.
    """
    kind = values.get("schedule_type")
    if kind == "interval":
        return _interval(values)
    if kind == "crontab":
        return _crontab(values)
    msg = f"`schedule_type` is “{kind}”: it must be `crontab` or `interval`."
    raise InputError(msg)


def next_due(schedule: Schedule, after: datetime) -> datetime:
    """The first due time later than `after`; UTC."""
    if isinstance(schedule, Interval):
        number = max((after - schedule.anchored_at) // schedule.step + 1, 1)
        return (schedule.anchored_at + number * schedule.step).astimezone(UTC)
    rules, edge = _rules(schedule), _seconds(after)
    for day in rules.days_from(_local_day(schedule, after) - _DAY):
        times = rules.times(day)
        place = bisect_right(times, edge)
        if place < len(times):
            return datetime.fromtimestamp(times[place], UTC)
    msg = f"“{dagster_cron(schedule)}” is not due in ten years after {after:%Y-%m-%d}."
    raise InputError(msg)


def latest_due(schedule: Schedule, now: datetime, after: datetime) -> datetime | None:
    """The last due time later than `after` and not later than `now`; UTC."""
    if isinstance(schedule, Interval):
        number = (now - schedule.anchored_at) // schedule.step
        due = schedule.anchored_at + number * schedule.step if number >= 1 else None
        return due.astimezone(UTC) if due is not None and due > after else None
    rules, edge = _rules(schedule), _seconds(now)
    day, first = _local_day(schedule, now), _local_day(schedule, after) - _DAY
    while day >= first:
        times = rules.times(day) if rules.matches(day) else ()
        place = bisect_right(times, edge)
        if place:
            due = datetime.fromtimestamp(times[place - 1], UTC)
            return due if due > after else None
        day -= _DAY
    return None


def count_due(schedule: Schedule, after: datetime, until: datetime) -> int:
    """How many due times are later than `after` and not later than `until`."""
    if until <= after:
        return 0
    if isinstance(schedule, Interval):
        reached = (until - schedule.anchored_at) // schedule.step
        return max(reached, 0) - max((after - schedule.anchored_at) // schedule.step, 0)
    rules, counted, last = _rules(schedule), 0, _seconds(after)
    until_day = _local_day(schedule, until)
    for day in rules.days_from(_local_day(schedule, after) - _DAY, until_day):
        times = rules.times(day)
        begin, end = bisect_right(times, last), bisect_right(times, _seconds(until))
        if begin < end:
            counted, last = counted + end - begin, times[end - 1]
    return counted


def is_due(schedule: Schedule, at: datetime) -> bool:
    """Whether that very instant is one of its due times."""
    return latest_due(schedule, at, at - _TICK) == at


def upcoming(schedule: Schedule, after: datetime, number: int) -> list[datetime]:
    """The next due times, at most `number`."""
    found: list[datetime] = []
    for _ in range(number):
        after = next_due(schedule, after)
        found.append(after)
    return found


def shortest_gap(schedule: Schedule) -> timedelta:
    """The shortest time between two firings, whatever the schedule looks like.

    Of a crontab it is measured on the wall clock over eight years: on the one day a year that has
    23 hours, a job of every day is 23 hours apart, and stays one of every 24.
    """
    if isinstance(schedule, Interval):
        return schedule.step
    return _rules(schedule).shortest_gap()


def dagster_cron(schedule: Crontab) -> str:
    """The five fields as Dagster takes them: numbers, `*` for a field that leaves nothing out."""
    return _rules(schedule).text


def said(schedule: Schedule) -> str:
    """The schedule in a few words, such as `every 45 seconds` or `0 2 * * * Europe/Berlin`."""
    if isinstance(schedule, Interval):
        period = schedule.period.removesuffix("s") if schedule.every == 1 else schedule.period
        return f"every {schedule.every} {period}"
    return " ".join(getattr(schedule, field.name) for field in fields(schedule))


def interval_of(text: str) -> dict[str, Any]:
    """The columns of an interval that a person typed, such as `45 seconds` or `1 hour`."""
    number, _, period = text.strip().lower().partition(" ")
    period = period.strip() if period.strip().endswith("s") else f"{period.strip()}s"
    if not (number.isascii() and number.isdigit() and len(number) < 10) or period not in PERIODS:
        msg = f"“{text}” is no interval: write a number and {', '.join(PERIODS)}."
        raise InputError(msg)
    return {"schedule_type": "interval", "interval_every": int(number), "interval_period": period}


def crontab_of(text: str) -> dict[str, Any]:
    """The columns of a crontab that a person typed as one line."""
    parts = text.split()
    if len(parts) != len(FIELDS):
        msg = (
            f"“{text}” has {len(parts)} fields: a crontab has five, minute hour day-of-month month "
            "day-of-week, such as `0 6 * * mon-fri`."
        )
        raise InputError(msg)
    columns = {field.column: part for field, part in zip(FIELDS, parts, strict=True)}
    return {"schedule_type": "crontab", **columns}


def _interval(values: Mapping[str, Any]) -> Interval:
    every, period = values.get("interval_every"), values.get("interval_period")
    if period not in PERIODS:
        msg = f"`interval_period` is “{period}”: it must be one of {', '.join(PERIODS)}."
        raise InputError(msg)
    if type(every) is not int or every < 1 or every > LONGEST_INTERVAL / PERIODS[period]:
        msg = f"`interval_every` is {every}: it must be at least 1, and at most ten years long."
        raise InputError(msg)
    anchor = values.get("anchored_at")
    if not isinstance(anchor, datetime) or anchor.tzinfo is None:
        msg = "`anchored_at` is missing: it is the instant from which the interval is counted."
        raise InputError(msg)
    return Interval(every, period, anchor)


def _crontab(values: Mapping[str, Any]) -> Crontab:
    given = [values.get(field.column) for field in FIELDS]
    if all(each is None for each in given):
        msg = "`crontab_minute` is missing, and so are all other fields of the crontab."
        raise InputError(msg)
    texts = ["*" if each is None else str(each).strip().lower() for each in given]
    crontab = Crontab(*[*texts, str(values.get("timezone") or "UTC")])
    zone_of(crontab.timezone)
    _rules(crontab)
    return crontab


class _Rules:
    """A crontab as sets of numbers."""

    def __init__(self, crontab: Crontab) -> None:
        texts = [getattr(crontab, field.name) for field in fields(crontab)][: len(FIELDS)]
        sets = [field_values(*each) for each in zip(FIELDS, texts, strict=True)]
        minutes, hours, self.days, self.months, self.weekdays = sets
        require_days(self.days, self.months, self.weekdays)
        self.text = " ".join(field_text(*each) for each in zip(FIELDS, texts, strict=True))
        self.zone = zone_of(crontab.timezone)
        self.clock = tuple(
            hour * 3600 + minute * 60 for hour in sorted(hours) for minute in sorted(minutes)
        )
        self.every_hour = len(hours) == 24
        # What Dagster evaluates by itself; the others go through croniter, and differ in zones
        # that move their clocks around midnight.
        self.plain = len(self.clock) == 1 and len(self.months) == 12 and self._plain_days()

    def _plain_days(self) -> bool:
        return len(self.days) == 31 or (len(self.days) == 1 and max(self.days) <= 28)

    def matches(self, day: date) -> bool:
        return (
            day.month in self.months
            and day.day in self.days
            and day.isoweekday() % 7 in self.weekdays
        )

    def days_from(self, first: date, last: date | None = None) -> Iterator[date]:
        """The days that match, up to `last`, or for ten years."""
        day, last = first, last or first + timedelta(days=_SEARCH_DAYS)
        while day <= last:
            if day.month not in self.months:
                day = (day.replace(day=1) + 32 * _DAY).replace(day=1)
                continue
            if self.matches(day):
                yield day
            day += _DAY

    def times(self, day: date) -> tuple[int, ...]:
        """The due times of a day that matches, in seconds since 1970, ascending."""
        return _times(self, day)

    def shortest_gap(self) -> timedelta:
        clock = self.clock
        gaps = [later - earlier for earlier, later in pairwise(clock)]
        days = list(self.days_from(*_SAMPLE))
        apart = [(b - a).days for a, b in pairwise(days)]
        gaps.append(min(apart) * _DAY_SECONDS - clock[-1] + clock[0])
        return timedelta(seconds=min(gaps))


@lru_cache(16_384)
def _rules(crontab: Crontab) -> _Rules:
    return _Rules(crontab)


@lru_cache(256)
def _times(rules: _Rules, day: date) -> tuple[int, ...]:
    regular = is_regular(day, rules.zone)
    if regular is not None:
        return tuple(regular + second for second in rules.clock)
    found = {
        instant
        for second in rules.clock
        for instant in instants_of(day, second, rules.zone, rules.every_hour, rules.plain)
    }
    return tuple(sorted(found))


def _local_day(crontab: Crontab, at: datetime) -> date:
    return at.astimezone(zone_of(crontab.timezone)).date()


def _seconds(at: datetime) -> float:
    return at.timestamp()
