"""The other database: read in one snapshot, and never written to.

All of it is read in one read-only transaction of isolation level REPEATABLE READ, so that rows that
belong together are of one moment. It takes no lock but the one that every SELECT takes, which
hinders nobody's reading and writing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from sqlalchemy.engine import URL

from leap_pipeline.adoption.outcome import Row
from leap_pipeline.db.connection_errors import explained
from leap_pipeline.db.urls import connect, where
from leap_pipeline.errors import InputError

REVISION = "010"
TABLES = sql.SQL("""
    SELECT relation.relname::TEXT AS name, COALESCE(ARRAY(
        SELECT attribute.attname::TEXT FROM pg_index AS index
        JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid
            AND attribute.attnum = ANY (index.indkey)
        WHERE index.indrelid = relation.oid AND index.indisprimary
        ORDER BY array_position(index.indkey::INT2[], attribute.attnum)), '{}') AS key
    FROM pg_class AS relation
    WHERE relation.relnamespace = current_schema()::REGNAMESPACE AND relation.relkind IN ('r', 'p')
    ORDER BY relation.relname
""")


class Source:
    """A snapshot of it; `keys` names each table's primary key (() where it has none)."""

    def __init__(self, connection: psycopg.Connection[Any], name: str) -> None:
        self._connection = connection
        self.name = name
        self.keys: dict[str, tuple[str, ...]] = {
            row["name"]: tuple(row["key"]) for row in self._all(TABLES)
        }

    def require_original(self) -> None:
        """Raise InputError where this is no database of the original platform."""
        revision = None
        if {"alembic_version", "users", "recordings", "automation_jobs"} <= set(self.keys):
            revision = self._all(sql.SQL("SELECT version_num FROM alembic_version"))
        columns = self._all(
            sql.SQL(
                "SELECT attname FROM pg_attribute WHERE attrelid = "
                "to_regclass('automation_jobs') AND attname = 'template_ids'"
            )
        )
        if not revision or not columns:
            msg = f"{self.name} is no database of the original platform: name another one."
            raise InputError(msg)
        found = revision[0]["version_num"]
        if found != REVISION:
            msg = (
                f"{self.name} is at migration {found}, and only {REVISION} can be adopted: "
                "migrate it there with its own platform first."
            )
            raise InputError(msg)

    def rows(self, table: str, column: str, values: Sequence[object]) -> list[Row]:
        """The rows with one of the values in a column, in the order of their ids."""
        query = sql.SQL("SELECT * FROM {} WHERE {} = ANY (%s) ORDER BY id").format(
            sql.Identifier(table), sql.Identifier(column)
        )
        return self._all(query, [list(values)])

    def everything(self, table: str) -> list[Row]:
        """A small table, in the order of its ids."""
        return self._all(sql.SQL("SELECT * FROM {} ORDER BY id").format(sql.Identifier(table)))

    def ids(self, table: str, column: str, value: object) -> list[int]:
        query = sql.SQL("SELECT id FROM {} WHERE {} = %s ORDER BY id").format(
            sql.Identifier(table), sql.Identifier(column)
        )
        return [row["id"] for row in self._all(query, [value])]

    def highest(self, table: str, column: str) -> int:
        query = sql.SQL("SELECT COALESCE(max({}), 0) AS highest FROM {}").format(
            sql.Identifier(column), sql.Identifier(table)
        )
        return int(self._all(query)[0]["highest"])

    def row_keys(self, table: str) -> list[tuple[str, bool]]:
        """The key of every row, and whether it says that nobody owns it."""
        key = self.keys[table]
        parts: list[sql.Composable] = [
            sql.SQL("{}::TEXT").format(sql.Identifier(each)) for each in key
        ]
        said = sql.SQL(" || ':' || ").join(parts) if parts else sql.SQL("ctid::TEXT")
        owner = self._has(table, "user_id")
        unowned = sql.SQL("user_id IS NULL") if owner else sql.SQL("false")
        query = sql.SQL("SELECT {} AS key, {} AS unowned FROM {}").format(
            said, unowned, sql.Identifier(table)
        )
        return [(row["key"], row["unowned"]) for row in self._all(query)]

    def count(self, table: str) -> int:
        query = sql.SQL("SELECT count(*) AS rows FROM {}").format(sql.Identifier(table))
        return int(self._all(query)[0]["rows"])

    def user_ids(self) -> list[str]:
        return [row["id"] for row in self._all(sql.SQL("SELECT id FROM users ORDER BY id"))]

    def fingerprint(self) -> str:
        """What names this database in the record; of a copy or a later dump it is the same."""
        first = next(iter(self.user_ids()), "")
        return hashlib.sha256(first.encode()).hexdigest()[:16]

    def _has(self, table: str, column: str) -> bool:
        query = sql.SQL(
            "SELECT FROM pg_attribute WHERE attrelid = {}::REGCLASS AND attname = {}"
        ).format(sql.Literal(sql.Identifier(table).as_string()), sql.Literal(column))
        return bool(self._all(query))

    def _all(self, query: sql.SQL | sql.Composed, values: Sequence[object] = ()) -> list[Row]:
        with self._connection.cursor(row_factory=dict_row) as cursor:
            return [*cursor.execute(query, values or None).fetchall()]


@contextmanager
def opened(url: URL) -> Iterator[Source]:
    """Raises a LeapError where it cannot be reached, or is no database of the original platform."""
    try:
        connection = connect(url, application_name="leap-adopt")
    except psycopg.Error as error:
        raise explained(error, url) from error
    with connection:
        connection.autocommit = False
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        # Between two tenants this transaction may rest for a long time.
        connection.execute(
            "SELECT set_config('TimeZone', 'UTC', true), "
            "set_config('statement_timeout', '0', true), "
            "set_config('idle_in_transaction_session_timeout', '0', true)"
        )
        source = Source(connection, where(url))
        source.require_original()
        yield source
