"""Rules as a row of any age has them: what cannot be read never hits and is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from leap_pipeline.domain.matching import EXCLUDING, Kind, MatchingRules, composed
from leap_pipeline.domain.patterns import Pattern, PatternError, compile_pattern, literal

ROOT = "matching_rules"


@dataclass(frozen=True)
class Rule:
    """One text of a list; `pattern` finds it in a name, and is None for an exact match."""

    kind: Kind
    index: int
    text: str
    pattern: Pattern | None

    def search(self, name: str) -> tuple[int, int] | None:
        """Where it hits a composed name, in characters."""
        if self.pattern is not None:
            return self.pattern.search(name)
        return (0, len(name)) if name == self.text else None


@dataclass(frozen=True)
class StoredRules:
    """The rules of a row, as far as they can be read.

    `said` are the kinds that have texts, readable or not; `sources` is None for any source.
    `problems` tells by its path what cannot be read: such a rule never hits. Where it would keep
    recordings out (`closed`), the template takes none: what it was to exclude is not known.
    """

    rules: tuple[Rule, ...] = ()
    said: frozenset[Kind] = frozenset()
    sources: frozenset[int] | None = None
    every_kind: bool = False
    closed: bool = False
    problems: tuple[str, ...] = ()


def read_rules(stored: object) -> StoredRules:
    """The rules of `recording_templates.matching_rules`; never raises."""
    if stored is None:
        return StoredRules()
    if not isinstance(stored, Mapping):
        return StoredRules(problems=(f"`{ROOT}` must be an object in curly braces",))
    reading = _Reading(stored)
    reading.look_for_unknown_keys()
    case_sensitive = reading.one_of("case_sensitive", (False, True)) is True
    rules = tuple(reading.rules(case_sensitive=case_sensitive))
    return StoredRules(
        rules=rules,
        said=frozenset(reading.said),
        sources=reading.sources(),
        every_kind=reading.one_of("match_mode", ("any", "all")) == "all",
        closed=reading.closed,
        problems=tuple(reading.problems),
    )


@dataclass
class _Reading:
    stored: Mapping[str, Any]
    said: set[Kind] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    closed: bool = False

    def problem(self, path: str, what: str, *, closes: bool) -> None:
        self.problems.append(f"`{ROOT}.{path}` {what}")
        self.closed = self.closed or closes

    def look_for_unknown_keys(self) -> None:
        for key in self.stored:
            if key not in MatchingRules.model_fields:
                self.problem(f"{key:.60}", "is not a known key", closes=False)

    def one_of(self, key: str, choices: tuple[object, object]) -> object:
        """A scalar; the first choice is the default."""
        value = self.stored.get(key)
        if value is None:
            return choices[0]
        if not any(value == each and type(value) is type(each) for each in choices):
            self.problem(key, f"must be one of {choices[0]}, {choices[1]}", closes=True)
        return value

    def items(self, key: str, *, closes: bool) -> list[Any]:
        value = self.stored.get(key)
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            self.problem(key, "must be a list in square brackets", closes=closes)
            return []
        return list(value)

    def rules(self, *, case_sensitive: bool) -> Iterator[Rule]:
        for kind in Kind:
            closes = kind in EXCLUDING
            for index, text in enumerate(self.items(kind, closes=closes)):
                if isinstance(text, str) and not text.strip():
                    continue  # an empty keyword would be found in every name
                self.said.add(kind)
                try:
                    yield _rule(kind, index, text, case_sensitive=case_sensitive)
                except PatternError as error:
                    self.problem(f"{kind}[{index}]", str(error), closes=closes)

    def sources(self) -> frozenset[int] | None:
        if self.stored.get("source_ids") in (None, [], ()):
            return None
        found = set()
        for index, each in enumerate(self.items("source_ids", closes=True)):
            if isinstance(each, int) and not isinstance(each, bool):
                found.add(each)
            else:
                self.problem(
                    f"source_ids[{index}]", "must be a whole number without quotes", closes=False
                )
        return frozenset(found)


def _rule(kind: Kind, index: int, text: object, *, case_sensitive: bool) -> Rule:
    if not isinstance(text, str):
        msg = "must be a text in quotes"
        raise PatternError(msg)
    plain = composed(text)
    if kind is Kind.EXACT_MATCHES:
        return Rule(kind, index, plain, None)
    make = compile_pattern if kind in (Kind.PATTERNS, Kind.EXCLUDE_PATTERNS) else literal
    return Rule(kind, index, plain, make(plain, case_sensitive=case_sensitive))
