"""Keyset pagination: a page begins after the last row of the one before, by an index.

An OFFSET reads and throws away all rows before it, and repeats or hides rows when some come or go.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, and_, tuple_

from leap_pipeline.errors import InputError

M = TypeVar("M")
Position = tuple[Any, int]


@dataclass(frozen=True)
class Page(Generic[M]):
    """Rows, and the cursor of the page after them; None where there is none."""

    items: list[M]
    after: str | None


@dataclass(frozen=True)
class Sort:
    """By a column that is never NULL, then by id."""

    column: str
    descending: bool = False

    def by(self, model: type[Any]) -> tuple[ColumnElement[Any], ...]:
        columns = (getattr(model, self.column), model.id)
        return tuple(each.desc() if self.descending else each.asc() for each in columns)

    def after(self, model: type[Any], position: Position) -> ColumnElement[bool]:
        """The rows after a position.

        The column's own condition is said beside the pair's, because an index on the column alone
        can begin there.
        """
        value, key = position
        column = getattr(model, self.column)
        pair = tuple_(column, model.id)
        if self.descending:
            return and_(column <= value, pair < tuple_(value, key))
        return and_(column >= value, pair > tuple_(value, key))


def next_cursor(name: str, sort: Sort, last: Any) -> str:
    """What names the position of a row in a sorted list; opaque to who gets it."""
    value = getattr(last, sort.column)
    said = value.isoformat() if isinstance(value, datetime) else value
    text = json.dumps([name, type(value).__name__, said, last.id], ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, name: str) -> Position:
    """The position; raises `InputError` for a cursor that is none, or is of another sort."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        sorted_by, kind, value, key = json.loads(base64.urlsafe_b64decode(padded.encode()))
        if sorted_by == name and isinstance(key, int) and isinstance(value, str | int):
            return (datetime.fromisoformat(str(value)) if kind == "datetime" else value), key
    except (ValueError, TypeError, binascii.Error, UnicodeError):
        pass
    msg = f"This is no position in a list by {name}: begin again at its first page."
    raise InputError(msg)
