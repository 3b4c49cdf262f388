"""What becomes of a row of the other database, and how that is said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from leap_pipeline.redaction import redact

Row = Mapping[str, Any]
"""A row of the other database by its columns; jsonb as Python's own types."""

DETAIL_LIMIT = 300
T = TypeVar("T")


class Outcome(StrEnum):
    """`changed`: taken, but not as it was; the note says how."""

    TAKEN = "taken"
    CHANGED = "changed"
    LEFT = "left"


class Leave(Exception):
    """This row is not taken; the text says why."""


@dataclass
class Notes:
    """What changes on a row's way, one line each: what it is, a colon, and this row's detail."""

    lines: list[str] = field(default_factory=list)

    def say(self, what: str, detail: object = None) -> None:
        line = what if detail is None else f"{what}: {' '.join(str(detail).split())}"
        line = redact(line)[:DETAIL_LIMIT]
        if line not in self.lines:
            self.lines.append(line)

    def __bool__(self) -> bool:
        return bool(self.lines)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the report, and of `adopted_rows`."""

    table: str
    old_key: str
    new_key: str | None
    outcome: Outcome
    note: str | None


def taken(table: str, old_key: object, new_key: object, notes: Notes) -> Entry:
    outcome = Outcome.CHANGED if notes else Outcome.TAKEN
    return Entry(table, str(old_key), str(new_key), outcome, "\n".join(notes.lines) or None)


def left(table: str, old_key: object, why: str) -> Entry:
    return Entry(table, str(old_key), None, Outcome.LEFT, redact(why))


def what_of(line: str) -> str:
    """A line of a note without its detail: what many rows have in common."""
    return line.partition(": ")[0]


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in order, so many at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
