"""Topics from the words alone: no key, no network, the same result every time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from leap_pipeline.domain.shapes.results import TopicTimestamp
from leap_pipeline.speech.transcript import Transcript
from leap_pipeline.topics.segmentation import Lengths, divide
from leap_pipeline.topics.shapes import Granularity, Pause, Topics
from leap_pipeline.topics.text import Sentence, base_language, sentences
from leap_pipeline.topics.titles import Range, Titles

MODEL = "local"
BREAK_SECONDS = 480.0
"""A pause of eight minutes is a break: it is listed, and no topic goes over it."""
TOPICS_OF_A_MINUTE = {"long": 2.0, "short": 4.0}
"""Their number grows with the cube root of the minutes: two or four in one, nine or 18 in 90."""
SHORTEST_TOPIC = 10.0
"""Seconds: the least that YouTube takes for a chapter."""


def extract_topics(transcript: Transcript, *, granularity: Granularity = "long") -> Topics:
    """Topics from the first word to the last, each up to where the next begins.

    A pause of 8 minutes and more between two words is in `pauses`; the topic before it ends with
    its last word. `main_topics` holds one phrase of 2 to 4 words, where the lecture has one. A
    transcript without words gives no topics. A lecture of four hours takes some seconds.
    """
    spoken = sentences(transcript)
    pauses = _breaks(transcript)
    ranges = _ranges(spoken, pauses, granularity)
    titles = Titles(spoken, ranges, base_language(transcript), transcript.separator)
    main = titles.main_topic()
    return Topics(
        main_topics=[main] if main else [],
        topic_timestamps=_timed(spoken, ranges, titles.of_topics(), pauses),
        pauses=pauses,
        model=MODEL,
    )


def _breaks(transcript: Transcript) -> list[Pause]:
    words = list(transcript.words())
    return [
        Pause(start=before.end, end=after.start)
        for before, after in pairwise(words)
        if after.start - before.end >= BREAK_SECONDS
    ]


def _ranges(
    spoken: Sequence[Sentence], pauses: Sequence[Pause], granularity: Granularity
) -> list[Range]:
    """Of sentences, one a topic; what lies between two breaks is divided on its own."""
    if not spoken:
        return []
    seconds = spoken[-1].end - spoken[0].start - sum(each.end - each.start for each in pauses)
    lengths = _lengths(seconds, granularity)
    resumed = {pause.end for pause in pauses}
    edges = [0, *(at for at, each in enumerate(spoken) if at and each.start in resumed)]
    found: list[Range] = []
    for first, after in zip(edges, [*edges[1:], len(spoken)], strict=True):
        part = divide(spoken[first:after], lengths)
        found.extend((first + begin, first + end) for begin, end in part)
    return found


def _lengths(seconds: float, granularity: Granularity) -> Lengths:
    count = TOPICS_OF_A_MINUTE[granularity] * (max(seconds, 1.0) / 60) ** (1 / 3)
    expected = max(seconds / max(count, 1.0), SHORTEST_TOPIC)
    return Lengths(expected=expected, shortest=max(expected / 4, SHORTEST_TOPIC))


def _timed(
    spoken: Sequence[Sentence],
    ranges: Sequence[Range],
    titles: Sequence[str],
    pauses: Sequence[Pause],
) -> list[TopicTimestamp]:
    broken_off = {pause.start for pause in pauses}
    found: list[TopicTimestamp] = []
    for (first, after), title in zip(ranges, titles, strict=True):
        end = spoken[after - 1].end
        if after < len(spoken) and end not in broken_off:
            end = spoken[after].start
        found.append(TopicTimestamp(topic=title, start=spoken[first].start, end=end))
    return found
