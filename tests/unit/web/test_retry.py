"""Every form in which servers say when they want to be asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leap_pipeline.web.retry import FARTHEST, retry_at

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": " 7.2 "}, 8),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "Mon, 23 Nov 2026 01:00:30 GMT"}, 30),
        ({"retry-after": "2026-11-23T02:00:00Z"}, 3600),
        ({"retry-after": "2026-11-23T02:00:00.5+01:00"}, 0.5),
        ({"retry-after": "2026-11-23T01:01:00"}, 60),
        ({"retry-after": "2026-11-22T01:00:00Z"}, 0),
        ({"retry-after": "999999999999"}, FARTHEST.total_seconds()),
        ({"x-ratelimit-reset": f"{NOW.timestamp() + 2:.0f}"}, 2),
        ({"retry-after": "3", "x-ratelimit-reset": f"{NOW.timestamp() + 2:.0f}"}, 3),
        ({"retry-after": "soon", "x-ratelimit-reset": f"{NOW.timestamp() + 2:.0f}"}, 2),
    ],
    ids=lambda value: "" if isinstance(value, int | float) else "+".join(value.values()),
)
def test_every_form_is_a_moment(headers: dict[str, str], seconds: float) -> None:
    assert retry_at(headers, NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "-5", "1e9", "99999999999999999999", "2026-99-01"])
def test_nonsense_is_no_moment(text: str) -> None:
    assert retry_at({"retry-after": text, "x-ratelimit-reset": text}, NOW) is None
