"""Which frames a cut plan keeps, written as expressions of FFmpeg's filters. Pure.

Every kept frame moves by exactly what was removed before it, reckoned from the start of the file:
no error adds up, however many cuts there are, whatever the frame rate. The expressions are
balanced trees, so a frame costs log2(cuts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leap_pipeline.media.timeline import CutPlan

NEAR = 0.02
"""A frame at most this long after a cut's edge, in seconds, can stand for the one before it."""
LAST = 0.04
"""How long the last frame is shown, in seconds, where a source's frames do not tell."""
LONGEST = 0.1
"""What stands longer, in seconds, is a slide and not a frame of a moving picture."""


@dataclass(frozen=True)
class FrameRange:
    """Frames `first` to `end` (exclusive) of the file, shown `offset` seconds earlier.

    `begin` is the trimmed time at which the first one is shown.
    """

    first: int
    end: int
    offset: float
    begin: float


def frame_ranges(times: NDArray[np.float64], plan: CutPlan) -> list[FrameRange]:
    """The frames to show, given the sorted times in seconds at which each begins to be shown.

    A kept part begins with the picture that is on screen at its start, even where that came up
    long before: slides are often recorded as one frame in many seconds.
    """
    typical = typical_length(times)
    after, guard = min(typical / 2, NEAR), min(typical / 4, NEAR / 4)
    found: list[FrameRange] = []
    unused = 0
    for part, join in zip(plan.keep, plan.joins[:-1], strict=True):
        first = max(int(np.searchsorted(times, part.start + after, "right")) - 1, unused)
        end = int(np.searchsorted(times, part.end - guard, "left"))
        if not found:
            first, end = max(first, 0), max(end, first + 1)
        if end <= first:
            continue
        offset = part.start - join
        begin = max(join, float(times[first]) - offset) if found else 0.0
        found.append(FrameRange(first, end, offset, begin))
        unused = end
    return found


def typical_length(times: NDArray[np.float64]) -> float:
    """How long most frames are shown, in seconds; `LAST` where they stand longer than 0.1 s."""
    usual = float(np.median(np.diff(times))) if len(times) > 1 else LAST
    return usual if usual <= LONGEST else LAST


def _middle(times: NDArray[np.float64], index: int) -> float:
    """A time surely between the frames `index - 1` and `index`."""
    if index <= 0:
        return float(times[0]) - 1.0
    if index >= len(times):
        return float(times[-1]) + 1.0
    return float(times[index - 1] + times[index]) / 2


def _tree(limits: Sequence[float], leaves: Sequence[str], variable: str) -> str:
    """`leaves[k]` where `variable` is below `limits[k]` (and not below the one before it)."""
    if len(leaves) == 1:
        return leaves[0]
    half = len(leaves) // 2
    left = _tree(limits[: half - 1], leaves[:half], variable)
    right = _tree(limits[half:], leaves[half:], variable)
    return f"if(lt({variable},{limits[half - 1]:.7f}),{left},{right})"


def last_length(times: NDArray[np.float64], ranges: Sequence[FrameRange], end: float) -> float:
    """How long the last chosen frame is to be shown until `end`, in trimmed seconds."""
    last = ranges[-1]
    alone = last.end - last.first == 1
    return end - (last.begin if alone else float(times[last.end - 1]) - last.offset)


def video_filters(
    times: NDArray[np.float64], ranges: Sequence[FrameRange], end: float, start: float
) -> tuple[str, float]:
    """Filters that keep `ranges` and put them on the trimmed timeline, which ends at `end` seconds.

    They expect time stamps that begin at `start` (seconds). The second value is how long the last
    frame is shown. Where the last picture came up long before the end it is said once more just
    before it: players and checks take the last frame's begin for the end of a track.
    """
    stamps = times + start
    limits = [_middle(stamps, part.first) for part in ranges]
    keep = [
        f"gte(t,{limit:.7f})*lt(t,{_middle(stamps, part.end):.7f})"
        for limit, part in zip(limits, ranges, strict=True)
    ]
    move = [
        f"if(lt(T,{_middle(stamps, part.first + 1):.7f}),"
        f"{part.begin:.7f},T-{part.offset + start:.7f})"
        for part in ranges
    ]
    chosen, moved = _tree(limits[1:], keep, "t"), _tree(limits[1:], move, "T")
    length, usual = last_length(times, ranges, end), typical_length(times)
    repeat = ""
    if length > 2 * usual:
        count, length = sum(part.end - part.first for part in ranges), usual
        moved = f"if(eq(N,{count}),{end - usual:.7f},{moved})"
        repeat = "tpad=stop=1:stop_mode=clone,"
    return f"select='{chosen}',{repeat}setpts='round(({moved})/TB)'", length
