"""Where a person comes from."""

from __future__ import annotations

import pytest

from leap_pipeline.domain.addresses import LONGEST_AGENT, Origin, counted_as


@pytest.mark.parametrize(
    ("given", "stored", "counted"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:1::2", "2001:db8:0:1::2", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::1", "fe80::/64"),
        (None, None, None),
        ("", None, None),
        ("192.0.2.7:443", None, None),
        ("192.0.2.7, 10.0.0.1", None, None),
        ("'; DROP TABLE users", None, None),
        ("\ud800", None, None),
    ],
)
def test_an_address_as_it_is_stored_and_counted(
    given: str | None, stored: str | None, counted: str | None
) -> None:
    assert Origin.of(given, None) == Origin(stored, None)
    assert counted_as(given) == counted


def test_a_user_agent_is_printable_and_bounded() -> None:
    assert Origin.of(None, "Fire\0fox\n\ud800 1") == Origin(None, "Firefox 1")
    assert Origin.of(None, "") == Origin()
    assert len(Origin.of(None, "x" * 9999).user_agent or "") == LONGEST_AGENT
