"""Subtitles as data: what is on screen from when to when."""

from __future__ import annotations

from dataclasses import dataclass

from leap_pipeline.speech.transcript import Transcript
from leap_pipeline.subtitles.lines import split
from leap_pipeline.subtitles.segmentation import groups
from leap_pipeline.subtitles.timing import schedule
from leap_pipeline.subtitles.tokens import tokens


@dataclass(frozen=True)
class Cue:
    """Times in seconds, exact to the millisecond."""

    start: float
    end: float
    lines: tuple[str, ...]

    @property
    def characters(self) -> int:
        return characters(self.lines)


def characters(lines: tuple[str, ...]) -> int:
    """What is read: every character, a line break counted as the blank that it stands for."""
    return sum(len(line) for line in lines) + len(lines) - 1


def build_cues(transcript: Transcript) -> list[Cue]:
    """Cues that hold every word, on the transcript's own timeline and inside its duration.

    They keep the rules of `rules.check` wherever the words leave the time for it; see `timing` for
    what gives way where they do not.
    """
    parts = tokens(transcript)
    ranges = groups(parts)
    lines = [split(parts[first:after]) for first, after in ranges]
    times = schedule(
        [(parts[first].start, parts[after - 1].end) for first, after in ranges],
        [characters(each) for each in lines],
        int(transcript.duration * 1000 + 1e-6),
    )
    return [
        Cue(start / 1000, end / 1000, each) for (start, end), each in zip(times, lines, strict=True)
    ]
