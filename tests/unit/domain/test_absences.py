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


@pytest.mark.parametrize(("platform", "minutes"), [(Y, 40), (V, 5)])
def test_two_looks_with_time_between_them_must_find_nothing(
    platform: Platform, minutes: int
) -> None:
    """They count from each other: the bytes may have been sent once more since."""
    closed = AT - timedelta(days=3)
    assert look_due(platform, closed, 1, AT) == AT + minutes * MINUTE
    assert look_due(platform, closed, 2, AT) is None
