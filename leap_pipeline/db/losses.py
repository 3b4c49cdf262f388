"""What a downgrade would delete, found out before anything changes.

A migration whose downgrade deletes rows has a function `losses(connection) -> list[str]` that
names them. All steps of a downgrade are asked before its first one runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import cast

from alembic.runtime.migration import MigrationContext, RevisionStep
from sqlalchemy import Connection, func, select, table

from leap_pipeline.errors import UserActionError

Plan = Callable[[tuple[str, ...], MigrationContext], Iterable[RevisionStep]]


def rows_in(connection: Connection, tables: Sequence[str]) -> list[str]:
    """`name (rows)` of each of the tables that is not empty."""
    counts = [
        (name, connection.scalar(select(func.count()).select_from(table(name)))) for name in tables
    ]
    return [f"{name} ({count})" for name, count in counts if count]


def guarded(plan: Plan) -> Plan:
    """A plan of Alembic's that raises UserActionError if it would delete rows."""

    def checked(heads: tuple[str, ...], context: MigrationContext) -> list[RevisionStep]:
        steps = list(plan(heads, context))
        connection = context.connection
        found = [] if connection is None else _losses(steps, connection)
        if found:
            msg = (
                f"The downgrade would delete {', '.join(found)}:"
                " say --yes (to alembic: -x yes=true) if that is meant; nothing was changed."
            )
            raise UserActionError(msg)
        return steps

    return checked


def _losses(steps: Iterable[RevisionStep], connection: Connection) -> list[str]:
    found: list[str] = []
    for step in steps:
        # Alembic also plans stamps, which have no revision to ask.
        if isinstance(step, RevisionStep) and step.is_downgrade:
            ask = getattr(step.revision.module, "losses", None)
            if ask is not None:
                found += cast("Callable[[Connection], list[str]]", ask)(connection)
    return found
