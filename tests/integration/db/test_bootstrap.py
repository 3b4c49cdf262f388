"""`prepare`: from nothing, again, many at once, and what it says where it cannot."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from leap_pipeline.db import migrate
from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import DatabaseUrls, connect
from leap_pipeline.errors import TransientError, UserActionError
from leap_pipeline.settings import Settings
from tests.support.postgres import TestServer

PREPARED_SECONDS = 0.5


def settings_for(url: URL, home: Path) -> Settings:
    return Settings(home=home, database_url=url.render_as_string(hide_password=False))


@pytest.fixture
def unmade(any_server: TestServer) -> Iterator[URL]:
    """The URL of a database that is not there, on a server where it may be made."""
    name = f"unmade_{time.monotonic_ns()}"
    yield any_server.admin.set(database=name)
    any_server.drop(name)
    any_server.drop(f"{name}_dagster")


def test_prepares_from_nothing_and_then_changes_nothing(unmade: URL, tmp_path: Path) -> None:
    settings = settings_for(unmade, tmp_path)
    urls = prepare(settings)
    assert migrate.is_current(urls)
    with Database(urls).system() as session:
        assert session.scalar(text("SELECT current_user")) == "leap_system"
    with connect(urls.dagster) as connection:
        assert connection.info.dbname == f"{unmade.database}_dagster"
    # The server's own housekeeping writes now and then.
    assert 0 in [writes_of_another_start(settings, urls) for _ in range(3)]


def writes_of_another_start(settings: Settings, urls: DatabaseUrls) -> int:
    before = transactions(urls.application)
    assert prepare(settings) == urls
    return transactions(urls.application) - before


def transactions(url: URL) -> int:
    """A number that grows with every transaction that writes."""
    with connect(url) as connection:
        query = "SELECT txid_snapshot_xmax(txid_current_snapshot())"
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def test_a_prepared_database_costs_little(settings: Settings) -> None:
    prepare(settings)
    seconds = []
    for _ in range(5):
        begun = time.monotonic()
        prepare(settings)
        seconds.append(time.monotonic() - begun)
    assert min(seconds) < PREPARED_SECONDS, seconds


def test_four_at_once_prepare_one_database(unmade: URL, tmp_path: Path) -> None:
    settings = settings_for(unmade, tmp_path)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(prepare, [settings] * 4))
    assert len(set(results)) == 1
    assert migrate.is_current(results[0])


def test_embedded_server_is_started_and_prepared(made_home: Settings) -> None:
    urls = prepare(made_home)
    assert (urls.application.database, urls.dagster.database) == ("leap", "leap_dagster")
    assert migrate.is_current(urls)


def test_database_that_may_not_be_made_is_said_in_a_sentence(
    any_server: TestServer, tmp_path: Path
) -> None:
    with connect(any_server.superuser) as connection:
        connection.execute("CREATE ROLE leap_test_guest LOGIN PASSWORD 'guest'")
        try:
            url = any_server.admin.set(
                username="leap_test_guest", password="guest", database="not_there"
            )
            with pytest.raises(UserActionError, match=r"not_there: create it.*leap_test_guest"):
                prepare(settings_for(url, tmp_path))
        finally:
            connection.execute("DROP ROLE leap_test_guest")


def test_wrong_password_is_said_in_a_sentence(any_server: TestServer, tmp_path: Path) -> None:
    url = any_server.admin.set(password="s3cret-but-wrong")
    with pytest.raises(UserActionError, match="refuses the password of leap_owner") as caught:
        prepare(settings_for(url, tmp_path))
    assert "s3cret" not in str(caught.value)


def test_unknown_user_is_said_in_a_sentence(any_server: TestServer, tmp_path: Path) -> None:
    url = any_server.admin.set(username="leap_unknown")
    with pytest.raises(UserActionError, match="leap_unknown"):
        prepare(settings_for(url, tmp_path))


def test_absent_server_is_a_transient_error(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        url = URL.create("postgresql", "me", "s3cret", "127.0.0.1", port, "leap")
        with pytest.raises(
            TransientError, match=rf"127\.0\.0\.1:{port}.*cannot be reached"
        ) as caught:
            prepare(settings_for(url, tmp_path))
    assert "s3cret" not in str(caught.value)


def test_unknown_host_is_a_transient_error(tmp_path: Path) -> None:
    url = URL.create("postgresql", "me", "x", "no-such-host.invalid", 5432, "leap")
    with pytest.raises(TransientError, match=r"no-such-host\.invalid:5432"):
        prepare(settings_for(url, tmp_path))


def test_other_encodings_are_refused(any_server: TestServer, tmp_path: Path) -> None:
    with connect(any_server.admin) as connection:
        connection.execute(
            "CREATE DATABASE leap_test_latin TEMPLATE template0 ENCODING 'SQL_ASCII'"
            " LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    try:
        url = any_server.admin.set(database="leap_test_latin")
        with pytest.raises(UserActionError, match="encoded as SQL_ASCII"):
            prepare(settings_for(url, tmp_path))
    finally:
        any_server.drop("leap_test_latin")
