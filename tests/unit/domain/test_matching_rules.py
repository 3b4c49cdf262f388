"""What may be saved as a template's matching rules, and how the rest is refused."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import pytest

from leap_pipeline.domain.matching import MatchingRules
from leap_pipeline.domain.patterns import PROGRAM_LIMIT, compile_pattern
from leap_pipeline.domain.shapes.base import ShapeError, parse

DESIGN = {
    "exact_matches": ["Lecture: Machine Learning", "AI Course"],
    "keywords": ["ML", "AI", "neural networks"],
    "patterns": ["Лекция \\d+:.*ML", "\\[МО\\].*"],
    "source_ids": [1, 3],
    "match_mode": "any",
}


def refused(rules: object) -> str:
    with pytest.raises(ShapeError) as error:
        parse(MatchingRules, rules, "matching_rules")
    return str(error.value)


@pytest.mark.parametrize(
    "rules",
    [
        {},
        DESIGN,
        {"patterns": ["(a+)+$", "^.{1,500}$", "\\pL+ \\pN", "(?i)x", "(?P<n>a)|(?<m>b)"]},
        {"keywords": [" ML "], "exclude_keywords": ["draft"], "case_sensitive": True},
        {"exclude_patterns": ["\\(copy\\)", "[)(]", "\\Q(\\E"], "match_mode": "all"},
    ],
)
def test_good_rules_are_taken_as_they_are(rules: dict[str, Any]) -> None:
    read = parse(MatchingRules, rules, "matching_rules")
    assert read.model_dump(mode="json", exclude_unset=True) == rules


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (None, "` must be an object"),
        ([], "` must be an object"),
        ({"keyword": ["x"]}, ".keyword` is not a known key; did you mean `keywords`?"),
        ({"keywords": "ML"}, ".keywords` must be a list"),
        ({"keywords": None}, ".keywords` must be a list"),
        ({"keywords": ["a", 123]}, ".keywords[1]` must be a text"),
        ({"keywords": ["a", None, "c"]}, ".keywords[1]` must be a text"),
        ({"patterns": [["a"]]}, ".patterns[0]` must be a text"),
        ({"exact_matches": [True]}, ".exact_matches[0]` must be a text"),
        ({"exclude_patterns": [{}]}, ".exclude_patterns[0]` must be a text"),
        ({"exact_matches": [""]}, ".exact_matches[0]` is blank"),
        ({"keywords": ["x", " \t"]}, ".keywords[1]` is blank"),
        ({"patterns": ["\N{NO-BREAK SPACE}"]}, ".patterns[0]` is blank"),
        ({"exclude_keywords": [""]}, ".exclude_keywords[0]` is blank"),
        ({"exclude_patterns": [""]}, ".exclude_patterns[0]` is blank"),
        ({"keywords": ["x" * 501]}, ".keywords[0]` is too long"),
        ({"patterns": ["x" * 1001]}, ".patterns[0]` is too long"),
        ({"keywords": ["x"] * 201}, ".keywords` has 201 entries"),
        ({"keywords": ["\x00"]}, ".keywords[0]` has a character that cannot be stored"),
        ({"patterns": ["\ud800"]}, ".patterns[0]` has a character that cannot be stored"),
        ({"source_ids": ["1"]}, ".source_ids[0]` must be a whole number"),
        ({"source_ids": [1, 2.5]}, ".source_ids[1]` must be a whole number"),
        ({"source_ids": [True]}, ".source_ids[0]` must be a whole number"),
        ({"source_ids": [0]}, ".source_ids[0]` must be greater than 0"),
        ({"source_ids": [2**31]}, ".source_ids[0]` must be less than"),
        ({"match_mode": "some"}, ".match_mode` must be one of"),
        ({"case_sensitive": "no"}, ".case_sensitive` must be true or false"),
        ({"patterns": [".{1000}"] * 20}, "` has patterns that are too large together"),
    ],
)
def test_wrong_rules_are_refused_with_their_path(rules: object, said: str) -> None:
    assert refused(rules).startswith(f"`matching_rules{said}")


@pytest.mark.parametrize(
    ("pattern", "place", "reason"),
    [
        ("(unclosed", 1, "“(” is not closed"),
        ("a(b(c)", 2, "“(” is not closed"),
        ("[(](", 4, "“(” is not closed"),
        ("(a))", 4, "“)” closes nothing"),
        ("ab[c", 3, "“[” is not closed"),
        ("ab[z-a]", 4, "“z-a” is no class"),
        ("\\p{Foo}", 1, "“\\p{Foo}” is no class"),
        ("*a", 1, "“*” has nothing before it"),
        ("a|+b", 3, "“+” has nothing before it"),
        ("a++", 2, "“++” is no way to repeat"),
        ("a{1001}", 2, "“{1001}” must go from low to high, nested ones to 1000 in all"),
        ("a{3,1}", 2, "“{3,1}” must go from low to high"),
        ("\\\\Z\\Z", 4, "“\\Z” is unknown to RE2"),
        ("a(?>b)", 2, "“(?>” is unknown to RE2"),
        ("(?P<n!>b)", 1, "“(?P<n!>” is no name"),
        ("a(?=b)", 2, "look-around"),
        ("a(?!b)", 2, "look-around"),
        ("(?<=a)b", 1, "look-around"),
        ("(?<!a)b", 1, "look-around"),
        ("(a)\\1", 4, "a reference back"),
        ("\\\\1(a)\\1", 7, "a reference back"),
        ("(?P<n>a)(?P=n)", 9, "a reference back"),
    ],
)
def test_a_pattern_is_refused_with_the_place_and_the_reason(
    pattern: str, place: int, reason: str
) -> None:
    said = refused({"patterns": ["fine", "fine too", pattern]})
    wanted = f"`matching_rules.patterns[2]` cannot be searched: at character {place}, {reason}"
    assert said.startswith(wanted)
    assert refused({"exclude_patterns": [pattern]}).startswith(
        "`matching_rules.exclude_patterns[0]`"
    )


@pytest.mark.parametrize("pattern", ["a(?=b)", "(?<!a)b", "(a)\\1", "(?P<n>a)(?P=n)"])
def test_what_no_linear_engine_can_do_is_called_so(pattern: str) -> None:
    assert "is not possible on an engine that promises linear time" in refused(
        {"patterns": [pattern]}
    )


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("\\pL{50}", "is too large"),
        ("(?:\\pL\\pN){20}", "is too large"),
        ("a\\", "a single “\\” at its end"),
        ("\\C", "“\\C” is a byte"),
    ],
)
def test_patterns_without_a_place_to_name(pattern: str, said: str) -> None:
    assert said in refused({"patterns": [pattern]})


def test_every_problem_is_named_not_the_first_alone() -> None:
    said = refused({"keywords": [1], "patterns": ["("], "match_mode": 3})
    assert "(wrong as well: `matching_rules.patterns[0]`, `matching_rules.match_mode`)" in said


def test_texts_are_stored_composed() -> None:
    rules = {"keywords": [unicodedata.normalize("NFD", "ёж")], "patterns": ["[й]"]}
    read = parse(MatchingRules, rules, "matching_rules")
    assert read.keywords == ("ёж",)


def test_the_limit_of_a_program_leaves_room_for_ordinary_patterns() -> None:
    ordinary = ["^(\\pL+ ){1,3}№ ?\\d+$", "(?i)лекция|семинар|практика", ".{1,500} .{1,500}"]
    assert max(compile_pattern(each).size for each in ordinary) < PROGRAM_LIMIT / 2


def test_a_wrong_pattern_writes_nothing_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    assert not re.search("\n", refused({"patterns": ["("]}))
    assert capfd.readouterr().err == ""
