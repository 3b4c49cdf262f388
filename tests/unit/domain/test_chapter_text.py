"""Topics as a time and a title on each line, there and back."""

from __future__ import annotations

import pytest

from leap_pipeline.domain.chapter_text import read_chapters, write_chapters
from leap_pipeline.domain.shapes.results import TopicTimestamp
from leap_pipeline.errors import InputError

FOUND = [
    TopicTimestamp(topic="Introduction", start=0.0, end=700.4),
    TopicTimestamp(topic="Gradient descent", start=703.42, end=1500.0),
    TopicTimestamp(topic="Вопросы: 1:1", start=3700.0, end=3990.0),
]


def test_what_is_written_reads_as_it_was() -> None:
    text = write_chapters(FOUND)
    assert text.splitlines() == [
        "0:00:00 Introduction",
        "0:11:43 Gradient descent",
        "1:01:40 Вопросы: 1:1",
    ]
    assert read_chapters(text, FOUND, 4000.0) == FOUND


def test_another_title_keeps_the_times_and_another_time_moves_the_ends() -> None:
    text = "00:00 Begin\n\n  11:43 — Descent  \n61:00 - Questions\n"
    assert read_chapters(text, FOUND, 4000.0) == [
        TopicTimestamp(topic="Begin", start=0.0, end=700.4),
        TopicTimestamp(topic="Descent", start=703.42, end=1500.0),
        TopicTimestamp(topic="Questions", start=3660.0, end=4000.0),
    ]
    (shorter, _) = read_chapters("0:00 a\n5:00 b", FOUND, None)
    assert shorter == TopicTimestamp(topic="a", start=0.0, end=300.0)
    assert read_chapters(" \n", FOUND, 4000.0) == []


def test_topics_within_one_second_stay_as_they_are() -> None:
    close = [
        TopicTimestamp(topic="Question", start=10.2, end=10.8),
        TopicTimestamp(topic="Answer", start=10.8, end=20.0),
    ]
    assert read_chapters(write_chapters(close), close, 20.0) == close


def test_hostile_titles_are_cleaned() -> None:
    (found,) = read_chapters("0:00 <b>x</b>\u202e\x00 [y](z)", [], 10.0)
    assert found.topic == "<b>x</b> [y](z)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Introduction", "Line 1, “Introduction”, has no time at its beginning"),
        ("0:00 a\n\n0:75 b", "Line 3, “0:75 b”, has no time"),
        ("0:00 a\n0:10", "Line 2 has a time but no title"),
        ("0:10 a\n0:10 b", "Line 2, “b”, begins at 0:00:10, which is not after"),
        ("0:10 a\n2:00:00 b", "begins at 2:00:00, but the video ends at 1:00:00"),
        ("1:75:00 a", "Line 1 has 75 minutes beside its hours"),
        (f"0:00 {'a' * 201}", "has 201 characters: keep at most 200"),
        ("\n".join(f"{n}:00 a" for n in range(60)), None),
        ("\n".join(f"0:{n // 60:02}:{n % 60:02} a" for n in range(501)), "There are 501 topics"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, said: str | None) -> None:
    if said is None:
        assert len(read_chapters(text, [], 3600.0)) == 60
        return
    with pytest.raises(InputError, match=said):
        read_chapters(text, [], 3600.0)
