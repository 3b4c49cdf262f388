"""Fixtures of the tests in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support import browsers


# Not for the session: Playwright keeps an event loop running, where Dagster wants to run its own.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsers.browser() as opened:
        yield opened
