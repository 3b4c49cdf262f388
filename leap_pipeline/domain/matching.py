"""Which template a recording belongs to. User patterns run on RE2: linear time, always."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import re2
from pydantic import BaseModel, ConfigDict, ValidationError


class MatchingRules(BaseModel):
    """`recording_templates.matching_rules`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    exact_matches: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    exclude_keywords: tuple[str, ...] = ()
    exclude_patterns: tuple[str, ...] = ()
    source_ids: tuple[int, ...] = ()
    match_mode: Literal["any", "all"] = "any"
    case_sensitive: bool = False


@dataclass(frozen=True)
class Candidate:
    """A template as matching sees it."""

    id: int
    created_at: datetime
    rules: Mapping[str, Any] | None


def _found(pattern: str, name: str, *, case_sensitive: bool) -> bool:
    options = re2.Options()
    options.case_sensitive = case_sensitive
    options.log_errors = False  # RE2 would write a bad pattern to stderr
    try:
        return re2.compile(pattern, options).search(name) is not None
    except re2.error:
        return False  # refused when a template is saved; a row written by other hands never matches


def matches(rules: MatchingRules, display_name: str, source_id: int | None) -> bool:
    """Whether a recording of that name and source falls under the rules."""
    if rules.source_ids and source_id not in rules.source_ids:
        return False
    present = _without_blanks(rules)
    name = display_name if rules.case_sensitive else display_name.casefold()

    def contained(words: tuple[str, ...]) -> bool:
        folded = words if rules.case_sensitive else tuple(word.casefold() for word in words)
        return any(word in name for word in folded)

    def searched(patterns: tuple[str, ...]) -> bool:
        return any(
            _found(each, display_name, case_sensitive=rules.case_sensitive) for each in patterns
        )

    if contained(present.exclude_keywords) or searched(present.exclude_patterns):
        return False
    kinds = [
        verdict
        for said, verdict in (
            (present.exact_matches, display_name in present.exact_matches),
            (present.keywords, contained(present.keywords)),
            (present.patterns, searched(present.patterns)),
        )
        if said
    ]
    return bool(kinds) and (all(kinds) if rules.match_mode == "all" else any(kinds))


def first_match(
    candidates: Iterable[Candidate], display_name: str, source_id: int | None
) -> Candidate | None:
    """The oldest template that matches (`created_at`, then `id`)."""
    for candidate in sorted(candidates, key=lambda each: (each.created_at, each.id)):
        rules = _readable(candidate.rules)
        if rules is not None and matches(rules, display_name, source_id):
            return candidate
    return None


def _readable(stored: Mapping[str, Any] | None) -> MatchingRules | None:
    """Stored rules; None where they cannot be read, so that one template spoils no other."""
    try:
        return MatchingRules.model_validate(stored)
    except ValidationError:
        return None


def _without_blanks(rules: MatchingRules) -> MatchingRules:
    """The rules without empty texts: an empty keyword is found in every name."""
    lists = ("exact_matches", "keywords", "patterns", "exclude_keywords", "exclude_patterns")
    return rules.model_copy(
        update={
            name: tuple(each for each in getattr(rules, name) if each.strip()) for name in lists
        }
    )
