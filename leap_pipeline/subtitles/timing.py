"""When each cue comes and goes: near its words, long enough to read, never over another.

A cue needs time to be read. Where its words leave less, it takes the pause after them, then moves
over the slack of its neighbours: starts are as near to the words as can be in the sense of least
squares (isotonic regression by pooling adjacent violators, Ayer et al. 1955). It comes at most
EARLIEST before its first word and LATEST after it. Speech that is too fast for that over a long
stretch is read faster than it should be, evenly over the stretch: no word is left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leap_pipeline.subtitles.layout import Placed
from leap_pipeline.subtitles.limits import LONGEST, SHORTEST, SMALLEST_GAP, reading_time

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

EARLIEST = 1500
LATEST = 3000
LINGER = 300
"""A cue stays so many milliseconds after its last word where nothing follows."""
CLOSED_GAP = 500
"""Shorter gaps flicker: the cue before stays until the next."""
ROUNDS = 4


def time_cues(cues: Sequence[Placed], duration: int) -> list[tuple[int, int]]:
    """Start and end of each in milliseconds, within 0 and `duration`."""
    if not cues:
        return []
    spoken = np.minimum(np.array([cue.start for cue in cues]), duration)
    needed = np.array([reading_time(len(" ".join(cue.lines))) for cue in cues])
    earliest = np.maximum(0, spoken - EARLIEST)
    # The video's end stands behind the last cue as one that cannot move.
    latest = np.append(np.minimum(spoken + LATEST, duration), duration)
    needed = _what_fits(needed, earliest, latest)
    starts = _starts(spoken, needed, earliest, latest)
    following = [*starts[1:], duration]
    return [
        (start, _end(start, need, cue.end, after, last=at == len(cues) - 1))
        for at, (cue, start, need, after) in enumerate(
            zip(cues, starts, needed.tolist(), following, strict=True)
        )
    ]


def _end(start: int, needed: int, spoken: int, following: int, *, last: bool) -> int:
    end = min(max(start + needed, spoken + LINGER), start + LONGEST, following)
    if last or following - end >= CLOSED_GAP:
        return end
    if following - start <= LONGEST:
        return following
    return min(end, following - SMALLEST_GAP)


def _what_fits(needed: Ints, earliest: Ints, latest: Ints) -> Ints:
    """The times asked for, cut down where no schedule has them; whole seconds are kept longest."""
    for shortest in (*(SHORTEST for _ in range(ROUNDS)), 1):
        if _feasible(needed, earliest, latest):
            break
        cut = np.floor(needed * _tightest(needed, earliest, latest)).astype(np.int64)
        needed = np.maximum(np.minimum(needed, shortest), cut)
    return needed


def _feasible(needed: Ints, earliest: Ints, latest: Ints) -> bool:
    clock = 0
    for need, first, last in zip(
        needed.tolist(), earliest.tolist(), latest[:-1].tolist(), strict=True
    ):
        clock = max(clock, first)
        if clock > last:
            return False
        clock += need
    return clock <= int(latest[-1])


def _tightest(needed: Ints, earliest: Ints, latest: Ints) -> Floats:
    """For each cue the share of time that the worst stretch around it can give (at most 1).

    A stretch from cue a up to cue b has the time between a's earliest and b's latest start. Cut
    down by the worst share, every stretch fits.
    """
    total = np.concatenate(([0], np.cumsum(needed)))
    share = np.ones(len(needed))
    for first in range(len(needed)):
        ratios = (latest[first + 1 :] - earliest[first]) / (total[first + 1 :] - total[first])
        worst = np.minimum.accumulate(ratios[::-1])[::-1]
        np.minimum(share[first:], worst, out=share[first:])
    return np.maximum(share, 0.0)


def _starts(spoken: Ints, needed: Ints, earliest: Ints, latest: Ints) -> list[int]:
    bounds = latest.tolist()
    for at in range(len(needed) - 1, -1, -1):
        bounds[at] = min(bounds[at], bounds[at + 1] - int(needed[at]))
    starts: list[int] = []
    clock = 0
    for at, wish in enumerate(_nearest(spoken, needed)):
        start = max(0, min(max(wish, int(earliest[at]), clock), bounds[at]))
        starts.append(start)
        clock = start + int(needed[at])
    return starts


def _nearest(spoken: Ints, needed: Ints) -> list[int]:
    """Starts nearest to the spoken ones with `needed` between them."""
    before = np.concatenate(([0], np.cumsum(needed)[:-1]))
    blocks: list[tuple[float, int]] = []
    for value in (spoken - before).tolist():
        mean, count = float(value), 1
        while blocks and blocks[-1][0] > mean:
            other, size = blocks.pop()
            mean, count = (mean * count + other * size) / (count + size), count + size
        blocks.append((mean, count))
    level = [round(mean) for mean, count in blocks for _ in range(count)]
    return [int(base + offset) for base, offset in zip(level, before.tolist(), strict=True)]
