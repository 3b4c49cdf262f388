"""The windows in which a source is read, and how often."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.sync_windows import DAY, first_day, poll_gap, read_to, spans

NOW = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
ASKED: dict[str, Any] = {"now": NOW, "made_at": NOW, "lookback_days": 7, "history_days": 30}


def test_where_reading_begins() -> None:
    assert first_day(read_to=None, sync_from=None, **ASKED) == date(2026, 10, 24)
    old = datetime(2020, 1, 1, tzinfo=UTC)
    assert first_day(read_to=None, sync_from=old, **ASKED) == date(2020, 1, 1)
    assert first_day(read_to=NOW, sync_from=old, **ASKED) == date(2026, 11, 16)
    assert first_day(read_to=NOW, sync_from=NOW - 2 * DAY, **ASKED) == date(2026, 11, 21)
    assert first_day(read_to=NOW, sync_from=None, **{**ASKED, "lookback_days": 0}) == date(
        2026, 11, 22
    )


def test_a_source_that_could_not_be_read_loses_no_days() -> None:
    late = {**ASKED, "now": NOW + 9 * DAY}
    assert first_day(read_to=None, sync_from=None, **late) == date(2026, 10, 24)


def test_days_are_those_of_utc() -> None:
    tashkent = timezone(timedelta(hours=5))
    said = datetime(2026, 11, 1, 2, tzinfo=tashkent)
    assert first_day(read_to=None, sync_from=said, **ASKED) == date(2026, 10, 31)


@given(st.integers(-3, 800), st.integers(1, 30))
def test_windows_cover_every_day_up_to_tomorrow_and_overlap_by_one(back: int, days: int) -> None:
    first, tomorrow = NOW.date() - back * DAY, NOW.date() + DAY
    found = list(spans(first, NOW, days))
    assert found[0][0] == min(first, tomorrow)
    assert found[-1][1] == tomorrow
    assert all(timedelta() <= end - start <= (days - 1) * DAY for start, end in found)
    step = timedelta() if days > 1 else DAY
    assert all(after[0] == before[1] + step for before, after in pairwise(found))
    assert all(before[1] < after[1] for before, after in pairwise(found))


def test_a_window_of_31_days_is_two() -> None:
    found = list(spans(date(2026, 10, 25), NOW))
    assert found == [
        (date(2026, 10, 25), date(2026, 11, 23)),
        (date(2026, 11, 23), date(2026, 11, 24)),
    ]


def test_read_to_is_never_ahead_of_the_clock() -> None:
    assert read_to((date(2026, 10, 1), date(2026, 10, 30)), NOW) == datetime(
        2026, 10, 31, tzinfo=UTC
    )
    assert read_to((date(2026, 10, 30), date(2026, 11, 24)), NOW) == NOW


@pytest.mark.parametrize(
    ("failures", "minutes"), [(0, 15), (1, 15), (2, 30), (3, 60), (5, 240), (6, 360), (400, 360)]
)
def test_failures_back_off_up_to_six_hours(failures: int, minutes: int) -> None:
    assert poll_gap(timedelta(minutes=15), failures) == timedelta(minutes=minutes)


def test_a_slow_rhythm_is_no_faster_after_failures() -> None:
    assert poll_gap(timedelta(days=7), 9) == timedelta(days=7)
