"""Fixtures for every test: settings of a home of its own, and databases of a real server."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from leap_pipeline.db.engine import Database
from leap_pipeline.settings import Settings
from tests.support import postgres
from tests.support.postgres import TestServer

# What a developer's shell may hold and a test must not see.
FOREIGN = ("LEAP_", "DAGSTER_", "PG")


def pytest_configure() -> None:
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        del os.environ[name]
    # As many tests run at once as there are cores, and more.
    os.environ["LEAP_WHISPER_THREADS"] = "1"


def pytest_collection() -> None:
    gc.disable()


def pytest_collection_finish() -> None:
    """Thousands of tests stay to the end: garbage is looked for among what comes after them."""
    gc.freeze()
    gc.enable()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter is not None else []
    if session.config.getoption("--no-skips") and skipped and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def main_module() -> Iterator[None]:
    """An AppTest leaves its script as `__main__`, which processes started later would run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[TestServer]:
    """The embedded PostgreSQL that all tests of this process share."""
    with postgres.server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres15() -> Iterator[TestServer]:
    """The operating system's PostgreSQL 15."""
    binaries = postgres.system_binaries(15)
    if binaries is None:
        pytest.skip("PostgreSQL 15 is not installed (/usr/lib/postgresql/15/bin)")
    with postgres.server(binaries) as server:
        yield server


@pytest.fixture(params=["embedded", "15"])
def any_server(request: pytest.FixtureRequest) -> TestServer:
    """The embedded server, then PostgreSQL 15: for what must hold on both."""
    name = "postgres_server" if request.param == "embedded" else "postgres15"
    server: TestServer = request.getfixturevalue(name)
    return server


@pytest.fixture
def empty_database_url(postgres_server: TestServer) -> Iterator[URL]:
    """A database with nothing in it; no migration has run."""
    with postgres_server.database(migrated=False) as url:
        yield url


@pytest.fixture
def database_url(postgres_server: TestServer) -> Iterator[URL]:
    """A database of its own with all migrations, as the owner role."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, database_url: URL) -> Settings:
    """A home and a storage under `tmp_path`, and a migrated database."""
    return Settings(
        home=tmp_path / "home",
        storage_root=tmp_path / "storage",
        database_url=database_url.render_as_string(hide_password=False),
    )


@pytest.fixture
def database(database_url: URL) -> Iterator[Database]:
    """The same database, opened as servers open it."""
    opened = Database(postgres.urls_of(database_url), pooled=True)
    yield opened
    opened.dispose()
