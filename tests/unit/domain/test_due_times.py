"""Due times over a whole year, against Dagster's own evaluation and plain arithmetic."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, takewhile
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from dagster import ScheduleDefinition, job

# What the scheduler itself asks, tick for tick; nothing public says the times of any crontab.
from dagster._utils.schedules import schedule_execution_time_iterator
from hypothesis import example, given, settings
from hypothesis import strategies as st

from leap_pipeline.domain.due_times import (
    Crontab,
    Interval,
    Schedule,
    count_due,
    crontab_of,
    dagster_cron,
    interval_of,
    is_due,
    latest_due,
    next_due,
    parse,
    said,
    shortest_gap,
    upcoming,
)
from leap_pipeline.errors import InputError

YEAR = 2027
BEGIN, END = datetime(YEAR, 1, 1, tzinfo=UTC), datetime(YEAR + 1, 1, 2, tzinfo=UTC)
TICK = timedelta(microseconds=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOVED = {  # the days on which clocks go forward, and back
    "America/New_York": (date(YEAR, 3, 14), date(YEAR, 11, 7)),
    "Europe/Berlin": (date(YEAR, 3, 28), date(YEAR, 10, 31)),
    "Asia/Tashkent": None,
}
CRONTABS = [
    "0 * * * *",
    "17,47 * * * *",
    "*/7 2-4 * * sun",
    "30 1 * * *",
    "0 2 * * *",
    "30 2 * * *",
    "59 2 * * *",
    "0 3 * * *",
    "0 0 * * *",
    "15,45 0-4 * * *",
    "0 */6 * * *",
    "*/15 2 * * *",
    "10 1,2,3 * * sun",
    "30 2 * * 0",
    "30 2 * * 7",
    "0 9 * * mon-fri",
    "0 9 * * tue,thu",
    "0 5 */7 * *",
    "30 2 28 * *",
    "0 12 31 * *",
    "0 4 1,15 * *",
    "45 23 * mar-nov/2 *",
    "0 6 * 3 *",
    "30 2 * 3,10,11 sun",
    "5 0-23 * * *",
]


def crontab(text: str, zone: str = "UTC") -> Crontab:
    found = parse({**crontab_of(text), "timezone": zone})
    assert isinstance(found, Crontab)
    return found


def interval(text: str, anchor: datetime = BEGIN) -> Interval:
    found = parse({**interval_of(text), "anchored_at": anchor})
    assert isinstance(found, Interval)
    return found


def times(schedule: Schedule, begin: datetime = BEGIN, end: datetime = END) -> list[datetime]:
    """From `begin` on, up to `end`, both included."""

    def steps() -> Iterator[datetime]:
        after = begin - TICK
        while True:
            after = next_due(schedule, after)
            yield after

    return list(takewhile(lambda at: at <= end, steps()))


def dagsters(schedule: Crontab, begin: datetime = BEGIN, end: datetime = END) -> list[datetime]:
    ticks = schedule_execution_time_iterator(
        begin.timestamp(), dagster_cron(schedule), schedule.timezone
    )
    return [at.astimezone(UTC) for at in takewhile(lambda at: at <= end, ticks)]


@job
def nothing() -> None:
    """A job for a schedule to be of."""


@pytest.mark.parametrize("zone", MOVED)
@pytest.mark.parametrize("text", CRONTABS)
def test_a_year_of_it_is_what_dagster_fires(text: str, zone: str) -> None:
    schedule = crontab(text, zone)
    ScheduleDefinition(
        job=nothing, cron_schedule=dagster_cron(schedule), execution_timezone=zone
    )  # Dagster takes it
    found = times(schedule)
    assert found
    assert found == dagsters(schedule)
    assert count_due(schedule, BEGIN - TICK, END) == len(found)


@pytest.mark.parametrize(
    ("text", "zone", "at"),
    [
        ("30 2 * * *", "America/New_York", "2027-03-14T07:00+00:00"),  # 03:00, 02:30 is left out
        ("30 1 * * *", "America/New_York", "2027-11-07T06:30+00:00"),  # the second 01:30
        ("30 2 * * *", "Europe/Berlin", "2027-03-28T01:00+00:00"),
        ("30 2 * * *", "Europe/Berlin", "2027-10-31T01:30+00:00"),
        ("30 2 * * *", "Asia/Tashkent", "2027-03-27T21:30+00:00"),
    ],
)
def test_a_night_on_which_clocks_are_moved_has_one_firing(text: str, zone: str, at: str) -> None:
    expected = datetime.fromisoformat(at)
    begin = expected - 12 * HOUR
    assert times(crontab(text, zone), begin, begin + 23 * HOUR) == [expected]


@pytest.mark.parametrize("zone", [zone for zone, days in MOVED.items() if days])
def test_hour_by_hour_on_the_days_when_clocks_are_moved(zone: str) -> None:
    """Every hour goes on in real time; hours by name fire once, or not at all."""
    local = ZoneInfo(zone)
    forward, back = MOVED[zone] or (date.min, date.min)
    for day, hours in ((forward, 23), (back, 25)):
        begin = datetime(day.year, day.month, day.day, tzinfo=local).astimezone(UTC)
        end = begin + hours * HOUR - TICK
        hourly = times(crontab("30 * * * *", zone), begin, end)
        assert hourly == [begin + number * HOUR + HOUR / 2 for number in range(hours)]
        listed = crontab("30 0-22 * * *", zone)
        found = times(listed, begin, end)
        assert found == dagsters(listed, begin, end)
        assert len(found) == 23
        seven = times(interval("7 hours", begin - 7 * HOUR), begin, end)
        assert seven == [begin + number * 7 * HOUR for number in range(4)]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tashkent"])
@pytest.mark.parametrize("text", [text for text in CRONTABS if " * * * *" not in text])
def test_where_clocks_are_never_moved_it_is_vixie_cron(text: str, zone: str) -> None:
    local = BEGIN.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    walls = CronSim(text, local - timedelta(seconds=1))
    expected = takewhile(lambda at: at <= END, (_as_utc(at, zone) for at in walls))
    assert times(crontab(text, zone)) == list(expected)


def _as_utc(wall: datetime, zone: str) -> datetime:
    return wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("30 1 * * *", "Europe/Dublin"),
        ("30 0 * * *", "America/Havana"),
        ("30 23 * * *", "Africa/Cairo"),
        ("15,45 0-3 * * *", "Atlantic/Azores"),
        ("0 2 * * sun", "Africa/Casablanca"),
        ("15 2 * * *", "Australia/Lord_Howe"),
        ("20 * * * *", "Asia/Kolkata"),
        ("30 0 * 3-11 *", "America/Santiago"),
    ],
)
def test_odd_zones_are_as_dagster_has_them(text: str, zone: str) -> None:
    schedule = crontab(text, zone)
    assert times(schedule) == dagsters(schedule)


def test_29_february_comes_every_four_years() -> None:
    schedule = crontab("0 3 29 2 *", "Europe/Berlin")
    far = datetime(2041, 1, 1, tzinfo=UTC)
    found = times(schedule, BEGIN, far)
    assert [(at.year, at.month, at.day) for at in found] == [
        (2028, 2, 29),
        (2032, 2, 29),
        (2036, 2, 29),
        (2040, 2, 29),
    ]
    assert found == dagsters(schedule, BEGIN, far)
    assert next_due(schedule, datetime(2096, 3, 1, tzinfo=UTC)).year == 2104


@pytest.mark.parametrize("text", ["90 minutes", "7 hours", "45 seconds", "1 day", "13 days"])
def test_an_interval_keeps_its_phase_over_a_year(text: str) -> None:
    anchor = datetime(2026, 12, 31, 23, 59, 58, 123456, tzinfo=UTC)
    schedule = interval(text, anchor)
    end = BEGIN + (9 * DAY if "seconds" in text else 366 * DAY)
    found = times(schedule, BEGIN, end)
    numbers = [(at - anchor) / schedule.step for at in found]
    assert numbers[0] == (BEGIN - anchor) // schedule.step + 1
    assert all(later - earlier == 1.0 for earlier, later in pairwise(numbers))
    assert count_due(schedule, BEGIN - TICK, end) == len(found)


def test_nothing_is_due_at_the_anchor_or_before() -> None:
    schedule = interval("7 hours")
    assert not is_due(schedule, BEGIN)
    assert next_due(schedule, BEGIN - 365 * DAY) == BEGIN + 7 * HOUR
    assert latest_due(schedule, BEGIN + 6 * HOUR, BEGIN - 365 * DAY) is None
    assert count_due(schedule, BEGIN - 365 * DAY, BEGIN + 7 * HOUR) == 1


TEXTS = st.sampled_from([*CRONTABS, "* * * * *", "0 3 29 2 *", "*/7 * * * *"])
ZONES = st.sampled_from([*MOVED, "Australia/Lord_Howe", "America/Havana", "Europe/Dublin"])
PERIODS = st.sampled_from(["seconds", "minutes", "hours", "days"])
MOMENTS = st.integers(0, 8 * 366 * 86_400_000_000).map(
    lambda since: datetime(2025, 1, 1, tzinfo=UTC) + since * TICK
)
SCHEDULES = st.one_of(
    st.builds(crontab, TEXTS, ZONES),
    st.builds(
        lambda every, period, anchor: Interval(every, period, anchor),
        st.integers(1, 5000),
        PERIODS,
        MOMENTS,
    ),
)


@settings(max_examples=300, deadline=None)
@given(schedule=SCHEDULES, after=MOMENTS)
@example(crontab("30 2 * * *", "Europe/Berlin"), datetime(2027, 3, 28, 0, 59, tzinfo=UTC))
@example(crontab("30 0 * * *", "America/Havana"), datetime(2027, 3, 14, 5, 29, tzinfo=UTC))
def test_next_latest_and_count_agree(schedule: Schedule, after: datetime) -> None:
    first, second, third = upcoming(schedule, after, 3)
    assert after < first < second < third
    for at in (first, second, third):
        assert is_due(schedule, at)
    middle = first + (second - first) / 2
    assert not is_due(schedule, middle) or middle in (first, second)
    assert latest_due(schedule, first - TICK, after) is None
    assert latest_due(schedule, second - TICK, after) == first
    assert latest_due(schedule, third, after) == third
    assert latest_due(schedule, third, third) is None
    assert count_due(schedule, after, third) == 3
    assert count_due(schedule, first, third - TICK) == 1
    assert count_due(schedule, third, after) == 0
    assert second - first >= shortest_gap(schedule) - HOUR


@settings(max_examples=150, deadline=None)
@given(text=TEXTS, zone=ZONES, after=MOMENTS, days=st.integers(1, 40))
def test_the_missed_of_a_stretch_are_those_that_come_one_by_one(
    text: str, zone: str, after: datetime, days: int
) -> None:
    schedule = crontab(text, zone)
    until = after + (days * HOUR if text.startswith("*") else days * DAY)
    one_by_one = times(schedule, after + TICK, until)
    assert count_due(schedule, after, until) == len(one_by_one)
    newest = latest_due(schedule, until, after)
    assert newest == (one_by_one[-1] if one_by_one else None)


@pytest.mark.parametrize(
    ("text", "gap"),
    [
        ("0 2 * * *", DAY),
        ("0 23,0 * * *", HOUR),
        ("0 */7 * * *", 3 * HOUR),
        ("*/7 * * * *", timedelta(minutes=4)),
        ("* * * * *", timedelta(minutes=1)),
        ("0 9 * * mon-fri", DAY),
        ("0 9 * * mon", 7 * DAY),
        ("0 5 */7 * *", DAY),  # the 29th and the 1st of the next month
        ("0 5 1 * *", 28 * DAY),
        ("0 12 29 2 *", 1461 * DAY),
    ],
)
def test_the_shortest_gap_is_the_real_one(text: str, gap: timedelta) -> None:
    for zone in MOVED:
        assert shortest_gap(crontab(text, zone)) == gap


def test_the_shortest_gap_of_an_interval() -> None:
    assert shortest_gap(interval("90 minutes")) == timedelta(minutes=90)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("0 2 * * MON-FRI", "0 2 * * 1,2,3,4,5"),
        ("0 2 * * 7", "0 2 * * 0"),
        ("0 2 * * 5-7", "0 2 * * 0,5,6"),
        ("*/15 0-23 1-31 jan-dec 0-6", "*/15 * * * *"),
        ("00 02 1,1 */3 *", "0 2 1 */3 *"),
        ("10-30/10 * * * *", "10,20,30 * * * *"),
    ],
)
def test_dagster_is_told_numbers(text: str, plain: str) -> None:
    assert dagster_cron(crontab(text)) == plain


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("60 * * * *", "crontab_minute"),
        ("* 24 * * *", "crontab_hour"),
        ("* * 0 * *", "crontab_day_of_month"),
        ("* * * 13 *", "crontab_month_of_year"),
        ("* * * * 8", "crontab_day_of_week"),
        ("* * * * fri-mon", "crontab_day_of_week"),
        ("5/15 * * * *", "5-59/15"),
        ("*/90 * * * *", "use an interval"),
        ("*/0 * * * *", "crontab_minute"),
        ("*-5 * * * *", "crontab_minute"),
        ("1,,2 * * * *", "crontab_minute"),
        ("-1 * * * *", "crontab_minute"),
        ("٣ * * * *", "crontab_minute"),
        ("H * * * *", "crontab_minute"),
        ("0 0 L * *", "crontab_day_of_month"),
        ("0 0 * * mon#1", "crontab_day_of_week"),
        ("0 0 ? * *", "crontab_day_of_month"),
        ("0 0 1 * mon", "leave one of them"),
        ("0 0 */2 * 1", "leave one of them"),
        ("0 0 31 2,4,6,9,11 *", "crontab_day_of_month"),
        ("0 0 30 feb *", "crontab_day_of_month"),
        ("* * * *", "five"),
        ("@daily", "five"),
    ],
)
def test_a_wrong_crontab_names_its_field(text: str, named: str) -> None:
    with pytest.raises(InputError) as caught:
        crontab(text)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"schedule_type": "whenever"}, "schedule_type"),
        ({"schedule_type": None}, "schedule_type"),
        ({"schedule_type": "crontab"}, "crontab_minute"),
        ({"schedule_type": "crontab", "crontab_hour": "1", "timezone": "Mars/Base"}, "timezone"),
        ({"schedule_type": "crontab", "crontab_hour": "1", "timezone": "../etc"}, "timezone"),
        ({"schedule_type": "crontab", "crontab_hour": "1", "timezone": "Europe"}, "timezone"),
        ({"schedule_type": "interval", "interval_every": 5}, "interval_period"),
        (
            {"schedule_type": "interval", "interval_every": 5, "interval_period": "weeks"},
            "interval_period",
        ),
        *(
            (
                {"schedule_type": "interval", "interval_every": each, "interval_period": "days"},
                "interval_every",
            )
            for each in (0, -1, None, True, 1.5, 2**31 - 1)
        ),
        (
            {"schedule_type": "interval", "interval_every": 5, "interval_period": "days"},
            "anchored_at",
        ),
    ],
)
def test_a_wrong_row_names_its_column(values: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError, match=f"`{named}`"):
        parse(values)


@pytest.mark.parametrize("text", ["soon", "5 weeks", "0x5 hours", "-5 minutes", "1.5 hours", ""])
def test_what_is_no_interval_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is no interval"):
        interval_of(text)


def test_a_field_that_is_not_there_is_a_star() -> None:
    row = {"schedule_type": "crontab", "crontab_minute": "5", "crontab_hour": None}
    found = parse(row)
    assert isinstance(found, Crontab)
    assert dagster_cron(found) == "5 * * * *"
    assert found.timezone == "UTC"


def test_a_schedule_is_said_in_a_few_words() -> None:
    assert said(interval("45 seconds")) == "every 45 seconds"
    assert said(interval("1 hour")) == "every 1 hour"
    assert said(crontab("0 2 * * mon-fri", "Europe/Berlin")) == "0 2 * * mon-fri Europe/Berlin"
