"""Which template a recording belongs to: many templates, two passes over a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from leap_pipeline.domain.matching import EXCLUDING, TAKING, compared
from leap_pipeline.domain.patterns import Pattern, pattern_set
from leap_pipeline.domain.stored_rules import StoredRules, read_rules

_BIT = {kind: 1 << at for at, kind in enumerate(TAKING)} | dict.fromkeys(EXCLUDING, 8)
_EXCLUDED = 8


@dataclass(frozen=True)
class Candidate:
    """A template as matching sees it; `rules` as they are stored, whatever they are."""

    id: int
    created_at: datetime
    rules: object
    name: str = ""
    is_active: bool = True
    is_draft: bool = False

    @property
    def is_live(self) -> bool:
        return self.is_active and not self.is_draft


@dataclass(frozen=True)
class _Template:
    candidate: Candidate
    sources: frozenset[int] | None
    needed: int
    """The kinds of which each must hit, as bits; 0 where any one does."""

    def takes(self, marks: int, source_id: int | None) -> bool:
        if marks & _EXCLUDED or marks & self.needed != self.needed:
            return False
        return self.sources is None or source_id in self.sources


class Matcher:
    """Rules of all templates of a user, compiled once; the oldest live one that takes a name wins.

    A verdict is that of each template's rules tried one by one, in time linear to the name.
    """

    def __init__(self, candidates: Iterable[Candidate]) -> None:
        self._templates: list[_Template] = []
        self._exact: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
        owners: defaultdict[Pattern, list[tuple[int, int]]] = defaultdict(list)
        for candidate in in_order(candidates):
            rules = read_rules(candidate.rules) if candidate.is_live else None
            if rules is None or rules.closed:
                continue
            self._add(candidate, rules, owners)
        self._owners = list(owners.values())
        self._patterns = pattern_set(tuple(owners))

    def first(self, display_name: str, source_id: int | None) -> Candidate | None:
        """The template that a recording of that name and source belongs to."""
        marked: list[tuple[int, int]] = []
        for name in compared(display_name):
            marked += self._exact.get(name, ())
            for hit in self._patterns.hits(name):
                marked += self._owners[hit]
        if not marked:
            return None
        marks: dict[int, int] = {}
        for at, bit in marked:
            marks[at] = marks.get(at, 0) | bit
        for at in sorted(marks):
            template = self._templates[at]
            if template.takes(marks[at], source_id):
                return template.candidate
        return None

    def _add(
        self,
        candidate: Candidate,
        rules: StoredRules,
        owners: defaultdict[Pattern, list[tuple[int, int]]],
    ) -> None:
        place = len(self._templates)
        needed = sum(_BIT[kind] for kind in TAKING if kind in rules.said)
        self._templates.append(
            _Template(candidate, rules.sources, needed if rules.every_kind else 0)
        )
        for rule in rules.rules:
            mark = (place, _BIT[rule.kind])
            if rule.pattern is None:
                self._exact[rule.text].append(mark)
            else:
                owners[rule.pattern].append(mark)


def in_order(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The order in which templates are tried: oldest first, then by id."""
    return sorted(candidates, key=lambda each: (each.created_at, each.id))
