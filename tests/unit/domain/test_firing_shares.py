"""Who fires what: each job's own clock while there are few, the dispatcher for the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leap_pipeline.domain.firing_shares import (
    FIRINGS_A_MINUTE,
    ON_EVERY_TURN,
    SCHEDULE_GRACE,
    SENSOR_GRACE,
    Due,
    for_dispatcher,
    sensor_seconds,
)

NOW = datetime(2026, 11, 2, 12, 0, 1, tzinfo=UTC)
LITTLE = timedelta(milliseconds=1)
FEW, MANY = ON_EVERY_TURN, ON_EVERY_TURN + 1


def taken(*dues: Due, intervals: int = FEW, now: datetime = NOW) -> list[int]:
    return [due.job_id for due in for_dispatcher(dues, now, intervals)]


@pytest.mark.parametrize(
    ("intervals", "seconds"), [(0, 1), (FEW, 1), (MANY, 6), (30, 15), (31, 16), (1000, 500)]
)
def test_sensors_look_more_rarely_the_more_there_are(intervals: int, seconds: int) -> None:
    assert sensor_seconds(intervals) == seconds


def test_many_sensors_never_cost_more_than_two_ticks_a_second() -> None:
    assert all(count / sensor_seconds(count) <= 2 for count in range(MANY, 2000))


def test_few_intervals_are_left_to_their_sensors_for_a_turn() -> None:
    fresh, late = NOW - SENSOR_GRACE + LITTLE, NOW - SENSOR_GRACE
    assert taken(Due(1, fresh, interval=True), Due(2, late, interval=True)) == [2]


def test_of_many_intervals_the_dispatcher_takes_what_is_due() -> None:
    assert taken(Due(1, NOW, interval=True), intervals=MANY) == [1]


def test_crontabs_are_left_to_their_schedules_for_a_while() -> None:
    fresh, late = NOW - SCHEDULE_GRACE + LITTLE, NOW - SCHEDULE_GRACE
    assert taken(Due(1, fresh, interval=False), Due(2, late, interval=False)) == [2]


def test_what_dagster_cannot_fire_within_the_minute_is_taken_at_once() -> None:
    dues = [Due(number, NOW, interval=False) for number in range(FIRINGS_A_MINUTE + 5, 0, -1)]
    first = FIRINGS_A_MINUTE + 1
    assert taken(*dues) == list(range(first, first + 5))


def test_the_first_of_each_minute_are_its_schedules() -> None:
    before = NOW - timedelta(seconds=10)
    dues = [Due(number, NOW, interval=False) for number in range(FIRINGS_A_MINUTE)]
    assert taken(*dues, Due(9999, before, interval=False)) == []


def test_a_job_without_a_clock_is_the_dispatchers() -> None:
    alone = [Due(1, NOW, interval=kind, mirrored=False) for kind in (True, False)]
    assert taken(*alone) == [1, 1]


def test_the_longest_due_come_first() -> None:
    old, older = NOW - timedelta(hours=1), NOW - timedelta(hours=2)
    assert taken(
        Due(1, old, interval=False), Due(3, older, interval=True), Due(2, older, interval=False)
    ) == [2, 3, 1]
