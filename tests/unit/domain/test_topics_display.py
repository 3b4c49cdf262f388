"""Topics as a list in a description, and as YouTube's chapters."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_pipeline.domain.chapters import FEWEST, SHORTEST, as_chapters, first_time
from leap_pipeline.domain.shapes.base import ShapeError, parse
from leap_pipeline.domain.topics_display import (
    Topic,
    TopicsDisplay,
    read_topics,
    render_topics,
    shown,
)

STORED = [
    {"topic": "Градиентный спуск", "start": 0.0, "end": 600.0},
    {"topic": "Learning rate", "start": 600.4, "end": 3700.0},
    {"topic": "Q&A", "start": 3700, "end": 4000},
]


def listed(stored: object = STORED, **display: Any) -> str:
    how = TopicsDisplay.model_validate(display)
    return render_topics(shown(read_topics(stored), how), how)


@pytest.mark.parametrize(
    ("display", "text"),
    [
        (
            {},
            "1. 00:00:00 — Градиентный спуск\n2. 00:10:00 — Learning rate\n3. 01:01:40 — Q&A",
        ),
        (
            {"format": "numbered_list", "max_count": 999, "min_length": 0, "show_timestamps": True},
            "1. 00:00:00 — Градиентный спуск\n2. 00:10:00 — Learning rate\n3. 01:01:40 — Q&A",
        ),
        (
            {"format": "bullet_list", "show_timestamps": False},
            "• Градиентный спуск\n• Learning rate\n• Q&A",
        ),
        (
            {"format": "dash_list"},
            "- 00:00:00 — Градиентный спуск\n- 00:10:00 — Learning rate\n- 01:01:40 — Q&A",
        ),
        (
            {"format": "comma_separated", "show_timestamps": False},
            "Градиентный спуск, Learning rate, Q&A",
        ),
        (
            {"format": "inline", "show_timestamps": False},
            "Градиентный спуск · Learning rate · Q&A",
        ),
        (
            {"format": "inline", "separator": " / ", "max_count": 2},
            "00:00:00 — Градиентный спуск / 00:10:00 — Learning rate",
        ),
        (
            {
                "format": "dash_list",
                "show_timestamps": False,
                "separator": "\\n\\n",
                "max_count": 2,
            },
            "- Градиентный спуск\n\n- Learning rate",
        ),
        (
            {"min_length": 4, "show_timestamps": False},
            "1. Градиентный спуск\n2. Learning rate",
        ),
        (
            {"max_length": 12, "show_timestamps": False},
            "1. Градиентный…\n2. Learning…\n3. Q&A",
        ),
        (
            {"prefix": "Темы:", "max_count": 1, "show_timestamps": False},
            "Темы:\n1. Градиентный спуск",
        ),
        (
            {"prefix": "Темы:", "format": "comma_separated", "max_count": 1},
            "Темы: 00:00:00 — Градиентный спуск",
        ),
        (
            {"prefix": "Темы\\n\\n", "format": "inline", "max_count": 1, "show_timestamps": False},
            "Темы\n\nГрадиентный спуск",
        ),
        ({"prefix": "Темы:", "min_length": 100}, ""),
    ],
)
def test_every_format(display: dict[str, Any], text: str) -> None:
    assert listed(**display) == text


def test_dropped_topics_leave_an_ellipsis() -> None:
    topics = read_topics(STORED)[:1]
    lines = TopicsDisplay(show_timestamps=False)
    assert render_topics(topics, lines, dropped=True) == "1. Градиентный спуск\n…"
    commas = TopicsDisplay(show_timestamps=False, format="comma_separated")
    assert render_topics(topics, commas, dropped=True) == "Градиентный спуск, …"
    assert render_topics((), lines, dropped=True) == ""


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        {},
        "topics",
        7,
        [None, 7, "x", []],
        [{"topic": "no time"}, {"start": 4.0}, {"topic": "", "start": 1.0}],
        [{"topic": "text", "start": "00:01:00"}, {"topic": ["x"], "start": 1}],
        [{"topic": "a", "start": -1}, {"topic": "b", "start": float("nan")}],
        [{"topic": "c", "start": 10**400}, {"topic": "\u200b\n", "start": None}],
    ],
)
def test_what_cannot_be_read_is_left_out(stored: object) -> None:
    assert read_topics(stored) == ()


def test_topics_are_in_order_and_on_one_line_each() -> None:
    stored = [{"topic": "second\n\tline", "start": 9}, {"topic": " first ", "start": 1.5}]
    assert read_topics(stored) == (Topic("first", 1.5), Topic("second line", 9))


@pytest.mark.parametrize(
    ("display", "problem"),
    [
        ({"format": "table"}, "`topics_display.format` must be one of"),
        ({"max_count": 0}, "`topics_display.max_count` must be 1 or more"),
        ({"max_count": "5"}, "`topics_display.max_count` must be a whole number"),
        ({"min_length": -1}, "`topics_display.min_length` must be 0 or more"),
        ({"max_length": 0}, "`topics_display.max_length` must be 1 or more"),
        ({"separator": 5}, "`topics_display.separator` must be a text"),
        ({"separator": "-" * 51}, "`topics_display.separator` is too long"),
        ({"show_timestamps": "yes"}, "`topics_display.show_timestamps` must be true or false"),
        ({"show_timestamp": True}, "did you mean `show_timestamps`"),
        ([], "`topics_display` must be an object"),
    ],
)
def test_a_wrong_shape_is_refused_by_its_path(display: object, problem: str) -> None:
    with pytest.raises(ShapeError) as refused:
        parse(TopicsDisplay, display, "topics_display")
    assert problem in str(refused.value)


def test_null_stands_for_the_default() -> None:
    nothing_said = dict.fromkeys(TopicsDisplay.model_fields)
    assert parse(TopicsDisplay, nothing_said, "topics_display") == TopicsDisplay()


def topics(*starts: float) -> tuple[Topic, ...]:
    return tuple(Topic(f"t{number}", start) for number, start in enumerate(starts))


@pytest.mark.parametrize(
    ("starts", "duration", "chapters"),
    [
        ((0, 60, 120), 200, [(0, "t0"), (60, "t1"), (120, "t2")]),
        ((0.9, 60.9, 120.9), None, [(0, "t0"), (60, "t1"), (120, "t2")]),
        ((42.0, 60, 120), 200, [(0, "t0"), (60, "t1"), (120, "t2")]),
        ((0, 5, 60, 120), 200, [(0, "t0 / t1"), (60, "t2"), (120, "t3")]),
        ((0, 60, 69.9, 120), 200, [(0, "t0"), (60, "t1 / t2"), (120, "t3")]),
        ((0, 60, 70, 120), 200, [(0, "t0"), (60, "t1"), (70, "t2"), (120, "t3")]),
        ((0, 60, 120, 195), 200, [(0, "t0"), (60, "t1"), (120, "t2 / t3")]),
        ((0, 60, 120, 190), 200, [(0, "t0"), (60, "t1"), (120, "t2"), (190, "t3")]),
        ((0, 60, 120, 300, 400), 200, [(0, "t0"), (60, "t1"), (120, "t2 / t3 / t4")]),
        ((0, 60, 120), 0, [(0, "t0"), (60, "t1"), (120, "t2")]),
        ((0, 60), 200, None),
        ((0, 5, 9, 14, 19), 200, None),
        ((), 200, None),
    ],
)
def test_topics_become_chapters(
    starts: tuple[float, ...], duration: float | None, chapters: list[tuple[int, str]] | None
) -> None:
    found = as_chapters(topics(*starts), duration)
    assert (found and [(each.start, each.title) for each in found]) == chapters


@settings(deadline=None)
@given(
    st.lists(st.floats(0, 20_000)).map(sorted),
    st.none() | st.floats(0, 20_000),
)
def test_chapters_are_always_by_the_rules(starts: list[float], duration: float | None) -> None:
    found = as_chapters(topics(*starts), duration)
    if found is None:
        return
    begins = [each.start for each in found]
    assert begins[0] == 0
    assert len(begins) >= FEWEST
    ends = [*begins[1:], *([duration] if duration else [])]
    assert all(end - begin >= SHORTEST for begin, end in zip(begins, ends, strict=False))
    assert all(before < after for before, after in pairwise(begins))
    assert " / ".join(each.title for each in found) == " / ".join(
        each.title for each in topics(*starts)
    )


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("Лекция 05.04.2026 10:30", "10:30"),
        ("Длительность: 1:30:09", "1:30:09"),
        ("0:00", "0:00"),
        ("3:1 and 1:2:3:4 and 10:3", None),
        ("no time", None),
    ],
)
def test_what_youtube_sees_as_a_time(text: str, time: str | None) -> None:
    assert first_time(text) == time
