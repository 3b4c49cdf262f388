"""Users' own patterns on RE2: in time linear to the text, and refused in words that help.

The syntax is RE2's. Without regard to case means Unicode's simple folding, in every script
(Л = л, ς = σ, ß = ẞ but not ss). `\\d`, `\\w`, `\\s` and `\\b` know ASCII alone; `\\pL` is a letter
and `\\pN` a digit of any script.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import re2

# Instructions of RE2's program; a letter of any script (`\pL`) takes 1,200 of them.
PROGRAM_LIMIT = 20_000
PATTERN_MEMORY, SET_MEMORY = 1 << 20, 32 << 20

_TOO_LARGE = f"is too large (more than {PROGRAM_LIMIT:,} steps); repeat less in it"
_HALF_LETTER = "cannot be searched: “\\C” is a byte, which may be half a letter; write . instead"
_LINEAR = "is not possible on an engine that promises linear time"
# A backslash and what it escapes, quoted text, a class in brackets, or one character.
_TOKEN = re.compile(r"\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|.", re.DOTALL)
_RUNNING = re.compile(r"\.[*+{]")
_BACKREFERENCE = re.compile(r"\\[1-9]|\\[gk]|\(\?P[=>]|\(\?\(")
_LOOK_AROUND = ("(?=", "(?!", "(?<=", "(?<!")
_REASONS = {
    "missing )": "“(” is not closed",
    "unexpected )": "“)” closes nothing",
    "missing ]": "“[” is not closed",
    "invalid character class range": "“{}” is no class of characters",
    "invalid repetition size": "“{}” must go from low to high, nested ones to 1000 in all",
    "bad repetition operator": "“{}” is no way to repeat here",
    "no argument for repetition operator": "“{}” has nothing before it to repeat",
    "invalid escape sequence": "“{}” is unknown to RE2, the engine; write \\\\ for a backslash",
    "invalid named capture group": "“{}” is no name of a group",
}


class PatternError(ValueError):
    """A pattern that the engine cannot take; the message fits behind the name of its place."""


@dataclass(frozen=True)
class Pattern:
    """A pattern that compiles; `size` is its program's, in instructions, where it was asked for."""

    expression: str
    size: int = field(default=0, compare=False)

    def search(self, text: str) -> tuple[int, int] | None:
        """Where it first hits, in characters."""
        found = _compiled(self.expression).search(_bytes(text).decode())
        return None if found is None else found.span()


def compile_pattern(pattern: str, *, case_sensitive: bool = False) -> Pattern:
    """Raises `PatternError` with the place and the reason."""
    expression = pattern if case_sensitive else f"(?i){pattern}"
    try:
        size = _compiled(expression).programsize
    except re2.error as error:
        raise PatternError(_reason(pattern, _complaint(pattern) or error)) from error
    if size > PROGRAM_LIMIT:
        raise PatternError(_TOO_LARGE)
    if any(token.group() == r"\C" for token in _TOKEN.finditer(pattern)):
        raise PatternError(_HALF_LETTER)
    return Pattern(expression, size)


def literal(text: str, *, case_sensitive: bool = False) -> Pattern:
    """The pattern that finds a text as it stands."""
    quoted: str = re2.escape(text)
    return Pattern(quoted if case_sensitive else f"(?i){quoted}")


class PatternSet:
    """Many patterns, searched in two passes over a text, however many they are.

    Those that run over anything (`.*`) are a pass of their own: in one automaton with the others
    they would multiply its states, which are made anew for nearly every text.
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        running = {at for at, each in enumerate(patterns) if _RUNNING.search(each.expression)}
        others = [at for at in range(len(patterns)) if at not in running]
        self._parts = [_Part(patterns, chosen) for chosen in (others, sorted(running)) if chosen]

    def hits(self, text: str) -> list[int]:
        """The positions of the patterns that hit, in no order."""
        found: list[int] = []
        searched = _bytes(text)
        for part in self._parts:
            found += part.hits(searched)
        return found


@lru_cache(maxsize=4)
def pattern_set(patterns: tuple[Pattern, ...]) -> PatternSet:
    """The set of these patterns, kept for the next who asks: its automata learn from each text."""
    return PatternSet(patterns)


class _Part:
    """Some of the patterns in one automaton; positions are those among all."""

    def __init__(self, patterns: Sequence[Pattern], positions: Sequence[int]) -> None:
        self._patterns = [patterns[at] for at in positions]
        self._positions = list(positions)
        self._last = len(self._positions)  # the empty pattern's
        self._set = _make_set(self._patterns)

    def hits(self, searched: bytes) -> Sequence[int]:
        if self._set is not None:
            found: list[int] | None = self._set.Match(searched)
            if found is not None:
                return (
                    [self._positions[at] for at in found if at != self._last] if found[1:] else ()
                )
        text = searched.decode()
        return [
            at
            for at, each in zip(self._positions, self._patterns, strict=True)
            if each.search(text) is not None
        ]


def _bytes(text: str) -> bytes:
    """UTF-8; a lone surrogate, which has none, is a question mark."""
    return text.encode("utf-8", "replace")


def _make_set(patterns: Sequence[Pattern]) -> Any | None:
    """RE2's set; None where its automaton does not fit into the memory it may have."""
    made = re2.Set.SearchSet(_options(SET_MEMORY))
    for each in patterns:
        made.Add(each.expression)
    # A set that runs out of memory at work answers as if nothing hit. The empty pattern hits every
    # text, so that its absence tells.
    made.Add("")
    try:
        made.Compile()
    except re2.error:
        return None
    return made


@lru_cache(maxsize=512)
def _compiled(expression: str) -> Any:
    return re2.compile(expression, _options(PATTERN_MEMORY))


def _complaint(pattern: str) -> Exception | None:
    """RE2's about the pattern as it was written."""
    try:
        _compiled(pattern)
    except re2.error as error:
        complaint: Exception = error
        return complaint
    return None


def _options(memory: int) -> Any:
    options = re2.Options()
    options.max_mem = memory
    options.log_errors = False  # RE2 would write a bad pattern to stderr
    options.never_capture = True
    return options


def _reason(pattern: str, error: Exception) -> str:
    """RE2's complaint (`kind: fragment`) in words, with its place in the pattern."""
    kind, _, fragment = error.args[0].decode("utf-8", "replace").partition(": ")
    if kind.startswith("pattern too large"):
        return _TOO_LARGE
    if kind.startswith("trailing"):
        return "cannot be searched: a single “\\” at its end escapes nothing"
    place = _place(pattern, kind, fragment)
    what = _not_linear(pattern, place) or _REASONS.get(
        kind, "“{}” is unknown to RE2, the engine"
    ).format(fragment)
    return f"cannot be searched: at character {place + 1}, {what}"


def _not_linear(pattern: str, place: int) -> str | None:
    if pattern.startswith(_LOOK_AROUND, place):
        return (
            f"look-around (“(?=”, “(?!”, “(?<=”, “(?<!”) {_LINEAR}: "
            "what must not be there goes into exclude_patterns"
        )
    if _BACKREFERENCE.match(pattern, place):
        return f"a reference back to a group {_LINEAR}: write out what it would repeat"
    return None


def _place(pattern: str, kind: str, fragment: str) -> int:
    """Where the complaint begins; RE2 names the fragment alone, or the whole pattern."""
    if kind in ("missing )", "unexpected )"):
        return _unbalanced(pattern)
    starts = [token.start() for token in _TOKEN.finditer(pattern)]
    if fragment == "(?P":  # also how a named group begins that is right
        return next((at for at in starts if _BACKREFERENCE.match(pattern, at)), 0)
    fits = (at for at in starts if pattern.startswith(fragment, at))
    return next(fits, max(pattern.find(fragment), 0))


def _unbalanced(pattern: str) -> int:
    opened: list[int] = []
    for token in _TOKEN.finditer(pattern):
        if token.group() == "(":
            opened.append(token.start())
        elif token.group() == ")":
            if not opened:
                return token.start()
            opened.pop()
    return opened[-1] if opened else 0
