"""Titles, descriptions and tags within the platforms' limits."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_pipeline.domain.platform_limits import (
    LIMITS,
    fit_description,
    fit_tags,
    fit_title,
    tag_size,
)
from leap_pipeline.domain.publishing_text import Publication, render_publication
from leap_pipeline.domain.states import Platform
from leap_pipeline.domain.text_templates import VARIABLES, Values
from leap_pipeline.domain.topics_display import Topic, TopicsDisplay, read_topics
from leap_pipeline.errors import InputError

YOUTUBE, VK = LIMITS[Platform.YOUTUBE], LIMITS[Platform.VK]
VALUES = Values(
    display_name="ML, лекция 7",
    record_time=datetime(2026, 4, 5, 22, 30, tzinfo=UTC),
    duration=5409,
    themes=("Градиентный спуск",),
    timezone="Europe/Moscow",
)
TOPICS = (Topic("Введение", 0), Topic("Градиентный спуск", 700), Topic("Q&A", 5000))
TITLE = "{themes} | {record_time:DD.MM.YYYY}"
DESCRIPTION = "{topics}\\n\\nДлительность: {duration}"
FAMILY = "👨‍👩‍👧‍👦"


def published(
    values: Values = VALUES,
    *,
    platform: Platform = Platform.YOUTUBE,
    title: str = TITLE,
    description: str = DESCRIPTION,
    topics: tuple[Topic, ...] = TOPICS,
    display: TopicsDisplay | None = None,
    tags: tuple[str, ...] = (),
) -> Publication:
    return render_publication(
        platform,
        values,
        title_template=title,
        description_template=description,
        topics=topics,
        topics_display=display,
        tags=tags,
    )


def notes(publication: Publication) -> list[str]:
    return [note.text for note in publication.notes]


@pytest.mark.parametrize("platform", Platform)
def test_the_design_s_templates(platform: Platform) -> None:
    assert published(platform=platform, tags=() if platform is Platform.VK else ("ML",)) == (
        Publication(
            title="Градиентный спуск | 06.04.2026",
            description=(
                "1. 00:00:00 — Введение\n2. 00:11:40 — Градиентный спуск\n3. 01:23:20 — Q&A\n\n"
                "Длительность: 1:30:09"
            ),
            tags=() if platform is Platform.VK else ("ML",),
            notes=(),
        )
    )


@pytest.mark.parametrize("template", ["{topcs}", "{", "{record_time:x}"])
def test_a_wrong_template_is_told(template: str) -> None:
    with pytest.raises(InputError, match="The text template has"):
        published(title=template)
    with pytest.raises(InputError, match="The text template has"):
        published(description=template)


@pytest.mark.parametrize(
    ("title", "changed", "result"),
    [
        (TITLE, {"themes": ()}, "ML, лекция 7 | 06.04.2026"),
        (TITLE, {"themes": (), "display_name": ""}, "06.04.2026"),
        ("Курс | {themes} | {record_time:date}", {"themes": ()}, "Курс | 06.04.2026"),
        ("{record_time:date}", {}, "06.04.2026"),
        ("{record_time:date} / {summary} / {themes}", {"themes": ()}, "06.04.2026 / ML, лекция 7"),
        (TITLE, {"record_time": None}, "Градиентный спуск"),
        ("{record_time:date} — {summary} — {themes}", {}, "06.04.2026 — Градиентный спуск"),
        ("{display_name} ({publish_time:date}) | {themes}", {}, "ML, лекция 7 | Градиентный спуск"),
        ("Курс: {summary}{publish_time}", {}, "Курс"),
        ("{summary} | {publish_time} | {themes}", {}, "Градиентный спуск"),
        ("{themes} | {summary} | {publish_time}", {}, "Градиентный спуск"),
        ("{themes}: {summary} | {display_name}", {}, "Градиентный спуск: ML, лекция 7"),
        ("A {summary} B", {}, "A B"),
        ("- {themes} -", {}, "- Градиентный спуск -"),
        ("{topics}", {}, "Введение, Градиентный спуск, Q&A"),
        ("two\\nlines \t here", {}, "two lines here"),
        ("{display_name}", {"display_name": "{topics}\\n"}, "{topics}\\n"),
        ("{display_name}", {"display_name": "vector<int> -> x"}, "vector‹int› -› x"),
        ("{summary}", {}, "ML, лекция 7"),
        ("", {}, "ML, лекция 7"),
        ("\u200b | {publish_time}", {}, "ML, лекция 7"),
        ("{summary}", {"display_name": " \u200b"}, "Untitled"),
        ("{summary}", {"display_name": None}, "Untitled"),
    ],
)
def test_titles(title: str, changed: dict[str, object], result: str) -> None:
    values = replace(VALUES, **changed)  # type: ignore[arg-type]
    assert published(values, title=title).title == result


def test_an_empty_title_is_told() -> None:
    assert notes(published(title="{summary}")) == [
        "{summary} is empty: the recording's name stands there."
    ]
    assert notes(published(title=" ")) == [
        "Its template gave nothing: it is “ML, лекция 7” instead."
    ]


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("слово " * 40, "слово " * 13 + "слово… | 06.04.2026"),
        ("W" * 300, "W" * 86 + "… | 06.04.2026"),
        (FAMILY * 40, FAMILY * 7 + "… | 06.04.2026"),
        ("שלום עולם " * 30, "שלום עולם " * 8 + "שלום… | 06.04.2026"),
    ],
)
def test_a_long_name_leaves_the_date(name: str, result: str) -> None:
    publication = published(
        replace(VALUES, display_name=name), title="{display_name} | {record_time:DD.MM.YYYY}"
    )
    assert publication.title == result
    assert "its {display_name} is shortened." in notes(publication)[0]
    assert "YouTube takes 100" in notes(publication)[0]


def test_a_title_long_by_its_own_words_is_cut_at_its_end() -> None:
    publication = published(title="слово " * 30 + "{record_time:date}")
    assert publication.title == "слово " * 15 + "слово…"
    assert notes(publication) == [
        "It has 190 characters and YouTube takes 100: it is cut at its end.",
    ]


def test_vk_takes_longer_titles() -> None:
    publication = published(title="w" * 128, platform=Platform.VK)
    assert (publication.title, publication.notes) == ("w" * 128, ())
    assert published(title="w" * 129, platform=Platform.VK).title == "w" * 127 + "…"


def many_topics(count: int, title: str = "Тема о многом") -> tuple[Topic, ...]:
    return tuple(Topic(f"{title} {number}", number * 20) for number in range(count))


@pytest.mark.parametrize("platform", Platform)
def test_topics_are_dropped_from_the_end_before_other_text_is_cut(platform: Platform) -> None:
    description = "Начало.\\n{topics}\\n\\nДлительность: {duration}. Конец."
    publication = published(
        replace(VALUES, duration=20 * 400), description=description, platform=platform,
        topics=many_topics(300),
    )  # fmt: skip
    limits = LIMITS[platform]
    size = limits.description_unit.size(publication.description)
    line = limits.description_unit.size("\n300. 01:39:40 — Тема о многом 299")
    assert limits.description - line < size <= limits.description
    lines = publication.description.split("\n")
    assert lines[0] == "Начало."
    assert lines[-3:] == ["…", "", "Длительность: 2:13:20. Конец."]
    kept = len(lines) - 4
    assert lines[kept] == f"{kept}. {_clock((kept - 1) * 20)} — Тема о многом {kept - 1}"
    assert f"it is sent without the last {300 - kept} of 300 topics." in notes(publication)[-1]


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def test_text_that_is_too_long_without_topics_is_cut() -> None:
    publication = published(description="абзац текста\\n" * 400 + "{topics}")
    assert publication.description.endswith("\nабзац текста…")
    assert "Введение" not in publication.description
    assert len(publication.description.encode()) <= 5000
    assert notes(publication)[0].endswith(
        "it is sent without the last 3 of 3 topics and cut at its end."
    )


def test_a_description_without_topics_is_only_cut() -> None:
    publication = published(description="слово " * 1000)
    assert notes(publication) == [
        "It has 10999 bytes and YouTube takes 5000: it is sent cut at its end."
    ]


def test_signs_that_youtube_refuses_are_replaced_and_told() -> None:
    values = replace(VALUES, display_name="a<b", summary="x>y")
    publication = published(values, title="{display_name}", description="{summary}")
    assert (publication.title, publication.description) == ("a‹b", "x›y")
    assert notes(publication) == [
        "< became ‹, as YouTube takes no such sign.",
        "> became ›, as YouTube takes no such sign.",
    ]
    assert published(values, title="{display_name}", platform=Platform.VK).title == "a<b"


def test_chapters_begin_at_zero_and_short_ones_are_joined() -> None:
    topics = (Topic("A", 42.5), Topic("B", 100), Topic("C", 105), Topic("D", 300), Topic("E", 600))
    publication = published(topics=topics, description="{topics}")
    assert publication.description.split("\n") == [
        "1. 00:00:00 — A",
        "2. 00:01:40 — B / C",
        "3. 00:05:00 — D",
        "4. 00:10:00 — E",
    ]
    assert notes(publication) == [
        "The first topic, at 0:00:42, is listed at 0:00, where chapters must begin.",
        "Joined to the topic before, as chapters last 10 s and more: 1 of 5.",
    ]
    on_vk = published(topics=topics, description="{topics}", platform=Platform.VK)
    assert on_vk.description.startswith("1. 00:00:42 — A\n2. 00:01:40 — B\n3. 00:01:45 — C\n")
    assert on_vk.notes == ()


def test_two_topics_keep_their_times_and_no_chapters_are_claimed() -> None:
    publication = published(topics=(Topic("A", 42), Topic("B", 100)), description="{topics}")
    assert publication.description == "1. 00:00:42 — A\n2. 00:01:40 — B"
    assert notes(publication) == [
        "YouTube makes no chapters: it takes 3 topics of 10 s and more."
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("description", "time"),
    [("{duration}\\n{topics}", "1:30:09"), ("{record_time}\\n{topics}", "01:30")],
)
def test_a_time_in_front_of_the_topics_is_told(description: str, time: str) -> None:
    assert f"it sees a time ({time}) in front of the topics" in notes(
        published(description=description)
    )[-1]  # fmt: skip


def test_a_list_that_stands_twice_is_told() -> None:
    twice = published(description="{topics}\\n\\n{topics}")
    assert notes(twice) == [
        "YouTube may make no chapters: {topics} stands there more than once."
    ]  # fmt: skip
    assert published(description="{topics}{topics}", platform=Platform.VK).notes == ()


@pytest.mark.parametrize(
    "display",
    [
        TopicsDisplay(show_timestamps=False),
        TopicsDisplay(format="comma_separated"),
        TopicsDisplay(format="dash_list", separator=" | "),
    ],
)
def test_what_makes_no_chapters_is_left_as_it_is(display: TopicsDisplay) -> None:
    publication = published(topics=(Topic("A", 42), Topic("B", 43)), display=display)
    assert publication.notes == ()


def test_topics_that_do_not_fit_take_the_chapters_with_them() -> None:
    long = tuple(Topic("слово " * 300 + str(number), number * 100) for number in range(4))
    publication = published(topics=long, display=TopicsDisplay(max_length=2000))
    assert publication.description.count("\n") == 3
    assert notes(publication)[-1] == "YouTube makes no chapters: too few topics are left."


def test_topics_that_are_not_shown_are_in_neither_text() -> None:
    few = TopicsDisplay(min_length=4, max_count=1, show_timestamps=False)
    publication = published(title="{topics}", description="{topics}", display=few)
    assert (publication.title, publication.description) == ("Введение", "1. Введение")


def test_values_do_not_bring_topics_of_their_own() -> None:
    assert published(replace(VALUES, topics="mine"), topics=()).description == (
        "Длительность: 1:30:09"
    )


@pytest.mark.parametrize(
    ("tags", "fitting"),
    [
        (("lecture", "ML", "AI"), ("lecture", "ML", "AI")),
        (("ML", "ml", " ML "), ("ML",)),
        (("a, b", '"c d"', "e\nf", "", " ", "\u200b"), ("a", "b", "c d", "e f")),
        (("C<T>",), ("C‹T›",)),
        (("w" * 500,), ("w" * 500,)),
        (("w" * 501, "x"), ("x",)),
        (("w" * 497 + " ",), ("w" * 497,)),
        (("w" * 496 + " w",), ("w" * 496 + " w",)),
        (("w" * 497 + " w",), ()),
        (("w" * 249, "x" * 250), ("w" * 249, "x" * 250)),
        (("w" * 250, "x" * 250, "y"), ("w" * 250, "y")),
        (("😀" * 251,), ()),
    ],
)
def test_tags(tags: tuple[str, ...], fitting: tuple[str, ...]) -> None:
    assert fit_tags(tags, YOUTUBE)[0] == fitting


def test_tags_that_do_not_fit_are_told() -> None:
    publication = published(tags=("w" * 500, *(f"tag {number}" for number in range(7))))
    assert len(publication.tags) == 1
    told = "left out: “tag 0”, “tag 1”, “tag 2”, “tag 3”, “tag 4”, …."
    assert notes(publication) == [f"YouTube takes 500 characters of tags in all; {told}"]
    assert published(platform=Platform.VK, tags=("a",)).tags == ()


ANY_TEXT = st.text(st.characters()) | st.lists(
    st.sampled_from(
        ["<", ">", FAMILY, "слово", "שלום", " ", "\n", "\x00", "\ud800", "🇷🇺", "w" * 90]
    )
).map("".join)
LONG_TEXT = st.builds(lambda text, times: text * times, ANY_TEXT, st.sampled_from([1, 1, 70]))


@settings(deadline=None)
@given(LONG_TEXT, st.sampled_from(Platform))
def test_any_text_fits(text: str, platform: Platform) -> None:
    limits = LIMITS[platform]
    title, description = fit_title(text, limits), fit_description(text, limits)
    _is_taken(platform, title or "-", description)
    assert fit_title(title, limits) == title
    assert fit_description(description, limits) == description


@settings(deadline=None)
@given(st.lists(LONG_TEXT))
def test_any_tags_fit(tags: list[str]) -> None:
    fitting, _ = fit_tags(tags, YOUTUBE)
    as_youtube_counts = ",".join(f'"{tag}"' if " " in tag else tag for tag in fitting)
    assert len(as_youtube_counts.encode("utf-16-le")) // 2 <= 500
    assert not set('<>,"\n') & set("".join(fitting))
    assert fit_tags(fitting, YOUTUBE) == (fitting, ())
    assert all(tag_size(tag) >= 1 for tag in fitting)


PARTS = st.lists(
    st.sampled_from(
        [*(f"{{{name}}}" for name in VARIABLES), " | ", "\\n", "слово ", "(", ")", "w" * 90, "<"]
    )
).map("".join)
DISPLAYS = st.builds(
    TopicsDisplay,
    format=st.sampled_from(
        ["numbered_list", "bullet_list", "dash_list", "comma_separated", "inline"]
    ),
    max_count=st.integers(1, 300),
    max_length=st.integers(1, 300),
    prefix=st.sampled_from(["", "Темы:", "<b>\\n"]),
    separator=st.none() | st.sampled_from([", ", "\\n", "<>"]),
    show_timestamps=st.booleans(),
)


@settings(deadline=None)
@given(
    st.sampled_from(Platform),
    PARTS,
    PARTS,
    st.builds(
        Values,
        display_name=st.none() | LONG_TEXT,
        record_time=st.none() | st.just(VALUES.record_time),
        duration=st.none() | st.floats(0, 40_000),
        themes=st.lists(LONG_TEXT, max_size=3),
        summary=LONG_TEXT,
    ),
    st.lists(
        st.fixed_dictionaries({"topic": LONG_TEXT, "start": st.floats(0, 40_000)}), max_size=30
    ).map(read_topics),
    DISPLAYS,
)
def test_every_publication_is_taken(
    platform: Platform,
    title: str,
    description: str,
    values: Values,
    topics: tuple[Topic, ...],
    display: TopicsDisplay,
) -> None:
    publication = published(
        values, platform=platform, title=title, description=description, topics=topics,
        display=display,
    )  # fmt: skip
    _is_taken(platform, publication.title, publication.description)
    assert all(note.text.endswith(".") for note in publication.notes)


def _is_taken(platform: Platform, title: str, description: str) -> None:
    """By the platforms' own words, counted here anew."""
    longest = {Platform.YOUTUBE: 100, Platform.VK: 128}[platform]
    assert 1 <= len(title) <= len(title.encode("utf-16-le")) // 2 <= longest
    assert not set("\n\r\u2028") & set(title)
    if platform is Platform.YOUTUBE:
        assert not set("<>") & set(title + description)
        assert len(description.encode()) <= 5000
    else:
        assert len(description.encode("utf-16-le")) // 2 <= 5000


@settings(deadline=None)
@given(st.lists(st.integers(0, 8000), min_size=1, max_size=400).map(sorted), st.integers(1, 9000))
def test_chapters_in_a_description_are_by_the_rules(starts: list[int], duration: int) -> None:
    topics = tuple(Topic(f"Тема {start}", start) for start in starts)
    publication = published(replace(VALUES, duration=duration), topics=topics)
    if any("makes no chapters" in note for note in notes(publication)):
        return
    times = re.findall(r"^\d+\. (\d\d):(\d\d):(\d\d) — ", publication.description, re.MULTILINE)
    seconds = [int(hours) * 3600 + int(minutes) * 60 + int(rest) for hours, minutes, rest in times]
    assert seconds[0] == 0
    assert len(seconds) >= 3
    assert all(after - before >= 10 for before, after in pairwise([*seconds, duration]))
