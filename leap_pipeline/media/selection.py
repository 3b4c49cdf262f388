"""Which frames and samples a cut plan keeps, written as expressions of FFmpeg's filters. Pure.

Every kept frame moves by exactly what was removed before it, every block of sound by the same to
the block, both reckoned from the start of the file: no error adds up, however many cuts there are,
whatever the frame rate. The expressions are balanced trees, so a frame costs log2(cuts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leap_pipeline.media.timeline import CutPlan

AUDIO_RATE = 48_000
BLOCK = 240
"""Sound is kept or dropped in blocks of this many samples: 5 ms at 48 kHz."""
NEAR = 0.02
"""A frame at most this long after a cut's edge, in seconds, can stand for the one before it."""


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
    typical = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
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


def video_filters(times: NDArray[np.float64], ranges: Sequence[FrameRange]) -> str:
    """A `select` and a `setpts` filter that keep `ranges` and put them on the trimmed timeline."""
    starts = [_middle(times, part.first) for part in ranges]
    keep = [
        f"gte(t,{start:.7f})*lt(t,{_middle(times, part.end):.7f})"
        for start, part in zip(starts, ranges, strict=True)
    ]
    move = [
        f"if(lt(T,{_middle(times, part.first + 1):.7f}),{part.begin:.7f},T-{part.offset:.7f})"
        for part in ranges
    ]
    chosen, moved = _tree(starts[1:], keep, "t"), _tree(starts[1:], move, "T")
    return f"select='{chosen}',setpts='round(({moved})/TB)'"


def audio_filters(plan: CutPlan, channels: int) -> str:
    """Filters that keep the plan's sound: one stream of exactly the trimmed duration.

    Gaps in the source, and what is missing at its start and end, become silence.
    """
    step = BLOCK / AUDIO_RATE
    starts = [round(part.start / step) for part in plan.keep]
    joins = [round(join / step) for join in plan.joins]
    # Counted from the joins, so that roundings do not add up.
    ends = [start + b - a for start, a, b in zip(starts, joins, joins[1:], strict=False)]
    limits = [(start - 0.5) * step for start in starts]
    keep = [
        f"gte(t,{(start - 0.5) * step:.7f})*lt(t,{(end - 0.5) * step:.7f})"
        for start, end in zip(starts, ends, strict=True)
    ]
    layout = "mono" if channels == 1 else "stereo"
    return ",".join(
        [
            on_timeline(AUDIO_RATE, layout),
            f"asetnsamples=n={BLOCK}:p=0",
            f"aselect='{_tree(limits[1:], keep, 't')}'",
            "asetpts='N/SR/TB'",
            f"apad=whole_dur={plan.duration_after:.6f}",
        ]
    )


def on_timeline(rate: int, layout: str) -> str:
    """Filters that put sound on the file's timeline: it begins at 0, gaps are filled."""
    return (
        f"aresample={rate}:async=1:min_hard_comp=0.02:first_pts=0,"
        f"aformat=sample_fmts=fltp:channel_layouts={layout}"
    )
