"""Texts made to fit: cut at a line, a word or at least between two characters."""

from __future__ import annotations

import re
from enum import Enum

from leap_pipeline.domain.graphemes import is_boundary

ELLIPSIS = "…"
DANGLING = " ,;:|/·•—–-"
"""Characters that part two things; at an end they part nothing."""
_LEAST_KEPT = 0.5
"""Share of the room that a cut at a word must use; a longer word is cut inside."""
_LEAST_KEPT_BY_LINES = 0.8
_LONGEST_CHARACTER = 31
"""Code points: a letter with more than 30 marks is a pile of them, and is cut (UAX #15, 12.1)."""
_LINE_BREAK = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNSEEN = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x9f]")


class Unit(Enum):
    """What a limit counts: an encoding and the bytes of one unit in it.

    Characters are counted as UTF-16 does, an emoji as two: who counts it as one is kept as well.
    """

    CHARACTERS = ("utf-16-le", 2)
    BYTES = ("utf-8", 1)

    def size(self, text: str) -> int:
        """The length of a clean text in this unit."""
        encoding, width = self.value
        return len(text.encode(encoding)) // width

    def head(self, text: str, size: int) -> str:
        """The longest beginning of the text of at most `size` units."""
        encoding, width = self.value
        return text.encode(encoding)[: max(size, 0) * width].decode(encoding, "ignore")


def clean(text: str) -> str:
    """The text as it can be encoded: line breaks are `\\n`, no lone surrogates, no controls."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")
    return _UNSEEN.sub("", _LINE_BREAK.sub("\n", whole))


def one_line(text: str) -> str:
    """The clean text without line breaks and with single spaces."""
    return " ".join(clean(text).split())


def paragraphs(text: str) -> str:
    """The clean text without spaces at line ends and with at most one empty line in a row."""
    lines = "\n".join(line.rstrip() for line in clean(text).split("\n"))
    return re.sub("\n{3,}", "\n\n", lines).strip()


def cut(text: str, limit: int, unit: Unit = Unit.CHARACTERS) -> str:
    """A clean text that is too long for the limit, cut and ended by an ellipsis."""
    if unit.size(text) <= limit:
        return text
    head = unit.head(text, limit - unit.size(ELLIPSIS))
    kept = head[: _place(text, len(head))]
    return unit.head((kept.rstrip().rstrip(DANGLING + "\n") or kept) + ELLIPSIS, limit)


def _place(text: str, end: int) -> int:
    """Where to cut, at `end` or before."""
    line = text.rfind("\n", 0, end + 1)
    if line >= end * _LEAST_KEPT_BY_LINES:
        return line
    word = next((index for index in range(end, 0, -1) if text[index].isspace()), 0)
    if word >= end * _LEAST_KEPT:
        return word
    inside = next((index for index in range(end, 0, -1) if is_boundary(text, index)), 0)
    if inside or any(is_boundary(text, index) for index in range(end + 1, _LONGEST_CHARACTER + 1)):
        return inside
    return end
