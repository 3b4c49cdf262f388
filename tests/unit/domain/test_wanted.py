"""What is blank, what is skipped, and how long a source may take."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from leap_pipeline.domain.wanted import (
    BLANK,
    GIVE_UP_AFTER,
    TOO_LONG,
    TOO_SHORT,
    Bounds,
    Verdict,
    gap_after,
    judge,
    next_look,
)

MIB = 1024 * 1024
USUAL = Bounds(min_seconds=20 * 60, min_bytes=25 * MIB)
WANTED = Verdict(blank=False, skip=None)


@pytest.mark.parametrize(
    ("seconds", "size", "verdict"),
    [
        (1200, 25 * MIB, WANTED),
        (1199, 25 * MIB, Verdict(blank=True, skip=BLANK)),
        (1200, 25 * MIB - 1, Verdict(blank=True, skip=BLANK)),
        (None, 25 * MIB, WANTED),
        (1200, None, WANTED),
        (None, 1, Verdict(blank=True, skip=BLANK)),
    ],
)
def test_blank_is_below_20_minutes_or_25_mib(
    seconds: int | None, size: int | None, verdict: Verdict
) -> None:
    assert judge(USUAL, seconds, size) == verdict


def test_both_bounds_of_a_source_belong_to_the_range() -> None:
    own = Bounds(300, 0, max_seconds=600, own_minimum=True)
    assert [judge(own, seconds, 1).skip for seconds in (299, 300, 600, 601)] == [
        TOO_SHORT,
        None,
        None,
        TOO_LONG,
    ]
    assert judge(own, 299, 1).blank
    assert not judge(own, 601, 1).blank


def test_blank_ones_may_be_wanted() -> None:
    taken = replace(USUAL, skip_blank=False, max_seconds=3600)
    assert judge(taken, 60, 5) == Verdict(blank=True, skip=None)
    assert judge(taken, 3601, 5) == Verdict(blank=True, skip=TOO_LONG)


def test_looks_come_at_growing_gaps_and_end_after_a_day() -> None:
    age, gaps = timedelta(), []
    while (gap := next_look(age)) is not None:
        gaps.append(gap)
        age += gap
    assert age == GIVE_UP_AFTER
    assert 8 <= len(gaps) <= 24
    assert gaps[0] == timedelta(minutes=5)
    assert gaps[:-1] == sorted(gaps[:-1])
    assert next_look(timedelta(days=400)) is None
    assert [gap_after(failures) for failures in range(len(gaps) + 2)] == [*gaps, None, None]
