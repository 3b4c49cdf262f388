"""How an account is, by what may be shown of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leap_pipeline.domain.account_health import SOON, Health, ends_at, health_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def ending(after: timedelta, **more: str) -> dict[str, str]:
    return {"access_token": "…abcd", "expires_at": (NOW + after).isoformat(), **more}


@pytest.mark.parametrize(
    ("details", "is_active", "is_refused", "expected"),
    [
        (None, True, False, Health.UNREADABLE),
        (None, False, True, Health.UNREADABLE),
        ({}, False, True, Health.REFUSED),
        ({}, False, False, Health.OFF),
        ({"api_key": "…"}, True, False, Health.ACTIVE),
        (ending(-timedelta(seconds=1)), True, False, Health.EXPIRED),
        (ending(timedelta(0)), True, False, Health.EXPIRED),
        (ending(SOON), True, False, Health.EXPIRES_SOON),
        (ending(SOON + timedelta(seconds=1)), True, False, Health.ACTIVE),
        (ending(-timedelta(days=1), refresh_token="…"), True, False, Health.ACTIVE),
    ],
)
def test_the_first_that_holds_counts(
    details: dict[str, str] | None, is_active: bool, is_refused: bool, expected: Health
) -> None:
    found = health_of(details, is_active=is_active, is_refused=is_refused, now=NOW)
    assert found is expected


def test_what_renews_itself_does_not_end() -> None:
    assert ends_at(ending(SOON)) == NOW + SOON
    assert ends_at(ending(SOON, refresh_token="…")) is None
    assert ends_at({}) is None
    assert ends_at(None) is None
