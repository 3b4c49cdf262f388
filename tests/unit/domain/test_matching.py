"""Which template a recording belongs to."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leap_pipeline.domain.matching import Candidate, MatchingRules, first_match, matches

NAME = "Machine Learning, Lecture 7"
BORN = datetime(2026, 1, 1, tzinfo=UTC)


def fits(name: str = NAME, source: int | None = None, **rules: Any) -> bool:
    return matches(MatchingRules.model_validate(rules), name, source)


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        ({"exact_matches": [NAME]}, True),
        ({"exact_matches": [NAME.lower()]}, False),
        ({"exact_matches": ["Machine"]}, False),
        ({"keywords": ["LEARNING"]}, True),
        ({"keywords": ["LEARNING"], "case_sensitive": True}, False),
        ({"keywords": ["Learning"], "case_sensitive": True}, True),
        ({"keywords": ["biology", "lecture"]}, True),
        ({"keywords": ["biology"]}, False),
        ({"patterns": [r"lecture \d+$"]}, True),
        ({"patterns": [r"lecture \d+$"], "case_sensitive": True}, False),
        ({"patterns": [r"^Lecture"]}, False),
        ({"patterns": ["Seminar", "Lec+t"]}, True),
    ],
)
def test_each_kind_of_rule(rules: dict[str, Any], verdict: bool) -> None:
    assert fits(**rules) is verdict


HIT = {"exact_matches": [NAME], "keywords": ["learning"], "patterns": ["7$"]}
MISS = {"exact_matches": ["x"], "keywords": ["biology"], "patterns": ["8$"]}


@pytest.mark.parametrize("hits", range(8))
def test_any_needs_one_kind_and_all_needs_every_kind_that_is_there(hits: int) -> None:
    chosen = {kind: hits >> bit & 1 for bit, kind in enumerate(HIT)}
    rules: dict[str, Any] = {kind: (HIT if hit else MISS)[kind] for kind, hit in chosen.items()}
    assert fits(**rules, match_mode="any") is (hits > 0)
    assert fits(**rules, match_mode="all") is (hits == 7)
    present: dict[str, Any] = {kind: rules[kind] for kind, hit in chosen.items() if hit}
    assert fits(**present, match_mode="all") is (hits > 0)


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"match_mode": "all"},
        {"source_ids": [3]},
        {"exclude_keywords": ["biology"]},
        {"keywords": [""]},
        {"keywords": ["  "], "patterns": [""]},
        {"exact_matches": [""]},
    ],
)
@pytest.mark.parametrize("name", [NAME, "", "  "])
def test_rules_with_nothing_in_them_match_nothing(name: str, rules: dict[str, Any]) -> None:
    assert fits(name, 3, **rules) is False


def test_empty_texts_beside_others_say_nothing() -> None:
    assert fits(keywords=["", "learning"], patterns=[""], match_mode="all")
    assert fits(keywords=["learning"], exclude_keywords=[""], exclude_patterns=[""])


def test_exclusions_win() -> None:
    assert not fits(exact_matches=[NAME], exclude_keywords=["LECTURE"])
    assert not fits(keywords=["learning"], exclude_patterns=[r"\d"])
    assert fits(keywords=["learning"], exclude_keywords=["biology"], exclude_patterns=["^L"])
    assert fits(keywords=["Learning"], exclude_keywords=["LECTURE"], case_sensitive=True)


def test_source_ids_are_a_filter_and_empty_means_any() -> None:
    assert fits(source=3, keywords=["learning"], source_ids=[2, 3])
    assert not fits(source=4, keywords=["learning"], source_ids=[2, 3])
    assert not fits(source=None, keywords=["learning"], source_ids=[2, 3])
    assert fits(source=None, keywords=["learning"])


@pytest.mark.parametrize("folded", ["ПРИКЛАДНАЯ", "прикладная"])
def test_case_is_folded_in_every_script(folded: str) -> None:
    assert fits("Прикладная статистика", keywords=[folded])
    assert fits("Прикладная статистика", patterns=[f"^{folded}"])


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}$", "([a-z]+)*!"])
def test_a_catastrophic_pattern_takes_linear_time(pattern: str) -> None:
    def seconds(length: int) -> float:
        begun = time.perf_counter()
        assert not fits("a" * length + "\N{SNOWMAN}", patterns=[pattern])
        return time.perf_counter() - begun

    # A backtracking engine doubles its time with each character: 40 would take hours.
    assert seconds(40) < 1.0
    assert seconds(100_000) < 5.0


@pytest.mark.parametrize("pattern", ["(", "[a", "(?=look)", r"(a)\1", "a{5000}"])
def test_a_pattern_that_the_engine_cannot_take_matches_nothing_and_hurts_no_other(
    pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not fits("(a)(look)", patterns=[pattern])
    assert fits(patterns=[pattern, "Lecture"])
    assert capfd.readouterr().err == ""


def candidate(number: int, days: int, rules: object) -> Candidate:
    return Candidate(number, BORN + timedelta(days=days), rules)  # type: ignore[arg-type]


def test_the_oldest_template_that_matches_wins() -> None:
    hit, miss = {"keywords": ["learning"]}, {"keywords": ["biology"]}
    assert first_match([], NAME, None) is None
    assert first_match([candidate(1, 0, miss)], NAME, None) is None
    several = [candidate(9, 2, hit), candidate(8, 1, hit), candidate(7, 1, hit)]
    found = first_match([*several, candidate(1, 0, miss)], NAME, None)
    assert found is not None
    assert found.id == 7


@pytest.mark.parametrize("spoiled", [None, {}, [], {"keyword": ["x"]}, {"keywords": 3}])
def test_rules_that_cannot_be_read_spoil_no_other_template(spoiled: object) -> None:
    good = candidate(2, 1, {"keywords": ["learning"]})
    assert first_match([candidate(1, 0, spoiled), good], NAME, None) == good
