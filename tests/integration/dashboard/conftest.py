"""Fixtures of the console's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leap_pipeline.db.engine import Database
from leap_pipeline.settings import Settings
from tests.support.accounts import cheap_logins
from tests.support.console import Desk, make_desk


@pytest.fixture
def desk(database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A console with nobody in it yet, whose passwords cost little."""
    with cheap_logins(monkeypatch):
        yield make_desk(database, settings, monkeypatch)
