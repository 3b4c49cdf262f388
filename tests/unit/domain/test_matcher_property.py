"""The compiled matcher and the explanation against rules tried one by one, in the plainest way."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from leap_pipeline.domain.match_explanation import explain
from leap_pipeline.domain.matcher import Candidate, Matcher

BORN = datetime(2026, 1, 1, tzinfo=UTC)


def forms(name: str) -> list[str]:
    """A part of a meeting is taken as its meeting would be."""
    part = re.fullmatch(r"(.*\S) \(part [2-9]\)", name)
    return [name, part[1]] if part else [name]


def plain_match(rules: dict[str, Any], name: str, source: int | None) -> bool:
    """The semantics, on Python's `re`: for alphabets where both engines fold alike."""
    flags = 0 if rules.get("case_sensitive") else re.IGNORECASE

    def texts(kind: str) -> list[str]:
        return [each for each in rules.get(kind) or [] if each.strip()]

    def found(pattern: str) -> bool:
        return any(re.search(pattern, form, flags) for form in forms(name))

    def keyword(kind: str) -> bool:
        return any(found(re.escape(each)) for each in texts(kind))

    def pattern(kind: str) -> bool:
        return any(found(each) for each in texts(kind))

    if rules.get("source_ids") and source not in rules["source_ids"]:
        return False
    if keyword("exclude_keywords") or pattern("exclude_patterns"):
        return False
    kinds = []
    if texts("exact_matches"):
        kinds.append(any(form in texts("exact_matches") for form in forms(name)))
    if texts("keywords"):
        kinds.append(keyword("keywords"))
    if texts("patterns"):
        kinds.append(pattern("patterns"))
    return bool(kinds) and (all(kinds) if rules.get("match_mode") == "all" else any(kinds))


def plain_first(candidates: list[Candidate], name: str, source: int | None) -> int | None:
    for each in sorted(candidates, key=lambda each: (each.created_at, each.id)):
        live = each.is_active and not each.is_draft
        assert isinstance(each.rules, dict)
        if live and plain_match(each.rules, name, source):
            return each.id
    return None


# Few letters, so that rules hit, and hit together.
LETTERS = "abAB лЛё Ё.7"
words = st.text(LETTERS, min_size=1, max_size=3)
names = st.text(LETTERS, max_size=8)
atoms = st.sampled_from(
    ["a", "B", "л", "Ё", r"\d", ".", "[ab]", "[^a]", "[а-я]", r"\.", "^", "$", "(?:a|л)", " "]
)
pieces = st.tuples(atoms, st.sampled_from(["", "", "", "?", "*", "+", "{2}"])).map(
    lambda pair: pair[0] if pair[0] in "^$" else "".join(pair)
)
patterns = st.lists(pieces, min_size=1, max_size=4).map("".join) | st.tuples(pieces, pieces).map(
    "|".join
)
rules = st.fixed_dictionaries(
    {},
    optional={
        "exact_matches": st.lists(names, max_size=3),
        "keywords": st.lists(words, max_size=3),
        "patterns": st.lists(patterns, max_size=3),
        "exclude_keywords": st.lists(words, max_size=1),
        "exclude_patterns": st.lists(patterns, max_size=1),
        "source_ids": st.lists(st.integers(1, 3), max_size=2),
        "match_mode": st.sampled_from(["any", "all"]),
        "case_sensitive": st.booleans(),
    },
)
sources = st.none() | st.integers(1, 3)
parts = names.map("{} (part 2)".format)
mostly = st.sampled_from([True, True, True, False])


@st.composite
def templates(draw: st.DrawFn) -> list[Candidate]:
    drawn = draw(st.lists(st.tuples(rules, st.integers(0, 2), mostly, mostly), max_size=6))
    numbers = draw(st.permutations(range(len(drawn))))
    return [
        Candidate(number, BORN + timedelta(days=days), given_rules, "", active, not ready)
        for number, (given_rules, days, active, ready) in zip(numbers, drawn, strict=True)
    ]


@settings(max_examples=150, deadline=None)
@given(templates(), st.lists(st.tuples(names | parts, sources), min_size=1, max_size=8))
def test_the_matcher_gives_the_plain_answer(
    candidates: list[Candidate], recordings: list[tuple[str, int | None]]
) -> None:
    matcher = Matcher(candidates)
    for name, source in recordings:
        wanted = plain_first(candidates, name, source)
        found = matcher.first(name, source)
        assert (found and found.id) == wanted
        told = explain(candidates, name, source)
        assert (told.winner and told.winner.template_id) == wanted
        assert len(told.verdicts) == len(candidates)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            [*("keywords patterns exclude_patterns source_ids match_mode".split()), "?"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
            max_leaves=4,
        ),
    ),
    st.text(max_size=20),
)
def test_no_stored_rules_raise_and_both_tell_the_same(stored: dict[str, Any], name: str) -> None:
    candidates = [Candidate(1, BORN, stored)]
    found = Matcher(candidates).first(name, 1)
    told = explain(candidates, name, 1).winner
    assert (found is None) == (told is None)
