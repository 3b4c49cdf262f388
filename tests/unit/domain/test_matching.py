"""Which template a recording belongs to."""

from __future__ import annotations

import time
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import re2

from leap_pipeline.domain import patterns
from leap_pipeline.domain.match_explanation import Outcome, explain
from leap_pipeline.domain.matcher import Candidate, Matcher

NAME = "Machine Learning, Lecture 7"
BORN = datetime(2026, 1, 1, tzinfo=UTC)


def candidate(number: int, days: int, rules: object, **columns: Any) -> Candidate:
    return Candidate(number, BORN + timedelta(days=days), rules, f"Template {number}", **columns)


def winner(candidates: list[Candidate], name: str = NAME, source: int | None = None) -> int | None:
    """The first match, which the explanation must give as well."""
    found = Matcher(candidates).first(name, source)
    told = explain(candidates, name, source).winner
    assert (found and found.id) == (told and told.template_id)
    return found.id if found else None


def fits(name: str = NAME, source: int | None = None, **rules: Any) -> bool:
    return winner([candidate(1, 0, rules)], name, source) is not None


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
    assert fits("ПРИКЛАДНАЯ СТАТИСТИКА", patterns=[f"^{folded} [а-я]+$"])
    assert not fits("Прикладная", keywords=[folded], patterns=[folded], case_sensitive=True)


@pytest.mark.parametrize(
    ("name", "word", "same"),
    [
        ("ОДИССЕЙ", "одиссей", True),
        ("Ёлка", "ёЛКА", True),
        ("Ёлка", "елка", False),
        ("ΟΔΟΣ", "οδος", True),
        ("οδός", "ΟΔΌΣ", True),
        ("Straße", "STRAẞE", True),
        ("Straße", "STRASSE", False),
        ("\N{KELVIN SIGN}", "k", True),
        ("\N{LATIN SMALL LIGATURE FI}n", "fin", False),
        ("İstanbul", "istanbul", False),
        ("Արարատ", "ԱՐԱՐԱՏ", True),
    ],
)
def test_keywords_and_patterns_fold_alike_and_by_single_characters(
    name: str, word: str, same: bool
) -> None:
    assert fits(name, keywords=[word]) is same
    assert fits(name, patterns=[word]) is same
    assert fits(name, exclude_keywords=[word], keywords=[name]) is not same
    assert fits(name, exclude_patterns=[word], keywords=[name]) is not same


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("shown", ["NFC", "NFD"])
def test_decomposed_letters_are_the_same_letters(stored: Any, shown: Any) -> None:
    rule, name = (unicodedata.normalize(form, "Линейный ёж") for form in (stored, shown))
    for kind in ("exact_matches", "keywords", "patterns"):
        assert winner([candidate(1, 0, {kind: [rule]})], name)
    assert fits(name, patterns=["^Линейны. ..$"])


@pytest.mark.parametrize("name", ["a\ud800b", "a\x00b", "a\nb", "\U0001f600" * 500, "й" * 500])
def test_strange_names_are_searched_like_others(name: str) -> None:
    assert fits(name, patterns=["^a(?s:.)b$", "^(\U0001f600|й)+$"])
    assert fits(name, exact_matches=[name])
    assert not fits(name, keywords=["c"])


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}$", "([a-z]+)*!"])
def test_a_catastrophic_pattern_takes_linear_time(pattern: str) -> None:
    def seconds(length: int) -> float:
        begun = time.perf_counter()
        assert not fits("a" * length + "\N{SNOWMAN}", patterns=[pattern])
        return time.perf_counter() - begun

    # A backtracking engine doubles its time with each character: 40 would take hours.
    assert seconds(40) < 1.0
    assert seconds(100_000) < 5.0


@pytest.mark.parametrize("pattern", ["(", "[a", "(?=look)", r"(a)\1", "a{5000}", r"\pL{50}"])
def test_a_pattern_that_the_engine_cannot_take_matches_nothing_and_hurts_no_other(
    pattern: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert not fits("(a)(look)aa", patterns=[pattern])
    assert fits(patterns=[pattern, "Lecture"])
    assert not fits(patterns=[pattern], keywords=["Lecture"], match_mode="all")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("word", "name", "verdict"),
    [
        ("C++", "C++ for all", True),
        ("C++", "CCC", False),
        (".*", "anything", False),
        ("(", "an (aside)", True),
        ("\\", "C:\\", True),
        (" ML ", "the ML course", True),
        (" ML ", "HTML course", False),
    ],
)
def test_a_keyword_is_taken_as_it_stands(word: str, name: str, verdict: bool) -> None:
    assert fits(name, keywords=[word]) is verdict


def test_the_oldest_live_template_that_matches_wins() -> None:
    hit, miss = {"keywords": ["learning"]}, {"keywords": ["biology"]}
    assert winner([]) is None
    assert winner([candidate(1, 0, miss)]) is None
    several = [candidate(9, 2, hit), candidate(8, 1, hit), candidate(7, 1, hit)]
    not_tried = [
        candidate(1, 0, miss),
        candidate(2, 0, hit, is_active=False),
        candidate(3, 0, hit, is_draft=True),
        candidate(4, 0, {**hit, "source_ids": [5]}),
        candidate(5, 0, {**hit, "exclude_keywords": ["7"]}),
    ]
    assert winner([*several, *not_tried]) == 7
    assert winner([*several, *not_tried], source=5) == 4


@pytest.mark.parametrize(
    "spoiled", [None, {}, [], 3, "x", {"keyword": ["x"]}, {"keywords": 3}, {"patterns": None}]
)
def test_rules_that_cannot_be_read_spoil_no_other_template(spoiled: object) -> None:
    assert winner([candidate(1, 0, spoiled), candidate(2, 1, {"keywords": ["learning"]})]) == 2


@pytest.mark.parametrize(
    ("old", "path"),
    [
        ({"keywords": [123, None, "learning"]}, "keywords[0]"),
        ({"patterns": ["(unclosed", "Learning"]}, "patterns[0]"),
        ({"keywords": ["learning"], "colour": 1}, "colour"),
        ({"exact_matches": "Machine", "keywords": ["learning"]}, "exact_matches"),
        ({"keywords": ["learning"], "source_ids": ["4", 5]}, "source_ids[0]"),
    ],
)
def test_what_can_be_read_of_an_old_row_counts_and_the_rest_is_told(
    old: dict[str, Any], path: str
) -> None:
    (verdict,) = explain([candidate(1, 0, old)], NAME, 5).verdicts
    assert verdict.outcome is Outcome.WINS
    assert verdict.problems[0].startswith(f"`matching_rules.{path}` ")
    assert winner([candidate(1, 0, old)], source=5) == 1


@pytest.mark.parametrize(
    "narrowing",
    [
        {"exclude_keywords": [7]},
        {"exclude_patterns": ["(draft"]},
        {"exclude_patterns": "draft"},
        {"source_ids": ["5"]},
        {"source_ids": 5},
        {"source_ids": [True]},
        {"match_mode": "most"},
        {"match_mode": True},
        {"case_sensitive": "yes"},
        {"case_sensitive": 1},
    ],
)
def test_a_template_whose_limits_cannot_be_read_takes_nothing(narrowing: dict[str, Any]) -> None:
    old = {"keywords": ["learning"], **narrowing}
    (verdict,) = explain([candidate(1, 0, old)], NAME, 5).verdicts
    assert verdict.outcome in (Outcome.UNREADABLE, Outcome.OTHER_SOURCE)
    assert verdict.problems
    assert winner([candidate(1, 0, old)], source=5) is None


def test_a_set_without_memory_gives_the_same_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    several = [candidate(1, 0, {"patterns": [".{200}x"]}), candidate(2, 1, {"keywords": ["LEARN"]})]
    monkeypatch.setattr(patterns, "SET_MEMORY", 4000)
    patterns.pattern_set.cache_clear()
    assert None in [part._set for part in Matcher(several)._patterns._parts]
    assert winner(several) == 2
    assert winner(several, "biology") is None
    patterns.pattern_set.cache_clear()


def test_a_set_that_runs_out_of_memory_at_work_is_asked_rule_by_rule() -> None:
    patterns.pattern_set.cache_clear()
    matcher = Matcher([candidate(1, 0, {"keywords": ["LEARN"]})])
    exhausted = re2.Set.SearchSet()
    exhausted.Add("x^")
    exhausted.Compile()
    matcher._patterns._parts[
        0
    ]._set = exhausted  # as one does that is out of memory, it answers: no hit
    found = matcher.first(NAME, None)
    patterns.pattern_set.cache_clear()
    assert found is not None
    assert found.id == 1


def test_sets_are_kept_by_their_patterns_and_hold_no_templates() -> None:
    one, two = ([candidate(number, 0, {"keywords": ["kept"]})] for number in (1, 2))
    assert Matcher(one)._patterns is Matcher(two)._patterns
    assert (winner(one, "kept"), winner(two, "kept")) == (1, 2)


def test_a_part_is_taken_as_its_meeting_would_be() -> None:
    exact = Candidate(1, BORN, {"exact_matches": ["Algebra"]})
    second = Candidate(2, BORN, {"patterns": [r"part 2\)$"], "exclude_patterns": ["^Physics$"]})
    both = [exact, second]
    wanted = {
        "Algebra": 1,
        "Algebra (part 2)": 1,
        "Analysis (part 2)": 2,
        "Analysis (part 3)": None,
        "Physics (part 2)": None,
        "Algebra (part 1)": None,
    }
    for name, number in wanted.items():
        found = Matcher(both).first(name, None)
        assert (found and found.id) == number
        told = explain(both, name, None).winner
        assert (told and told.template_id) == number
    (hit,) = explain([exact], "Algebra (part 2)", None).verdicts[0].hits
    assert (hit.start, hit.end) == (0, len("Algebra"))
