"""Every UPDATE sets the time of the last change: raw ones and bulk ones, in every table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Table

from leap_pipeline.db.metadata import metadata
from leap_pipeline.db.urls import plain
from tests.support.postgres import TestServer
from tests.support.tenants import populate

TIMES = ("updated_at", "last_updated_at", "date_changed")
TOUCHED = [
    pytest.param(table, name, id=table.name)
    for table in metadata.sorted_tables
    for name in TIMES
    if name in table.columns
]


@pytest.fixture(scope="module")
def connection(postgres_server: TestServer) -> Iterator[psycopg.Connection[Any]]:
    with (
        postgres_server.database() as url,
        psycopg.connect(plain(url), autocommit=True) as opened,
    ):
        populate(opened)
        yield opened


@pytest.mark.parametrize(("table", "column"), TOUCHED)
def test_an_update_of_many_rows_sets_the_time_of_each(
    connection: psycopg.Connection[Any], table: Table, column: str
) -> None:
    names = {"table": sql.Identifier(table.name), "column": sql.Identifier(column)}
    statement = "UPDATE {table} SET id = id RETURNING {column} = now()"
    touched = connection.execute(sql.SQL(statement).format(**names)).fetchall()
    assert touched
    assert all(row[0] for row in touched)


@pytest.mark.parametrize(("table", "column"), TOUCHED)
def test_a_time_that_is_given_is_kept(
    connection: psycopg.Connection[Any], table: Table, column: str
) -> None:
    """An adopted row keeps its own."""
    names = {"table": sql.Identifier(table.name), "column": sql.Identifier(column)}
    statement = "UPDATE {table} SET {column} = '2020-01-01' RETURNING {column} = '2020-01-01'"
    kept = connection.execute(sql.SQL(statement).format(**names)).fetchall()
    assert kept
    assert all(row[0] for row in kept)
