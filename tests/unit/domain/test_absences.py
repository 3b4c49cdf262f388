"""When a video that cannot be found may be sent again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leap_pipeline.domain.absences import look_due
from leap_pipeline.domain.states import Platform

Y, V = Platform.YOUTUBE, Platform.VK
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize("platform", Platform)
def test_without_its_last_bytes_no_video_can_be_there(platform: Platform) -> None:
    assert look_due(platform, None, 0, None) is None
    assert look_due(platform, None, 1, AT) is None


@pytest.mark.parametrize("platform", Platform)
def test_what_may_be_there_is_looked_for_at_once(platform: Platform) -> None:
    assert look_due(platform, AT, 0, None) == AT


@pytest.mark.parametrize(("platform", "minutes"), [(Y, [10, 30]), (V, [5])])
def test_it_is_looked_for_until_nothing_was_found_often_enough(
    platform: Platform, minutes: list[int]
) -> None:
    for absences, gap in enumerate(minutes, start=1):
        assert look_due(platform, AT, absences, AT) == AT + gap * MINUTE
    assert look_due(platform, AT, len(minutes) + 1, AT) is None


def test_the_looks_count_from_each_other_however_long_ago_the_bytes_went_out() -> None:
    """They may have been sent once more since."""
    closed = AT - timedelta(days=3)
    assert look_due(Y, closed, 1, AT) == AT + 10 * MINUTE
    assert look_due(Y, closed, 2, AT) == AT + 30 * MINUTE


def test_what_is_held_against_a_late_list_is_forty_minutes() -> None:
    now, absences, absent_at = AT, 0, None
    while (due := look_due(Y, AT, absences, absent_at)) is not None:
        now = max(now, due)
        absences, absent_at = absences + 1, now
    assert now - AT == 40 * MINUTE
