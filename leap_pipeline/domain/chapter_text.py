"""Topics as people write them: a time and a title on each line.

0:00:00 What it is about
0:11:40 Gradient descent
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from leap_pipeline.domain.names import clean_name
from leap_pipeline.domain.shapes.results import TopicTimestamp
from leap_pipeline.domain.text_templates import h_mm_ss
from leap_pipeline.errors import InputError

MOST_TOPICS = 500
LONGEST_TITLE = 200
_LINE = re.compile(
    r"(?P<time>(?:(?P<hours>\d{1,3}):)?(?P<minutes>\d{1,3}):(?P<seconds>[0-5]\d))"
    r"\s*(?:[-–—.:|]\s+)?(?P<title>.*)"
)


def write_chapters(topics: Sequence[TopicTimestamp]) -> str:
    """A line for each topic."""
    return "\n".join(f"{h_mm_ss(each.start)} {clean_name(each.topic)}" for each in topics)


def read_chapters(
    text: str, before: Sequence[TopicTimestamp], duration: float | None
) -> list[TopicTimestamp]:
    """The topics that a person wrote, each lasting until the next one begins.

    A time that the topics `before` had already keeps its fraction of a second, and its end where
    that still fits; topics within one second get theirs in their order. A dash, dot or colon
    between time and title belongs to neither. `duration` of the video in seconds. Raises
    `InputError` naming the line.
    """
    known: defaultdict[str, deque[float]] = defaultdict(deque)
    for each in before:
        known[h_mm_ss(each.start)].append(each.start)
    begun = list(_begun(text, known))
    if len(begun) > MOST_TOPICS:
        msg = f"There are {len(begun)} topics: keep at most {MOST_TOPICS}."
        raise InputError(msg)
    for (_, earlier, _), (number, start, title) in pairwise(begun):
        if start <= earlier:
            msg = (
                f"Line {number}, “{title:.60}”, begins at {h_mm_ss(start)}, which is not after the "
                f"one before it ({h_mm_ss(earlier)}): put them in order of time."
            )
            raise InputError(msg)
    if duration and begun and begun[-1][1] >= duration:
        number, start, title = begun[-1]
        msg = (
            f"Line {number}, “{title:.60}”, begins at {h_mm_ss(start)}, but the video ends at "
            f"{h_mm_ss(duration)}: correct the time."
        )
        raise InputError(msg)
    return list(_with_ends(begun, before, duration))


def _begun(text: str, known: Mapping[str, deque[float]]) -> Iterator[tuple[int, float, str]]:
    """The number of each line that is not empty, its time in seconds, and its title."""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None:
            msg = (
                f"Line {number}, “{line.strip():.60}”, has no time at its beginning: write a time "
                "and a title, as in 0:11:40 Gradient descent."
            )
            raise InputError(msg)
        hours, minutes = int(found["hours"] or 0), int(found["minutes"])
        if found["hours"] and minutes > 59:
            msg = f"Line {number} has {minutes} minutes beside its hours: write them as hours."
            raise InputError(msg)
        seconds = float(hours * 3600 + minutes * 60 + int(found["seconds"]))
        exact = known[h_mm_ss(seconds)]
        start = exact.popleft() if exact else seconds
        yield number, start, _title(found["title"], number)


def _title(written: str, number: int) -> str:
    if not written.strip():
        msg = f"Line {number} has a time but no title: write what the topic is, or remove the line."
        raise InputError(msg)
    title = clean_name(written)
    if len(title) > LONGEST_TITLE:
        msg = (
            f"The title in line {number} has {len(title)} characters: keep at most {LONGEST_TITLE}."
        )
        raise InputError(msg)
    return title


def _with_ends(
    begun: Sequence[tuple[int, float, str]],
    before: Sequence[TopicTimestamp],
    duration: float | None,
) -> Iterator[TopicTimestamp]:
    ends = {each.start: each.end for each in before}
    last = max((each.end for each in before), default=0.0)
    for place, (_, start, title) in enumerate(begun):
        following = begun[place + 1 : place + 2]
        limit = following[0][1] if following else max(duration or last, start)
        kept = ends.get(start)
        # A break may stand between the end of one topic and the next.
        end = kept if kept is not None and start < kept <= limit else limit
        yield TopicTimestamp(topic=title, start=start, end=end)
