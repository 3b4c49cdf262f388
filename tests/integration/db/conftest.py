"""A home of its own for tests that start, stop and kill the embedded server."""

from __future__ import annotations

import subprocess
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
def stopped_home() -> Iterator[Settings]:
    """A server that was made and stopped; only to be copied."""
    with home_settings() as settings:
        server = EmbeddedServer(settings)
        server.ensure_running()
        server.stop()
        yield settings


@pytest.fixture
def made_home(stopped_home: Settings) -> Iterator[Settings]:
    """A home of its own whose server is made, but does not run."""
    with home_settings() as settings:
        subprocess.run(["cp", "-a", stopped_home.home, settings.home], check=True)
        yield settings
