"""The sound of a trimmed recording, cut to the sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from leap_pipeline.media.decode import Samples, samples
from leap_pipeline.media.encode import write_audio
from leap_pipeline.media.timeline import CutPlan
from leap_pipeline.progress import ProgressCallback, ignore

RATE = 48_000
BIT_RATES = {1: 96_000, 2: 160_000}
"""AAC by number of channels, in bit/s."""


def write_soundtrack(
    src: Path, dst: Path, plan: CutPlan, channels: int, *, progress: ProgressCallback = ignore
) -> None:
    """Write what `plan` keeps of the sound of `src` as AAC, 48 kHz, at most two channels."""
    width = min(channels, 2)
    layout = "mono" if width == 1 else "stereo"
    blocks = samples(src, RATE, layout=layout, progress=progress)
    write_audio(
        dst,
        kept(blocks, plan, RATE, width),
        rate=RATE,
        channels=width,
        codec="aac",
        bit_rate=BIT_RATES[width],
    )


def kept(blocks: Iterable[Samples], plan: CutPlan, rate: int, channels: int) -> Iterator[Samples]:
    """The kept samples; what is missing at the end is silence. Pure.

    Each part begins at the sample of its join, so that roundings do not add up.
    """
    joins = [round(join * rate) for join in plan.joins]
    starts = [round(part.start * rate) for part in plan.keep]
    parts = [(start, start + b - a) for start, a, b in zip(starts, joins, joins[1:], strict=False)]
    position, written, current = 0, 0, 0
    for block in blocks:
        end = position + len(block)
        while current < len(parts) and parts[current][0] < end:
            start, stop = parts[current]
            piece = block[max(start - position, 0) : max(stop - position, 0)]
            written += len(piece)
            if len(piece):
                yield piece
            if stop > end:
                break
            current += 1
        position = end
    yield from padding(joins[-1] - written, rate, channels)


def padding(count: int, rate: int, channels: int) -> Iterator[Samples]:
    """`count` samples of silence in blocks of at most a second."""
    for begin in range(0, count, rate):
        yield np.zeros((min(rate, count - begin), channels), dtype=np.float32)
