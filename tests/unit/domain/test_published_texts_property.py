"""Random lectures in all writings: what is published is taken by the platform, whole and readable.

Whole characters are made of code points that stand nowhere else in these texts, so that one that
was cut is known by a code point that is left over.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leap_pipeline.domain.publishing_text import Publication, render_publication
from leap_pipeline.domain.shapes.publishing import VkMetadata, YouTubeMetadata
from leap_pipeline.domain.states import Platform
from leap_pipeline.domain.text_templates import TIMES, VARIABLES, Values
from leap_pipeline.domain.topics_display import Topic, TopicsDisplay, read_topics
from leap_pipeline.publishing.vk.listing import listing, save_form
from leap_pipeline.publishing.youtube.listing import resource, sent

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHOLE = (
    "👨‍👩‍👧‍👦", "👩🏽‍🚀", "🏳️‍🌈", "🇷🇺", "🇰🇿", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "#️⃣", "👍🏿", "❤️",
    "q\u0323\u0301", "ӷ\u0306", "ø\u0300\u0301\u0302\u0303", "\u1112\u1161\u11ab",
    "क्षि", "நி", "กำ", "פָּ", "ضِّ",
)  # fmt: skip
"""Characters as a reader sees them, each of several code points."""
SIGNS = (
    "<",
    ">",
    "&",
    "<b>",
    "</script>",
    "&lt;",
    "->",
    '"',
    "'",
    "{",
    "}",
    "{topics}",
    "\\n",
    ",",
)
CONTROLS = ("\0", "\x07", "\x1b[31m", "\r\n", "\t", "\u2028", "\x85", "\v", "\u202e", "\u2066")
WORDS = (
    "градиентный", "спуск", "Лекция", "МО", "ёжик", "learning", "rate", "שלום", "מכונה", "مرحبا",
    "تعلم", "機械", "学習", "x" * 60, "Й" * 60,
)  # fmt: skip

PIECES = st.sampled_from(WHOLE + SIGNS + CONTROLS + WORDS + (" ",) * 12)
MIXED = st.lists(PIECES, max_size=40).map("".join)
# Nothing but characters that a cut could spoil.
ROWS = st.builds(
    lambda some, times: "".join(some) * times,
    st.lists(st.sampled_from((*WHOLE, " ")), min_size=1, max_size=9),
    st.integers(1, 40),
)
TEXTS = MIXED | ROWS | st.builds(lambda text: text * 9, MIXED)
PLACES = [f"{{{name}}}" for name in VARIABLES if name != "topics"]
PLACES += [f"{{{name}:{form}}}" for name in TIMES for form in ("date", "time", "DD.MM.YYYY hh:mm")]
OWN_WORDS = [
    each.replace("{", "{{").replace("}", "}}") for each in (*WHOLE, *SIGNS, *CONTROLS, *WORDS)
]
HALVES = st.lists(
    st.sampled_from(PLACES * 3 + OWN_WORDS + [" | ", "\\n", " ", "(", ")"]), max_size=12
).map("".join)
TEMPLATES = st.tuples(
    HALVES, st.sampled_from(["", "{topics}", "\\n{topics}\\n", "{topics}\\n{topics}"]), HALVES
).map("".join)
TOPICS = st.lists(st.tuples(TEXTS, st.floats(0, 12_000)), max_size=40).map(
    lambda rows: read_topics([{"topic": text, "start": start} for text, start in rows])
)
DISPLAYS = st.builds(
    TopicsDisplay,
    format=st.sampled_from(["numbered_list", "bullet_list", "dash_list", "comma_separated"]),
    max_length=st.integers(1, 400),
    prefix=st.sampled_from(["", "Темы:", "<b>👨‍👩‍👧‍👦\\n"]),
    separator=st.none() | st.sampled_from([", ", "\\n", " <> "]),
    show_timestamps=st.sampled_from([True, True, True, False]),
)
VALUES = st.builds(
    Values,
    display_name=st.none() | TEXTS,
    record_time=st.none() | st.datetimes(timezones=st.just(UTC)),
    publish_time=st.just(NOW),
    duration=st.none() | st.floats(0, 13_000),
    themes=st.lists(TEXTS, max_size=3),
    summary=st.none() | TEXTS,
    timezone=st.sampled_from([None, "Europe/Moscow", "Asia/Kathmandu", "Nowhere/Land"]),
)
TIME_OF_TOPIC = re.compile(r"(?<!\d)(\d{2,}):(\d\d):(\d\d) — ")
CALM = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
_IN_ONE = re.compile("|".join(map(re.escape, sorted(WHOLE, key=len, reverse=True))))
_FRAGMENTS = frozenset("".join(WHOLE))


def is_whole(text: str) -> bool:
    """Whether no character of a reader's was cut."""
    return not _FRAGMENTS & set(_IN_ONE.sub("", text))


def test_the_judge_sees_each_wrong_cut() -> None:
    own = frozenset("".join((*SIGNS, *CONTROLS, *WORDS)) + "0123456789.:—-• Темы")
    assert not own & _FRAGMENTS
    for each in WHOLE:
        assert is_whole(f"слово {each}{each} слово")
        assert not [end for end in range(1, len(each)) if is_whole(each[:end] + "…")]
        assert not [end for end in range(1, len(each)) if is_whole("…" + each[end:])]


@CALM
@given(
    platform=st.sampled_from(Platform),
    title=TEMPLATES,
    description=TEMPLATES,
    values=VALUES,
    topics=TOPICS,
    display=DISPLAYS,
    tags=st.lists(TEXTS, max_size=15),
)
def test_whatever_is_said_the_platform_takes_it(
    platform: Platform, title: str, description: str, topics: tuple[Topic, ...],
    values: Values, display: TopicsDisplay, tags: list[str],
) -> None:  # fmt: skip
    found = render_publication(
        platform, values, title_template=title, description_template=description,
        topics=topics, topics_display=display, tags=tags,
    )  # fmt: skip
    given = _as_sent(platform, found)
    for text in (given["title"], given["description"], *given["tags"]):
        assert is_whole(text)
        kinds = {unicodedata.category(each) for each in text if each not in "\n\t"}
        assert not kinds & {"Cc", "Cs"}
        if platform is Platform.YOUTUBE:
            assert not set("<>") & set(text)
    assert not set("\n\t") & set(given["title"])
    assert given["title"].strip()
    in_lines = display.show_timestamps and "\n" in display.between
    if platform is Platform.YOUTUBE and in_lines:
        _check_chapters(found, values.duration)


def _as_sent(platform: Platform, found: Publication) -> dict[str, Any]:
    """Title, description and tags as the request has them, within the platform's limits."""
    if platform is Platform.VK:
        form = save_form(listing(found, VkMetadata()))
        assert _characters(form["name"]) <= 128
        assert _characters(form["description"]) <= 5000
        return {"title": form["name"], "description": form["description"], "tags": ()}
    marker = "0123456789abcdef0123"
    body = resource(sent(found, YouTubeMetadata()), marker, NOW).body["snippet"]
    assert 1 <= _characters(body["title"]) <= 100
    assert len(body["description"].encode()) <= 5000
    counted = ",".join(f'"{tag}"' if " " in tag else tag for tag in body["tags"])
    assert _characters(counted) <= 500
    assert f"leap-{marker}" in body["tags"]
    return dict(body)


def _check_chapters(found: Publication, duration: float | None) -> None:
    """By YouTube's rules, wherever nobody is told that there are none."""
    if any("make no chapters" in note.text or "makes no chapters" in note.text
           for note in found.notes):  # fmt: skip
        return
    times = [
        int(hours) * 3600 + int(minutes) * 60 + int(rest)
        for hours, minutes, rest in TIME_OF_TOPIC.findall(found.description)
    ]
    if not times:
        return
    assert times[0] == 0
    assert len(times) >= 3
    assert all(after - before >= 10 for before, after in pairwise(times))
    assert not duration or duration - times[-1] >= 10


def _characters(text: str) -> int:
    """As UTF-16 counts them, which is the most that anybody does."""
    return len(text.encode("utf-16-le")) // 2
