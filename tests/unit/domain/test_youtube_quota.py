"""Days of the Pacific, on those when clocks are moved too; what fits into them, and when."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from leap_pipeline.domain.youtube_quota import (
    GRACE,
    SPREAD,
    VIDEO,
    Limits,
    Step,
    back_at,
    begin_of,
    closed_until,
    days_of,
    kept_back,
    next_reset,
    pacific_day,
    project_of,
)

THUMBNAIL, CAPTIONS = Step("thumbnail", 50, 1), Step("captions", 450, 3)
FULL = Limits()
TICK = timedelta(microseconds=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("at", "day", "reset"),
    [
        # Pacific standard time: UTC-8.
        (utc(2026, 11, 23, 7, 59, 59), date(2026, 11, 22), utc(2026, 11, 23, 8)),
        (utc(2026, 11, 23, 8), date(2026, 11, 23), utc(2026, 11, 24, 8)),
        # Daylight-saving time: UTC-7.
        (utc(2026, 7, 1, 6, 59), date(2026, 6, 30), utc(2026, 7, 1, 7)),
        # 8 March 2026 has 23 hours: it begins at UTC-8 and ends at UTC-7.
        (utc(2026, 3, 8, 8), date(2026, 3, 8), utc(2026, 3, 9, 7)),
        (utc(2026, 3, 8, 9, 59), date(2026, 3, 8), utc(2026, 3, 9, 7)),
        (utc(2026, 3, 8, 10), date(2026, 3, 8), utc(2026, 3, 9, 7)),
        (utc(2026, 3, 9, 6, 59), date(2026, 3, 8), utc(2026, 3, 9, 7)),
        # 1 November 2026 has 25 hours.
        (utc(2026, 11, 1, 7), date(2026, 11, 1), utc(2026, 11, 2, 8)),
        (utc(2026, 11, 1, 9, 30), date(2026, 11, 1), utc(2026, 11, 2, 8)),
        (utc(2026, 11, 2, 7, 59), date(2026, 11, 1), utc(2026, 11, 2, 8)),
    ],
)
def test_a_day_is_one_of_the_pacific(at: datetime, day: date, reset: datetime) -> None:
    assert pacific_day(at) == day
    assert next_reset(at) == reset


def test_every_moment_of_two_years_is_in_the_day_whose_midnights_enclose_it() -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(730)]
    lengths = Counter((begin_of(after) - begin_of(day)) for day, after in pairwise(days))
    assert lengths == {
        timedelta(hours=24): 725,
        timedelta(hours=23): 2,
        timedelta(hours=25): 2,
    }
    for day, after in pairwise(days):
        for at in (begin_of(day), begin_of(after) - TICK):
            assert (pacific_day(at), next_reset(at)) == (day, begin_of(after))


def test_a_refusal_closes_the_day_unless_it_may_be_of_the_day_before() -> None:
    midnight = utc(2026, 11, 23, 8)
    assert closed_until(midnight - TICK) == midnight
    assert closed_until(midnight) == midnight + GRACE
    assert closed_until(midnight + GRACE - TICK) == midnight + GRACE
    assert closed_until(midnight + GRACE) == utc(2026, 11, 24, 8)


def test_what_waits_for_the_same_moment_does_not_come_back_together() -> None:
    opens, dice = utc(2026, 11, 23, 8), random.Random(5)
    found = [back_at(opens, dice.uniform) for _ in range(50)]
    assert min(found) >= opens
    assert max(found) <= opens + SPREAD
    assert len(set(found)) == 50
    assert max(found) - min(found) > SPREAD / 2


@pytest.mark.parametrize(
    ("project_id", "client_id", "project"),
    [
        ("lectures", None, "lectures"),
        (None, "407408718192-ab.apps.googleusercontent.com", "407408718192"),
        ("lectures", "407408718192-ab.apps.googleusercontent.com", "407408718192"),
        (None, "407408718192.apps.googleusercontent.com", "407408718192"),
        ("lectures", "an-app", "lectures"),
        (None, "an-app", None),
        (None, None, None),
    ],
)
def test_a_project_is_known_by_its_number(
    project_id: str | None, client_id: str | None, project: str | None
) -> None:
    assert project_of(project_id, client_id) == project


def test_what_comes_first_is_kept_back_from_what_comes_later() -> None:
    needs = [(THUMBNAIL, 4), (CAPTIONS, 3)]
    assert [kept_back(needs, priority) for priority in range(5)] == [0, 0, 200, 200, 1550]


def test_sixty_lectures_take_a_day_to_upload_and_three_for_their_captions() -> None:
    found = days_of(60, {}, (THUMBNAIL, CAPTIONS), FULL, FULL)
    # Thumbnails take 3,000 units of the first day: 15 captions fit beside them.
    assert found == {VIDEO: {0: 60}, "thumbnail": {0: 60}, "captions": {0: 15, 1: 22, 2: 22, 3: 1}}


def test_videos_come_before_what_stands_beside_them() -> None:
    found = days_of(230, {THUMBNAIL: 5}, (THUMBNAIL,), Limits(0, 40), FULL)
    assert found[VIDEO] == {1: 100, 2: 100, 3: 30}
    assert found["thumbnail"] == {1: 105, 2: 100, 3: 30}
    assert sum(found["thumbnail"].values()) == 235


def test_what_fits_into_no_day_is_on_none() -> None:
    assert days_of(1, {CAPTIONS: 1}, (), FULL, Limits(100, 449)) == {
        VIDEO: {0: 1},
        "captions": {0: 1},
    }
    assert days_of(0, {CAPTIONS: 1}, (), Limits(0, 449), Limits(100, 449)) == {VIDEO: {}}
    assert days_of(2, {}, (), Limits(-3, -3), Limits(0, 0)) == {VIDEO: {}}


def test_no_day_is_given_more_than_it_has() -> None:
    dice = random.Random(8)
    for _ in range(200):
        left = Limits(dice.randint(0, 100), dice.randint(0, 10_000))
        videos, pending = dice.randint(0, 300), {CAPTIONS: dice.randint(0, 90)}
        found = days_of(videos, pending, (THUMBNAIL, CAPTIONS), left, FULL)
        assert sum(found[VIDEO].values()) == videos
        assert sum(found.get("captions", {}).values()) == videos + pending[CAPTIONS]
        uploaded, thumbnails = 0, 0
        for day in range(max(max(each, default=0) for each in found.values()) + 1):
            room = left if day == 0 else FULL
            units = sum(
                step.units * found.get(step.kind, {}).get(day, 0) for step in (THUMBNAIL, CAPTIONS)
            )
            assert units <= room.units
            assert found[VIDEO].get(day, 0) <= room.inserts
            uploaded += found[VIDEO].get(day, 0)
            thumbnails += found.get("thumbnail", {}).get(day, 0)
            assert thumbnails <= uploaded
