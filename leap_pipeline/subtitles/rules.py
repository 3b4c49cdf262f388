"""What is wrong with some cues, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leap_pipeline.subtitles.cues import Cue
from leap_pipeline.subtitles.limits import (
    CHARACTERS_PER_SECOND,
    LINE_CHARACTERS,
    LINES,
    LONGEST,
    SHORTEST,
    SMALLEST_GAP,
)


def check(cues: Sequence[Cue], duration: float) -> list[str]:
    """One sentence for each broken rule, none if all are kept; `duration` in seconds.

    A cue of a video shorter than a second may be as short as the video.
    """
    end_of_video = round(duration * 1000)
    broken: list[str] = []
    for number, cue in enumerate(cues, start=1):
        where = f"Cue {number} at {cue.start:.3f} s"
        broken.extend(f"{where} {fault}." for fault in _text_faults(cue))
        broken.extend(f"{where} {fault}." for fault in _time_faults(cue, end_of_video))
        if number < len(cues):
            fault = _gap_fault(cue, cues[number])
            broken.extend([f"{where} {fault}."] if fault else [])
    return broken


def _text_faults(cue: Cue) -> Iterator[str]:
    if not cue.lines:
        yield "has no text"
    if len(cue.lines) > LINES:
        yield f"has {len(cue.lines)} lines, more than {LINES}"
    for number, line in enumerate(cue.lines, start=1):
        if len(line) > LINE_CHARACTERS:
            yield f"has {len(line)} characters in line {number}, more than {LINE_CHARACTERS}"
        if not line.strip():
            yield f"has nothing in line {number}"
        if len(line.splitlines()) > 1:
            yield f"has a line break inside line {number}"


def _time_faults(cue: Cue, end_of_video: int) -> Iterator[str]:
    start, end = round(cue.start * 1000), round(cue.end * 1000)
    length = end - start
    if length < min(SHORTEST, end_of_video) or length <= 0:
        yield f"lasts {length / 1000:.3f} s, less than {SHORTEST / 1000:g} s"
    if length > LONGEST:
        yield f"lasts {length / 1000:.3f} s, more than {LONGEST / 1000:g} s"
    characters = len(" ".join(cue.lines))
    if length > 0 and characters * 1000 > CHARACTERS_PER_SECOND * length:
        speed = characters * 1000 / length
        yield f"has {speed:.1f} characters a second, more than {CHARACTERS_PER_SECOND}"
    if start < 0:
        yield "starts before the video"
    if end > end_of_video:
        yield f"ends at {end / 1000:.3f} s, after the video at {end_of_video / 1000:.3f} s"


def _gap_fault(cue: Cue, after: Cue) -> str | None:
    gap = round(after.start * 1000) - round(cue.end * 1000)
    if gap < 0:
        return f"lasts until {cue.end:.3f} s, over the next one"
    if 0 < gap < SMALLEST_GAP:
        return f"leaves {gap} ms before the next one, neither none nor {SMALLEST_GAP} ms"
    return None
