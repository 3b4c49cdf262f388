"""The plain loops that matching is measured against; same rules, same answers, Python's `re`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from leap_pipeline.domain.matcher import Candidate


@dataclass(frozen=True)
class Name:
    text: str
    source_id: int | None


def loop(candidates: list[Candidate], names: list[Name]) -> list[int | None]:
    compiled = [(each, _compiled(each)) for each in candidates]
    return [_loop_one(compiled, each) for each in names]


def _compiled(candidate: Candidate) -> dict[str, list[re.Pattern[str]]]:
    """Every rule as a pattern; a keyword is one of plain characters."""
    rules: Any = candidate.rules
    flags = 0 if rules.get("case_sensitive") else re.IGNORECASE
    return {
        kind: [re.compile(re.escape(each) if "keyword" in kind else each, flags) for each in texts]
        for kind, texts in rules.items()
        if kind.endswith(("keywords", "patterns"))
    }


def _loop_one(
    compiled: list[tuple[Candidate, dict[str, list[re.Pattern[str]]]]], name: Name
) -> int | None:
    for candidate, patterns in compiled:
        rules: Any = candidate.rules
        if rules.get("source_ids") and name.source_id not in rules["source_ids"]:
            continue

        def hit(kind: str, patterns: Any = patterns) -> bool:
            return any(each.search(name.text) for each in patterns.get(kind, ()))

        if hit("exclude_keywords") or hit("exclude_patterns"):
            continue
        kinds = [kind for kind in ("exact_matches", "keywords", "patterns") if rules.get(kind)]
        verdicts = (
            name.text in rules[kind] if kind == "exact_matches" else hit(kind) for kind in kinds
        )
        needed = all if rules.get("match_mode") == "all" else any
        if kinds and needed(verdicts):
            return candidate.id
    return None


@dataclass(frozen=True)
class _Prepared:
    id: int
    sources: frozenset[int]
    exact: frozenset[str]
    keywords: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...]
    exclude_keywords: tuple[str, ...]
    exclude_patterns: tuple[re.Pattern[str], ...]
    every_kind: bool
    case_sensitive: bool

    def takes(self, name: str, folded: str) -> bool:
        searched = name if self.case_sensitive else folded
        if any(each in searched for each in self.exclude_keywords):
            return False
        if any(each.search(name) for each in self.exclude_patterns):
            return False
        if not self.every_kind:
            return (
                name in self.exact
                or any(each in searched for each in self.keywords)
                or any(each.search(name) for each in self.patterns)
            )
        return (
            (not self.exact or name in self.exact)
            and (not self.keywords or any(each in searched for each in self.keywords))
            and (not self.patterns or any(each.search(name) for each in self.patterns))
        )


def tuned_loop(candidates: list[Candidate], names: list[Name]) -> list[int | None]:
    prepared = [_prepare(each) for each in candidates]
    found: list[int | None] = []
    for name in names:
        folded = name.text.lower()
        found.append(
            next(
                (
                    each.id
                    for each in prepared
                    if (not each.sources or name.source_id in each.sources)
                    and each.takes(name.text, folded)
                ),
                None,
            )
        )
    return found


def _prepare(candidate: Candidate) -> _Prepared:
    rules: Any = candidate.rules
    strict = rules.get("case_sensitive", False)

    def words(kind: str) -> tuple[str, ...]:
        return tuple(each if strict else each.lower() for each in rules.get(kind, ()))

    def patterns(kind: str) -> tuple[re.Pattern[str], ...]:
        flags = 0 if strict else re.IGNORECASE
        return tuple(re.compile(each, flags) for each in rules.get(kind, ()))

    return _Prepared(
        candidate.id,
        frozenset(rules.get("source_ids", ())),
        frozenset(rules.get("exact_matches", ())),
        words("keywords"),
        patterns("patterns"),
        words("exclude_keywords"),
        patterns("exclude_patterns"),
        rules.get("match_mode") == "all",
        strict,
    )
