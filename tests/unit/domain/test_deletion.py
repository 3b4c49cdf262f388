"""A user's days of retention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leap_pipeline.domain.deletion import expire_at, hard_delete_at
from leap_pipeline.domain.shapes.accounts import Retention

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize(("days", "told"), [(None, 30), (0, 0), (7, 7)])
def test_how_long_a_deleted_recording_can_be_restored(days: int | None, told: int) -> None:
    assert hard_delete_at(Retention(restore_days=days), NOW) == NOW + timedelta(days=told)


def test_recordings_expire_only_where_a_user_says_so() -> None:
    assert expire_at(Retention(), NOW) is None
    assert expire_at(Retention(expire_after_days=365), NOW) == NOW + timedelta(days=365)
