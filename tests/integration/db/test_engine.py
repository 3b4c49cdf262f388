"""Transactions and the roles they take, against real servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import connect
from leap_pipeline.errors import DataError, TransientError, UserActionError
from tests.support.homes import wait_for
from tests.support.postgres import TestServer, urls_of

ANNA, BORIS = "01JAAAAAAAAAAAAAAAAAAAAAAA", "01JBBBBBBBBBBBBBBBBBBBBBBB"
FACTS = text(
    "SELECT current_user, session_user, (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE"
    " rolname = current_user), current_setting('leap.user_id', true), current_setting('TimeZone')"
)


@pytest.fixture
def migrated(any_server: TestServer) -> Iterator[URL]:
    with any_server.database() as url:
        yield url


@pytest.fixture
def pooled(database_url: URL) -> Iterator[Database]:
    opened = Database(urls_of(database_url), pooled=True)
    yield opened
    opened.dispose()


def facts(session: Session) -> tuple[object, ...]:
    return tuple(session.execute(FACTS).one())


@pytest.mark.parametrize("pooled", [False, True])
def test_transactions_take_their_role_and_tenant(migrated: URL, *, pooled: bool) -> None:
    database = Database(urls_of(migrated), pooled=pooled)
    with database.tenant(ANNA) as session:
        assert facts(session) == ("leap_app", "leap_owner", False, ANNA, "UTC")
    with database.system() as session:
        assert facts(session) == ("leap_system", "leap_owner", False, "", "UTC")
    with database.tenant(BORIS) as session:
        assert facts(session) == ("leap_app", "leap_owner", False, BORIS, "UTC")
    database.dispose()


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_role_and_tenant_end_with_the_transaction(pooled: Database, end: str) -> None:
    with pooled.tenant(ANNA) as session:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
        if end == "rollback":
            session.rollback()
    with pooled._engine.connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) == backend
        role, _, _, user_id, _ = connection.execute(FACTS).one()
        assert (role, user_id or "") == ("leap_owner", "")


def test_an_exception_rolls_back(pooled: Database) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        write_and_stop(pooled)
    with pooled.system() as session:
        assert session.scalar(text("SELECT to_regclass('written')")) is None
        assert session.scalar(text("SELECT pg_try_advisory_xact_lock(42)")) is True


def write_and_stop(database: Database) -> None:
    with database.system() as session:
        session.execute(text("SELECT pg_advisory_xact_lock(42)"))
        session.execute(text("CREATE TEMPORARY TABLE written (n int)"))
        msg = "stop"
        raise RuntimeError(msg)


def test_a_tenant_needs_a_name(database: Database) -> None:
    with pytest.raises(DataError, match="without a user"), database.tenant(""):
        pytest.fail("no transaction may begin")


def test_unpooled_holds_no_connection_between_transactions(
    database: Database, postgres_server: TestServer
) -> None:
    with Database(database.urls).system() as session:
        mine = session.scalar(text("SELECT pg_backend_pid()"))
    query = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
    with connect(postgres_server.superuser) as connection:
        wait_for(
            lambda: connection.execute(query, [mine]).fetchone() is None,
            seconds=5,
            what="the connection's end",
        )


def test_pooled_connection_that_broke_is_replaced_unseen(
    pooled: Database, postgres_server: TestServer
) -> None:
    with pooled.system() as session:
        backend = session.scalar(text("SELECT pg_backend_pid()"))
    terminate(postgres_server, backend)
    with pooled.system() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != backend


def test_connection_that_breaks_inside_is_a_transient_error(
    database: Database, postgres_server: TestServer
) -> None:
    with pytest.raises(TransientError, match="broke: try again"):
        break_inside(database, postgres_server)


def break_inside(database: Database, server: TestServer) -> None:
    with database.system() as session:
        terminate(server, session.scalar(text("SELECT pg_backend_pid()")))
        session.execute(text("SELECT 1"))


def test_a_lost_lock_is_a_transient_error(database: Database) -> None:
    with database.lock_connection() as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        with pytest.raises(TransientError, match="lost to another one"):
            wait_shortly_for_seven(database)


def wait_shortly_for_seven(database: Database) -> None:
    with database.system() as session:
        session.execute(text("SET LOCAL lock_timeout = '50ms'"))
        session.execute(text("SELECT pg_advisory_xact_lock(7)"))


def test_a_busy_pool_is_a_transient_error(
    pooled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooled._engine.pool, "_timeout", 0.05)
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(pooled.system())
        with pytest.raises(TransientError, match="All connections"), pooled.system():
            pytest.fail("no transaction may begin")


def test_lock_connection_is_direct_named_and_kept_alive(database: Database) -> None:
    with database.lock_connection() as connection:
        assert connection.autocommit
        assert connection.prepare_threshold is None
        row = connection.execute(
            "SELECT current_user, current_setting('application_name')"
        ).fetchone()
        assert row == ("leap_owner", "leap-lock")
        assert connection.info.get_parameters()["keepalives_idle"] == "10"


def test_lock_is_freed_when_its_connection_drops(
    database: Database, postgres_server: TestServer
) -> None:
    with database.lock_connection() as holder, database.lock_connection() as other:
        holder.execute("SELECT pg_advisory_lock(9)")
        assert other.execute("SELECT pg_try_advisory_lock(9)").fetchone() == (False,)
        terminate(postgres_server, holder.info.backend_pid)
        assert other.execute("SELECT pg_advisory_lock(9)").fetchone() is not None
        with pytest.raises(psycopg.OperationalError):
            holder.execute("SELECT 1")


def test_missing_role_is_said_in_a_sentence(database: Database) -> None:
    with (
        pytest.raises(UserActionError, match="has no role leap_nobody: run `leap db upgrade`"),
        database._transaction("leap_nobody", ""),
    ):
        pytest.fail("no transaction may begin")


def test_role_that_was_not_granted_is_said_in_a_sentence(
    migrated: URL, any_server: TestServer
) -> None:
    login = migrated.set(username="leap_test_outsider", password="outside")
    with connect(any_server.superuser) as connection:
        connection.execute("CREATE ROLE leap_test_outsider LOGIN PASSWORD 'outside'")
        try:
            with (
                pytest.raises(UserActionError, match="leap_test_outsider may not act as leap_app"),
                Database(urls_of(login)).tenant(ANNA),
            ):
                pytest.fail("no transaction may begin")
        finally:
            connection.execute("DROP ROLE leap_test_outsider")


def terminate(server: TestServer, backend: object) -> None:
    with connect(server.superuser) as connection:
        done = connection.execute("SELECT pg_terminate_backend(%s)", [backend]).fetchone()
        assert done == (True,)
