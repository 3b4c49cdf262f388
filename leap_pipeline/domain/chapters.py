"""YouTube's chapters: times in a description that YouTube turns into parts of the video.

It does so where the first is at 0:00, there are at least three, and each lasts at least 10 s:
https://support.google.com/youtube/answer/9884579
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from leap_pipeline.domain.topics_display import Topic

FEWEST = 3
SHORTEST = 10
"""Seconds."""
_TIME = re.compile(r"(?<![\d:])(?:\d+:)?\d{1,2}:\d{2}(?![\d:])")


def as_chapters(topics: Sequence[Topic], duration: float | None) -> tuple[Topic, ...] | None:
    """The topics, in order of time, as chapters; None where they do not make three.

    The first begins at 0:00, and what is shorter than 10 s is joined to the one before. `duration`
    of the video in seconds; where it is unknown the last topic counts as long enough.
    """
    chapters: list[Topic] = []
    for topic in topics:
        start = int(topic.start)
        if not chapters:
            chapters.append(replace(topic, start=0))
        elif start - chapters[-1].start < SHORTEST:
            _join_to_last(chapters, topic)
        else:
            chapters.append(replace(topic, start=start))
    while duration and len(chapters) > 1 and duration - chapters[-1].start < SHORTEST:
        _join_to_last(chapters, chapters.pop())
    return tuple(chapters) if len(chapters) >= FEWEST else None


def first_time(text: str) -> str | None:
    """The first thing in a text that YouTube takes for a time in the video."""
    found = _TIME.search(text)
    return found.group() if found else None


def _join_to_last(chapters: list[Topic], topic: Topic) -> None:
    last = chapters[-1]
    chapters[-1] = replace(last, title=f"{last.title} / {topic.title}")
