"""From a transcript to cues."""

from __future__ import annotations

from dataclasses import dataclass

from leap_pipeline.speech.transcript import Transcript
from leap_pipeline.subtitles.layout import place
from leap_pipeline.subtitles.timing import time_cues
from leap_pipeline.subtitles.tokens import tokens_of


@dataclass(frozen=True, slots=True)
class Cue:
    """Text on the screen from `start` to `end` (seconds, whole milliseconds)."""

    start: float
    end: float
    lines: tuple[str, ...]


def build_cues(transcript: Transcript) -> list[Cue]:
    """Every word of the transcript in cues of at most two lines, in order, inside its duration.

    The rules of `subtitles.rules` hold as long as the speech leaves the time; where it does not,
    all but the reading speed hold, and where there is less than a second a cue, all but the
    shortest time too. Words are never left out. An empty transcript has no cues.
    """
    tokens = tokens_of(transcript)
    duration = int(transcript.duration * 1000 + 1e-6)
    placed = place(tokens, duration)
    times = time_cues(placed, duration)
    return [
        Cue(start / 1000, end / 1000, cue.lines)
        for cue, (start, end) in zip(placed, times, strict=True)
    ]
