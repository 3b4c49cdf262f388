"""No tenant sees, changes or finds out anything of another one's, in any table there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Table, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from leap_pipeline.db import migrate
from leap_pipeline.db.engine import Database
from leap_pipeline.db.metadata import metadata
from leap_pipeline.db.row_security import TABLES, gaps, policies_of
from leap_pipeline.db.urls import plain
from tests.support import postgres
from tests.support.postgres import TestServer, login
from tests.support.tenants import ADA, BOB, ID_LISTS, World, leaks, populate

ALL = metadata.sorted_tables
NAMES = [table.name for table in ALL]
POLICIES = [(name, policy) for name in NAMES for policy in policies_of(TABLES[name])]


@dataclass
class Place:
    url: URL
    connection: psycopg.Connection[Any]
    world: World


@contextmanager
def place(server: TestServer) -> Iterator[Place]:
    with (
        server.database() as url,
        psycopg.connect(plain(url), autocommit=True) as connection,
    ):
        yield Place(url, connection, populate(connection))


@pytest.fixture(scope="module")
def embedded(postgres_server: TestServer) -> Iterator[Place]:
    with place(postgres_server) as found:
        yield found


@pytest.fixture(scope="module")
def on_15(postgres15: TestServer) -> Iterator[Place]:
    with place(postgres15) as found:
        yield found


@pytest.mark.parametrize("table", ALL, ids=NAMES)
@pytest.mark.parametrize("where", ["embedded", "on_15"])
def test_nothing_leaks(request: pytest.FixtureRequest, where: str, table: Table) -> None:
    found: Place = request.getfixturevalue(where)
    assert list(leaks(found.connection, table, found.world)) == []


@pytest.mark.parametrize(("name", "policy"), POLICIES)
def test_no_policy_can_go_unnoticed(embedded: Place, name: str, policy: str) -> None:
    changed(embedded, name, f"DROP POLICY {policy} ON {name}")


@pytest.mark.parametrize("name", NAMES)
def test_row_security_cannot_go_unnoticed(embedded: Place, name: str) -> None:
    # Where the application's role has no rights there is nothing to leak.
    leaky = bool(TABLES[name].commands)
    found = changed(embedded, name, f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY", leaky=leaky)
    assert f"{name} has no row security that holds for its owner too" in found
    found = changed(embedded, name, f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY", leaky=False)
    assert f"{name} has no row security that holds for its owner too" in found


def has_to_have_a_parent(name: str) -> bool:
    return any(
        "user_id" in key.column.table.columns and not key.parent.nullable
        for key in metadata.tables[name].foreign_keys
    )


# A row that must have a parent cannot be put in for another tenant, even without a policy.
OPENED = [
    (name, policy)
    for name, policy in POLICIES
    if policy.startswith("leap_app_")
    and not (policy == "leap_app_insert" and has_to_have_a_parent(name))
]


@pytest.mark.parametrize(("name", "policy"), OPENED)
def test_no_policy_can_be_opened_unnoticed(embedded: Place, name: str, policy: str) -> None:
    change = "WITH CHECK (true)" if policy.endswith("insert") else "USING (true)"
    changed(embedded, name, f"ALTER POLICY {policy} ON {name} {change}")


REFERRING = [
    table.name
    for table in ALL
    if any("user_id" in key.column.table.columns for key in table.foreign_keys)
]


@pytest.mark.parametrize("name", REFERRING)
def test_no_check_of_references_can_go_unnoticed(embedded: Place, name: str) -> None:
    changed(embedded, name, f"DROP TRIGGER leap_references ON {name}")


@pytest.mark.parametrize("name", ID_LISTS)
def test_no_check_of_ids_in_json_can_go_unnoticed(embedded: Place, name: str) -> None:
    changed(embedded, name, f"DROP TRIGGER leap_references_kept ON {name}")


def test_no_row_changes_its_owner_even_by_the_system(embedded: Place) -> None:
    with embedded.connection.transaction(force_rollback=True):
        embedded.connection.execute("SET LOCAL ROLE leap_system")
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="owner of a row"):
            embedded.connection.execute("UPDATE recordings SET user_id = %s", [BOB])


def changed(place: Place, name: str, change: str, *, leaky: bool = True) -> list[str]:
    """What is noticed after a change, which is taken back: by the leaks, and by `gaps`."""
    with place.connection.transaction(force_rollback=True):
        place.connection.execute(change.encode())
        found = list(leaks(place.connection, metadata.tables[name], place.world))
        assert bool(found) == leaky, found
        return gaps(place.connection)


def test_a_table_that_nobody_thought_of_is_closed_and_named(embedded: Place) -> None:
    with embedded.connection.transaction(force_rollback=True):
        embedded.connection.execute("CREATE TABLE forgotten (id INT, user_id VARCHAR(26))")
        assert gaps(embedded.connection) == ["forgotten is a table without tenancy"]
        embedded.connection.execute("SET LOCAL ROLE leap_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            embedded.connection.execute("SELECT * FROM forgotten")


def test_a_connection_that_is_used_again_knows_nothing_of_before(embedded: Place) -> None:
    database = Database(postgres.urls_of(embedded.url), pooled=True)
    ask = text(
        "SELECT pg_backend_pid(), current_user, current_setting('leap.user_id', true),"
        " array(SELECT DISTINCT user_id FROM recordings)"
    )
    try:
        with database.tenant(ADA) as session:
            first = tuple(session.execute(ask).one())
        with pytest.raises(DBAPIError), database.tenant(ADA) as session:
            session.execute(text("SELECT 1 / 0"))
        with database.tenant(BOB) as session:
            second = tuple(session.execute(ask).one())
        with database.tenant("01J00000000000000000NOBODY") as session:
            third = tuple(session.execute(ask).one())
        with database.system() as session:
            fourth = tuple(session.execute(ask).one())
    finally:
        database.dispose()
    assert first[1:] == ("leap_app", ADA, [ADA])
    assert second == (first[0], "leap_app", BOB, [BOB])
    assert third == (first[0], "leap_app", "01J00000000000000000NOBODY", [])
    assert fourth[:3] == (first[0], "leap_system", "")
    assert sorted(fourth[3]) == [ADA, BOB]


def test_a_login_of_its_own_sees_nothing_before_it_takes_a_role(
    postgres_server: TestServer,
) -> None:
    """Where the application does not log in as the owner (PostgreSQL 16 and later)."""
    with postgres_server.database() as url, login(postgres_server) as other:
        with psycopg.connect(plain(url), autocommit=True) as connection:
            populate(connection)
        urls = replace(postgres.urls_of(url), application=other.set(database=url.database))
        migrate.upgrade(urls)
        with (
            psycopg.connect(plain(urls.application), autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("SELECT * FROM recordings")
        with Database(urls).tenant(ADA) as session:
            assert session.scalars(text("SELECT user_id FROM recordings")).all() == [ADA]
