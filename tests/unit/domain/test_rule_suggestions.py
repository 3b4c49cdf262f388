"""Rules that are proposed after one recording take it, and its like."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from leap_pipeline.domain.matcher import Candidate, Matcher
from leap_pipeline.domain.matching import MatchingRules
from leap_pipeline.domain.rule_suggestions import suggested_rules
from leap_pipeline.domain.shapes.base import parse

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("2026-11-19 ML, лекция 7", {"keywords": ["ML, лекция"]}),
        ("ML, лекция 7 (part 2)", {"keywords": ["ML, лекция"]}),
        ("Algebra", {"keywords": ["Algebra"]}),
        ("CS101: Algorithms 19.11.2026", {"keywords": ["Algorithms"]}),
        ("12.11.2026 10:00", {"exact_matches": ["12.11.2026 10:00"]}),
        ("ИИ 5", {"exact_matches": ["ИИ 5"]}),
    ],
)
def test_what_varies_is_left_out(name: str, rules: dict[str, list[str]]) -> None:
    assert suggested_rules(name) == rules
    parse(MatchingRules, rules, "matching_rules")
    assert Matcher([Candidate(1, SINCE, rules)]).first(name, None) is not None


@pytest.mark.parametrize("name", ["—", "(((1)))", "é" * 500, "a" * 499 + " 7", "\u200b1"])
def test_a_strange_name_is_taken_too(name: str) -> None:
    rules = suggested_rules(name)
    parse(MatchingRules, rules, "matching_rules")
    assert Matcher([Candidate(1, SINCE, rules)]).first(name, None) is not None
