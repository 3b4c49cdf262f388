"""How what is on a platform differs from what is to be there."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from leap_pipeline.domain.shapes.results import Sent

Sign = Literal[" ", "-", "+"]
ASIDE = 1
"""Unchanged lines that are shown beside a changed one."""


@dataclass(frozen=True)
class Line:
    """A line of a text: gone (`-`), new (`+`), or the same; `…` stands for many of the same."""

    sign: Sign
    text: str


@dataclass(frozen=True)
class Change:
    """One field, as it is there and as it is to be; a setting is called `settings.NAME`.

    None: not said. `lines` shows where long texts differ, `added` and `removed` what of a list.
    """

    field: str
    before: Any
    after: Any
    lines: tuple[Line, ...] = ()
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def difference(there: Sent, wanted: Sent) -> tuple[Change, ...]:
    """The fields that differ, in the order of `Sent`, settings by their names.

    An empty text is as one that is not said, and so is an empty list.
    """
    return tuple(_changes(there, wanted))


def _changes(there: Sent, wanted: Sent) -> Iterator[Change]:
    for field in Sent.model_fields:
        before, after = getattr(there, field), getattr(wanted, field)
        if field == "settings":
            for name in sorted({*before, *after}):
                yield from _change(f"settings.{name}", before.get(name), after.get(name))
        else:
            yield from _change(field, before, after)


def _change(field: str, before: Any, after: Any) -> Iterator[Change]:
    old, new = _said(before), _said(after)
    if old == new:
        return
    if isinstance(before, tuple) and isinstance(after, tuple):
        yield Change(
            field, old, new, added=_without(after, before), removed=_without(before, after)
        )
    elif isinstance(old or "", str) and isinstance(new or "", str) and "\n" in f"{old}{new}":
        yield Change(field, old, new, lines=_lines(old or "", new or ""))
    else:
        yield Change(field, old, new)


def _said(value: Any) -> Any:
    return None if value in ("", (), []) else value


def _without(some: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(each for each in some if each not in others)


def _lines(before: str, after: str) -> tuple[Line, ...]:
    """The changed lines, each with the nearest of those that stay."""
    old, new = before.split("\n"), after.split("\n")
    found: list[Line] = []
    for kind, start, end, other, stop in difflib.SequenceMatcher(
        None, old, new, autojunk=False
    ).get_opcodes():
        if kind == "equal":
            found += _aside(old[start:end], first=start == 0, last=end == len(old))
        else:
            found += [Line("-", each) for each in old[start:end]]
            found += [Line("+", each) for each in new[other:stop]]
    return tuple(found)


def _aside(same: list[str], *, first: bool, last: bool) -> list[Line]:
    head = [] if first else same[:ASIDE]
    tail = [] if last else same[len(head) :][-ASIDE:]
    between = len(same) - len(head) - len(tail)
    skipped = [Line(" ", "…")] if between else []
    return [
        *(Line(" ", each) for each in head),
        *skipped,
        *(Line(" ", each) for each in tail),
    ]
