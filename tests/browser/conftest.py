"""Fixtures of the tests in a real browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support import browsers


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with browsers.browser() as opened:
        yield opened
