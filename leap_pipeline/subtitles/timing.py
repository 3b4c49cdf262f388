"""When each cue comes and goes: as near to its words as the rules allow.

A cue must stand for as long as its text takes to read. Where speech is faster than that, cues are
pushed into the silence around them, some earlier and some later, so that the sum of the squared
shifts is least: isotonic regression by pooling adjacent violators (Barlow et al., 1972) on the
starts less the lengths before them. Where that would take a cue further than `FURTHEST_MS` from
its words, the reading speed gives way there instead: a cue that nobody can match to the picture
is worse than one that is a little fast.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from leap_pipeline.subtitles.limits import (
    CHARACTERS_PER_SECOND,
    GAP_MS,
    LONGEST_MS,
    SHORTEST_MS,
)

Span = tuple[int, int]

FURTHEST_MS = 5_000
LINGER_MS = 400
"""How long a cue stays after its last word where nothing follows."""
SQUEEZE = 0.93
LEAST_MS = 2


def schedule(spoken: Sequence[Span], characters: Sequence[int], duration: int) -> list[Span]:
    """Times of the cues in ms from the times of their words and their lengths in characters."""
    lengths = _fitted([reading_time(count) + GAP_MS for count in characters], duration)
    starts, pools = _place(spoken, lengths, duration)
    while strained := [pool for pool in pools if _drift(pool, spoken, starts) > FURTHEST_MS]:
        squeezed = _squeezed(lengths, strained)
        if squeezed == lengths:
            break
        lengths = squeezed
        starts, pools = _place(spoken, lengths, duration)
    return [
        (start, _end(number, spoken, starts, lengths, duration))
        for number, start in enumerate(starts)
    ]


def reading_time(characters: int) -> int:
    """How long a cue must stand, in ms."""
    return max(SHORTEST_MS, -(-characters * 1000 // CHARACTERS_PER_SECOND))


def _fitted(lengths: list[int], duration: int) -> list[int]:
    """All of them into the video: where it is too short for its text, everything is faster."""
    room, needed = duration + GAP_MS, sum(lengths)
    if needed <= room:
        return lengths
    return [max(LEAST_MS, length * room // needed) for length in lengths]


def _squeezed(lengths: Sequence[int], pools: Sequence[range]) -> list[int]:
    shorter = list(lengths)
    for number in (number for pool in pools for number in pool):
        shorter[number] = max(LEAST_MS, int(shorter[number] * SQUEEZE))
    return shorter


def _drift(pool: range, spoken: Sequence[Span], starts: Sequence[int]) -> int:
    return max(abs(starts[number] - spoken[number][0]) for number in pool)


def _place(
    spoken: Sequence[Span], lengths: Sequence[int], duration: int
) -> tuple[list[int], list[range]]:
    """Starts with the least squared shifts, and the runs of cues that push each other."""
    before = [0, *accumulate(lengths)]
    sums: list[int] = []
    pools: list[range] = []
    for number, (start, _) in enumerate(spoken):
        total, pool = start - before[number], range(number, number + 1)
        # Means compared without division: a / b > c / d.
        while pools and sums[-1] * len(pool) > total * len(pools[-1]):
            total += sums.pop()
            pool = range(pools.pop().start, number + 1)
        sums.append(total)
        pools.append(pool)
    latest = max(duration + GAP_MS - before[-1], 0)
    starts = [
        min(max(total // len(pool), 0), latest) + before[number]
        for total, pool in zip(sums, pools, strict=True)
        for number in pool
    ]
    return starts, pools


def _end(
    number: int,
    spoken: Sequence[Span],
    starts: Sequence[int],
    lengths: Sequence[int],
    duration: int,
) -> int:
    start = starts[number]
    follows = number + 1 < len(starts)
    gap = min(GAP_MS, lengths[number] - 1)
    free = starts[number + 1] - gap if follows else max(duration, start + 1)
    wanted = max(start + lengths[number] - gap, spoken[number][1] + LINGER_MS)
    return min(wanted, start + LONGEST_MS, free)
