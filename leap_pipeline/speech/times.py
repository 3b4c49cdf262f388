"""Word times that hold what they promise: sorted, never overlapping, inside the sound."""

from __future__ import annotations

from collections.abc import Sequence

Span = tuple[float, float]

SHORTEST = 0.01
"""Seconds that a word is given at least, where there is room."""


def settle(spans: Sequence[Span], duration: float) -> list[Span]:
    """The spans (start, end) in seconds, in their given order, pushed apart and into the sound.

    Whisper's alignment can give a word before its neighbour, on top of it, of no length, or past
    the end. A span moves no further than it must.
    """
    least = min(SHORTEST, duration / max(len(spans), 1))
    forward: list[Span] = []
    free = 0.0
    for start, end in spans:
        begin = max(start, free)
        free = max(end, begin + least)
        forward.append((begin, free))
    settled: list[Span] = []
    limit = duration
    for start, end in reversed(forward):
        finish = min(end, limit)
        limit = max(min(start, finish - least), 0.0)
        settled.append((limit, max(finish, limit)))
    return [(round(start, 3), round(end, 3)) for start, end in reversed(settled)]
