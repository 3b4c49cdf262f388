"""LEAP's own database, as adoption writes to it: rows with ids of its own, in bounded transactions.

A dry target gives out ids that no row has, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import Table, insert, select, text
from sqlalchemy.orm import InstrumentedAttribute, Session

from leap_pipeline.adoption.outcome import chunks
from leap_pipeline.db.base import Base
from leap_pipeline.db.engine import Database
from leap_pipeline.errors import AlreadyRunning

# "LEAPADPT" in ASCII.
LOCK = 5495870733223744596
BATCH = 1000
HIGHEST = 2**31 - 1


class Target:
    """Where rows go; not to be shared between threads."""

    def __init__(self, database: Database, *, dry: bool) -> None:
        self.database = database
        self.dry = dry
        self._owner: psycopg.Connection[Any] | None = None
        self._invented = 0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lock of which there is one; raises AlreadyRunning."""
        with self.database.lock_connection() as owner:
            found = owner.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
            if found is None or not found[0]:
                msg = "Another `leap adopt` is at work on this database: wait for it to end."
                raise AlreadyRunning(msg)
            self._owner = owner
            try:
                yield
            finally:
                self._owner = None

    def keep_free(self, sequence: str, highest: int) -> None:
        """Let a sequence go on above `highest`, so that numbers up to there can be kept."""
        if self.dry or self._owner is None:
            return
        self._owner.execute(
            sql.SQL("SELECT setval({}, %s) FROM {} WHERE last_value < %s").format(
                sql.Literal(sequence), sql.Identifier(sequence)
            ),
            [highest, highest],
        )

    def new_ids(self, session: Session, table: str, count: int) -> list[int]:
        """So many ids of a table's own sequence."""
        if self.dry:
            self._invented += count
            return [HIGHEST - self._invented + each for each in range(count)]
        drawn = text("SELECT nextval(CAST(:sequence AS REGCLASS)) FROM generate_series(1, :count)")
        return list(session.scalars(drawn, {"sequence": f"{table}_id_seq", "count": count}))

    def insert(
        self, session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Rows with the same columns each."""
        if self.dry:
            return
        # Into the table: into the model, they would be cut up wherever another column is NULL.
        for some in chunks(rows, BATCH):
            session.execute(insert(table_of(model)), list(some))


def table_of(model: type[Base]) -> Table:
    return cast("Table", model.__table__)


def existing(
    session: Session, column: InstrumentedAttribute[Any], values: Sequence[object]
) -> set[Any]:
    """Those of the values that the column has somewhere."""
    found: set[Any] = set()
    for some in chunks(values, BATCH):
        found |= set(session.scalars(select(column).where(column.in_(some))))
    return found
