"""Cuts at lines, words and between characters as a reader sees them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_pipeline.domain.graphemes import is_boundary
from leap_pipeline.domain.text_cut import Unit, clean, cut, one_line, paragraphs

FAMILY = "👨‍👩‍👧‍👦"
WHOLE_CHARACTERS = {
    "letter": "a",
    "Russian letter of two parts": "и\u0306",
    "stacked marks": "e\u0301\u0323\u20dd",
    "family": FAMILY,
    "skin tone": "👍🏽",
    "woman technologist": "👩🏽‍💻",
    "heart": "❤️",
    "keycap": "1️⃣",
    "flag": "🇷🇺",
    "flag of Scotland": "🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "Korean syllable in parts": "\u1112\u1161\u11ab",
    "Korean syllable with an end": "하\u11ab",
    "Hindi conjunct": "क्ष",
    "Hindi conjunct with a joiner": "क्\u200dष",
    "Tamil": "நி",
    "Thai": "กำ",
    "Hebrew with points": "שָׁ",
    "Arabic with a mark": "بّ",
    "line break of two": "\r\n",
}


@pytest.mark.parametrize("whole", WHOLE_CHARACTERS.values(), ids=WHOLE_CHARACTERS)
def test_no_cut_falls_into_a_character(whole: str) -> None:
    text = f"x{whole}x" if whole != "\r\n" else whole
    inside = range(2, len(text) - 1) if whole != "\r\n" else [1]
    assert [index for index in inside if is_boundary(text, index)] == []
    assert is_boundary(text, 0)
    assert is_boundary(text, len(text))
    if whole != "\r\n":
        assert is_boundary(text, 1)
        assert is_boundary(text, len(text) - 1)


@pytest.mark.parametrize(
    ("text", "boundaries"),
    [
        ("🇷🇺🇩🇪🇫🇷", [2, 4]),
        ("🇷🇺🇩", [2]),
        ("a\nb", [1, 2]),
        ("한국", [1]),
        ("👍👍", [1]),
        ("مرحبا", [1, 2, 3, 4]),
        ("日本", [1]),
    ],
)
def test_two_characters_can_be_parted(text: str, boundaries: list[int]) -> None:
    assert [index for index in range(1, len(text)) if is_boundary(text, index)] == boundaries


@pytest.mark.parametrize(
    ("text", "limit", "result"),
    [
        ("short", 5, "short"),
        ("one two words", 10, "one two…"),
        ("two words", 4, "two…"),
        ("Введение в машинное обучение", 20, "Введение в машинное…"),
        ("Introduction, continued", 14, "Introduction…"),
        ("Lecture 7 — notes", 12, "Lecture 7…"),
        ("Donaudampfschifffahrt", 10, "Donaudamp…"),
        ("a Donaudampfschifffahrt", 10, "a Donauda…"),
        ("-" * 20, 5, "----…"),
        (f"{FAMILY}{FAMILY}", 12, f"{FAMILY}…"),
        (f"{FAMILY}{FAMILY}", 21, f"{FAMILY}…"),
        (f"ab{FAMILY}", 8, "ab…"),
        ("😀😀😀", 5, "😀😀…"),
        ("שלום עולם ומלואו", 12, "שלום עולם…"),
        ("一二三四五六", 4, "一二三…"),
        ("one\ntwo\nthree four", 13, "one\ntwo…"),
        ("first line is long\nb c d e f", 22, "first line is long…"),
        ("a" + "\u0301" * 50, 11, "a" + "\u0301" * 9 + "…"),
        (FAMILY, 3, "…"),
        (f"{FAMILY}ab", 11, "…"),
        ("q\u0323\u0301b", 3, "…"),
        ("word", 1, "…"),
        ("word", 0, ""),
    ],
)
def test_where_a_text_is_cut(text: str, limit: int, result: str) -> None:
    assert cut(text, limit) == result


def test_bytes_are_counted_as_bytes() -> None:
    assert cut("лекция", 12, Unit.BYTES) == "лекция"
    assert cut("лекция", 11, Unit.BYTES) == "лекц…"
    assert cut("ab 😀😀", 10, Unit.BYTES) == "ab…"
    assert cut("ab😀😀", 9, Unit.BYTES) == "ab😀…"
    assert cut("ab😀😀", 8, Unit.BYTES) == "ab…"


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("a\r\nb\rc\x85d\u2028e", "a\nb\nc\nd\ne"),
        ("a\x00b\x07c\x1bd", "abcd"),
        ("\ud83d\ude00 \ud83d lone", "😀  lone"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_a_clean_text_can_be_sent(text: str, result: str) -> None:
    assert clean(text) == result


def test_lines_and_paragraphs() -> None:
    assert one_line("  a \n\n b\u00a0\tc ") == "a b c"
    assert paragraphs("\n a  \n\n\n\nb \t\nc\n\n") == "a\n\nb\nc"


ANY_TEXT = st.text(st.characters()) | st.lists(
    st.sampled_from([*WHOLE_CHARACTERS.values(), " ", "\n", "слово", "\ud800", "…", "-"])
).map("".join)


@settings(deadline=None)
@given(ANY_TEXT, st.integers(0, 60), st.sampled_from(Unit), st.sampled_from([one_line, paragraphs]))
def test_a_cut_text_fits_and_is_whole(
    text: str, limit: int, unit: Unit, tidy: Callable[[str], str]
) -> None:
    tidied = tidy(text)
    assert tidy(tidied) == tidied
    result = cut(tidied, limit, unit)
    assert unit.size(result) <= limit
    assert result.encode().decode() == result
    assert cut(result, limit, unit) == result
    assert tidy(result) == result
    if result != tidied and result:
        kept = result.removesuffix("…")
        assert result.endswith("…")
        assert tidied.startswith(kept)
        one_character = not any(is_boundary(tidied, index) for index in range(1, len(kept)))
        assert is_boundary(tidied, len(kept)) or one_character
