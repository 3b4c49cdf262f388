"""Single steps, the lock and the time-outs around them, and time zones."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from leap_pipeline.db import migrate, migration_lock
from leap_pipeline.db.bootstrap import newest_migration
from leap_pipeline.db.urls import connect
from leap_pipeline.errors import TransientError, UserActionError
from tests.support import rows
from tests.support.catalogue import Facts, facts
from tests.support.postgres import TestServer, urls_of

IDS = [f"{number:03d}" for number in range(1, int(migrate.head() or 0) + 1)]


@pytest.fixture
def url(any_server: TestServer) -> Iterator[URL]:
    with any_server.database(migrated=False) as found:
        yield found


def facts_of(url: URL) -> Facts:
    with migrate.connected(url) as connection:
        return facts(connection)


def test_each_step_down_undoes_its_step_up(url: URL) -> None:
    urls = urls_of(url)
    shapes = [facts_of(url)]
    for revision in IDS:
        migrate.upgrade(urls, "+1")
        assert migrate.current(urls) == revision
        shapes.append(facts_of(url))
    for shape in shapes[-2::-1]:
        migrate.downgrade(urls, "-1")
        assert facts_of(url) == shape
    assert migrate.current(urls) is None
    migrate.upgrade(urls)
    assert facts_of(url) == shapes[-1]


def test_history_is_the_ten_of_the_design_and_ours() -> None:
    assert [one.id for one in migrate.history()] == IDS
    assert [one.previous for one in migrate.history()] == [None, *IDS[:-1]]
    assert migrate.head() == newest_migration() == IDS[-1]


def test_several_migrators_at_once_migrate_once(empty_database_url: URL) -> None:
    urls = urls_of(empty_database_url)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(migrate.upgrade, [urls] * 3))
    assert migrate.is_current(urls)


def test_a_migrator_waits_for_the_one_that_has_the_lock(empty_database_url: URL) -> None:
    urls = urls_of(empty_database_url)
    with migrate.connected(empty_database_url) as first:
        with migration_lock.migrating(first):
            second = threading.Thread(target=migrate.upgrade, args=[urls])
            second.start()
            await_waiter(empty_database_url)
            assert migrate.current(urls) is None
        second.join(timeout=60)
    assert migrate.is_current(urls)


def await_waiter(url: URL) -> None:
    query = """
        SELECT count(*) FROM pg_locks
        WHERE locktype = 'advisory' AND NOT granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    until = time.monotonic() + 30
    with connect(url) as connection:
        while connection.execute(query).fetchone() != (1,):
            assert time.monotonic() < until, "nobody waits for the migration lock"
            time.sleep(0.02)


def test_a_migrator_that_waits_too_long_says_so(
    database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_lock, "WAIT_FOR_OTHERS", "100ms")
    with (
        migrate.connected(database_url) as first,
        migration_lock.migrating(first),
        pytest.raises(TransientError, match="Another migration"),
    ):
        migrate.upgrade(urls_of(database_url))


def test_a_table_in_use_stops_the_migration_and_changes_nothing(
    database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_lock, "LOCK_TIMEOUT", "200ms")
    before = facts_of(database_url)
    with connect(database_url) as worker:
        worker.execute("BEGIN")
        for table in before["tables"]:
            worker.execute(f"LOCK TABLE {table} IN ACCESS SHARE MODE".encode())
        with pytest.raises(TransientError, match="in use"):
            migrate.downgrade(urls_of(database_url), "-1")
    assert facts_of(database_url) == before
    assert migrate.is_current(urls_of(database_url))
    migrate.downgrade(urls_of(database_url), "-1")


def test_a_failed_step_leaves_the_steps_before_it(database_url: URL) -> None:
    """One transaction each: those after 010 are undone for good, 010 not at all."""
    with connect(database_url) as connection:
        connection.execute("CREATE VIEW sight AS SELECT created_at FROM users")
    with pytest.raises(Exception, match="view or rule"):
        migrate.downgrade(urls_of(database_url), "001")
    assert migrate.current(urls_of(database_url)) == "010"
    assert facts_of(database_url)["tables"]["users"]["columns"]["updated_at"][0] == (
        "timestamp with time zone"
    )


def test_an_unknown_revision_is_said_in_a_sentence(database_url: URL) -> None:
    with pytest.raises(UserActionError, match=r"999.*leap db history"):
        migrate.upgrade(urls_of(database_url), "999")


# Offsets of 5:45, and summer time: 02:30 on the 8th of March does not exist in New York.
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/New_York"])
def test_naive_times_are_utc_whatever_the_session_says(url: URL, zone: str) -> None:
    urls = urls_of(url)
    migrate.upgrade(urls, "009")
    with connect(url) as connection:
        connection.execute(f"ALTER DATABASE \"{url.database}\" SET TimeZone = '{zone}'")
    insert = text(
        "INSERT INTO users (id, user_slug, email, hashed_password, last_login_at)"
        " VALUES (:id, 1, 'a@b', 'x', '2026-03-08 02:30:00.123456')"
    )
    with migrate.connected(url) as connection:
        assert connection.scalar(text("SHOW TimeZone")) == zone
        connection.execute(insert, {"id": rows.USER})
        connection.commit()
    migrate.upgrade(urls)
    with migrate.connected(url) as connection:
        born, login = connection.execute(text("SELECT created_at, last_login_at FROM users")).one()
    assert login == datetime(2026, 3, 8, 2, 30, 0, 123456, tzinfo=UTC)
    assert abs(datetime.now(UTC) - born) < timedelta(minutes=1)
    migrate.downgrade(urls, "009")
    with migrate.connected(url) as connection:
        naive = connection.scalar(text("SELECT last_login_at FROM users"))
    assert naive == datetime(2026, 3, 8, 2, 30, 0, 123456)  # noqa: DTZ001


def test_making_times_aware_writes_no_table_anew(url: URL) -> None:
    migrate.upgrade(urls_of(url), "009")
    query = "SELECT relname, relfilenode FROM pg_class WHERE relname IN ('recordings', 'users')"
    with connect(url) as connection:
        before = connection.execute(query).fetchall()
        migrate.upgrade(urls_of(url), "010")
        assert connection.execute(query).fetchall() == before
