"""When a published video is looked at again, and what an answer comes to."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from leap_pipeline.domain.processing import (
    FAILED,
    GIVE_UP_AFTER,
    GONE,
    LONGEST_GAP,
    LONGEST_REST,
    PROCESSED,
    PROCESSING,
    SETTLING,
    UNSAID,
    judge,
    next_gap,
    rest,
    right_duration,
    searches_by,
)

YOUNG, OLD = timedelta(minutes=2), GIVE_UP_AFTER
MINUTE = timedelta(minutes=1)


def test_looks_come_at_growing_gaps_for_three_days() -> None:
    age, gaps = timedelta(seconds=30), list[timedelta]()
    while (gap := next_gap(age)) is not None:
        gaps.append(gap)
        age += gap
    assert age == GIVE_UP_AFTER
    assert gaps[0] == timedelta(seconds=30)
    assert all(before <= after for before, after in pairwise(gaps[:-1]))
    assert max(gaps) == LONGEST_GAP
    assert 70 < len(gaps) < 100


def test_what_was_sent_again_is_searched_for_twice() -> None:
    ages = [timedelta(seconds=30), 59 * MINUTE, 60 * MINUTE, GIVE_UP_AFTER]
    assert [searches_by(age) for age in ages] == [1, 1, 2, 2]


def test_a_platform_that_cannot_answer_is_left_alone_longer_and_longer() -> None:
    ages = [timedelta(), MINUTE, 10 * MINUTE, 600 * MINUTE, 10_000 * MINUTE]
    assert [rest(age) for age in ages] == [MINUTE, MINUTE, 5 * MINUTE, 300 * MINUTE, LONGEST_REST]


@pytest.mark.parametrize(
    ("state", "seconds", "age", "stored", "goes_on"),
    [
        (PROCESSING, None, YOUNG, PROCESSING, True),
        (PROCESSING, None, OLD, PROCESSING, False),
        (PROCESSED, 90.0, YOUNG, PROCESSED, False),
        (PROCESSED, 90.0, OLD, PROCESSED, False),
        (PROCESSED, None, YOUNG, PROCESSING, True),
        (PROCESSED, None, OLD, PROCESSED, False),
        (FAILED, None, YOUNG, FAILED, False),
        (GONE, None, YOUNG, PROCESSING, True),
        (GONE, None, SETTLING, GONE, False),
        (GONE, None, OLD, GONE, False),
    ],
)
def test_an_answer_is_stored_and_settles_the_matter_or_does_not(
    state: str, seconds: float | None, age: timedelta, stored: str, goes_on: bool
) -> None:
    found = judge(state, seconds, None, age)
    assert found.state == stored
    assert found.gap == (next_gap(age) if goes_on else None)


def test_the_note_says_why() -> None:
    assert judge(FAILED, None, "The codec is unknown.", YOUNG).note == "The codec is unknown."
    assert "does not say why" in str(judge(FAILED, None, None, YOUNG).note)
    assert judge(PROCESSED, None, None, OLD).note == UNSAID
    assert "after 3 days" in str(judge(PROCESSING, None, None, OLD).note)
    assert judge(PROCESSED, 3.0, "As told.", YOUNG).note is None
    assert judge(PROCESSED, 3.0, None, YOUNG, sent=3.5).note is None
    wrong = judge(PROCESSED, 3.0, None, YOUNG, sent=5.5)
    assert wrong.note == "It plays 3 s there, and the file that was sent 5.5 s."


@pytest.mark.parametrize(
    ("sent", "there", "right"),
    [
        (10.4, 10.0, True),
        (10.4, 11.4, True),
        (10.4, 11.5, False),
        (5400.0, 5454.0, True),
        (5400.0, 5346.0, True),
        (5400.0, 5455.0, False),
        (5400.0, 0.0, False),
    ],
)
def test_durations_are_the_same_within_a_second_or_one_per_cent(
    sent: float, there: float, right: bool
) -> None:
    assert right_duration(sent, there) is right
