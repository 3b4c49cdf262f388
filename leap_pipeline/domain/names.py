"""Names that people read: made fit to show, and those of a meeting's parts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

NAME_LIMIT = 500
_PART = re.compile(r"(.*\S) \(part ([2-9]|[1-9][0-9]{1,4})\)", re.DOTALL)


def clean_name(name: str) -> str:
    """A name to show: no control, format or surrogate characters, single spaces.

    It is composed (NFC), as people type keywords: some file systems hand out decomposed names.
    """
    kept = name if name.isprintable() else _kept(name)
    composed = unicodedata.normalize("NFC", " ".join(kept.split()))
    return composed[:NAME_LIMIT].rstrip() or "Untitled"


def _kept(name: str) -> str:
    return "".join(
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in name
        if unicodedata.category(character) not in ("Cf", "Cs")
    )


def part_name(name: str, number: int) -> str:
    """A clean name as that of a part, counted from 1; the first has the plain name."""
    if number < 2:
        return name
    behind = f" (part {number})"
    return name[: NAME_LIMIT - len(behind)].rstrip() + behind


def whole_name(name: str) -> str | None:
    """The name of the meeting that a part's name tells of; None where it tells of no part."""
    found = _PART.fullmatch(name)
    return found.group(1) if found else None


def number_in(shown: str, name: str) -> int | None:
    """Which part of a meeting with this clean name is shown so; None where a person named it."""
    if shown == name:
        return 1
    found = _PART.fullmatch(shown)
    number = int(found.group(2)) if found else 1
    return number if shown == part_name(name, number) and number > 1 else None


def numbered(numbers: Sequence[int | None]) -> list[int]:
    """The numbers of a meeting's parts in their order, given those that they have already.

    They only ever grow: a part that its source no longer lists takes its number with it.
    """
    found: list[int] = []
    for number in numbers:
        found.append(max(number or 1, found[-1] + 1 if found else 1))
    return found
