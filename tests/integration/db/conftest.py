"""A home of its own for tests that start, stop and kill the embedded server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.settings import Settings
from tests.support.homes import home_settings


@pytest.fixture
def own_home() -> Iterator[Settings]:
    """Nothing is in it yet."""
    with home_settings() as settings:
        yield settings


@pytest.fixture(scope="session")
def home_of_the_session() -> Iterator[Settings]:
    with home_settings() as settings:
        EmbeddedServer(settings).ensure_running()
        yield settings


@pytest.fixture
def made_home(home_of_the_session: Settings) -> Settings:
    """Its server is made and stopped; tests share it, so they leave no table behind."""
    EmbeddedServer(home_of_the_session).stop()
    return home_of_the_session
