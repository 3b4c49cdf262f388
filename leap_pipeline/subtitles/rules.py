"""The broadcast rules, checked on finished cues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from leap_pipeline.subtitles.cues import Cue
from leap_pipeline.subtitles.limits import (
    CHARACTERS_PER_SECOND,
    GAP_MS,
    LINE_CHARACTERS,
    LINES,
    LONGEST_MS,
    SHORTEST_MS,
)


def check(cues: Sequence[Cue], duration: float) -> list[str]:
    """One sentence for each broken rule; `duration` of the video in seconds."""
    broken = [
        f"cue {number} {what}" for number, cue in enumerate(cues, start=1) for what in _alone(cue)
    ]
    for number, (before, after) in enumerate(pairwise(cues), start=1):
        gap = _ms(after.start) - _ms(before.end)
        if gap < GAP_MS:
            broken.append(f"cue {number + 1} comes {gap} ms after cue {number}")
    if cues and _ms(cues[-1].end) > _ms(duration):
        broken.append(f"cue {len(cues)} ends at {cues[-1].end} s, after the video ({duration} s)")
    return broken


def _alone(cue: Cue) -> Iterator[str]:
    shown = _ms(cue.end) - _ms(cue.start)
    if cue.start < 0:
        yield f"begins at {cue.start} s"
    if shown < SHORTEST_MS:
        yield f"is shown for {shown} ms only"
    if shown > LONGEST_MS:
        yield f"is shown for {shown} ms"
    if cue.characters * 1000 > CHARACTERS_PER_SECOND * shown:
        yield f"has {cue.characters} characters in {shown} ms"
    if not 1 <= len(cue.lines) <= LINES:
        yield f"has {len(cue.lines)} lines"
    for line in cue.lines:
        if len(line) > LINE_CHARACTERS:
            yield f"has a line of {len(line)} characters"
        if not line.strip():
            yield "has an empty line"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
