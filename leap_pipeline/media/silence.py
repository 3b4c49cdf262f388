"""Where nobody speaks: silence found by level, 10 ms at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leap_pipeline.media.decode import samples
from leap_pipeline.media.probe import probe
from leap_pipeline.progress import ProgressCallback, ignore

WINDOW = 0.01
"""Length of the window whose level is judged, in seconds."""
RATE = 16_000
"""Sample rate of the analysis, in Hz: speech has little to say above 8 kHz."""
JOIN_GAP = 0.3
"""Sounds closer than this, in seconds, are one sound (a stop consonant and its vowel)."""
MIN_SOUND = 0.06
"""A sound that is loud for less than this, in seconds, is a click and does not end a silence."""


@dataclass(frozen=True, order=True)
class Interval:
    """A stretch of a timeline, `start` inclusive and `end` exclusive, in seconds."""

    start: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.start


def find_silence(
    path: Path,
    *,
    threshold_db: float = -40.0,
    min_duration: float = 2.0,
    progress: ProgressCallback = ignore,
) -> list[Interval]:
    """The silences of a file, in order and disjoint, in seconds from the start of the file.

    A window is silent when its RMS level is below `threshold_db` (dB relative to full scale) in
    every channel. Where the file has no sound yet, or no more, it is silent. A stretch counts from
    `min_duration` seconds on. Memory is one bit of truth a window: 1.4 MB for four hours.
    """
    info = probe(path)
    limit = 10.0 ** (threshold_db / 20.0)
    parts = [level > limit for level in _levels(path, progress)]
    loud = np.concatenate(parts) if parts else np.zeros(0, dtype=np.bool_)
    return silent_stretches(loud, info.duration, min_duration=min_duration)


def silent_stretches(
    loud: NDArray[np.bool_], duration: float, *, min_duration: float
) -> list[Interval]:
    """Stretches of at least `min_duration` seconds between sounds; `loud` has one item a window."""
    edges = [0.0]
    for sound in _sounds(loud):
        edges += [sound.start, min(sound.end, duration)]
    edges.append(duration)
    pairs = zip(edges[::2], edges[1::2], strict=True)
    # One window is what the edges can be off by: a pause of exactly the minimum counts.
    return [Interval(a, b) for a, b in pairs if b > a and b - a >= min_duration - WINDOW]


def _sounds(loud: NDArray[np.bool_]) -> Iterator[Interval]:
    """Loud windows joined over short gaps, without the clicks."""
    steps = np.diff(np.concatenate(([0], loud.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    if not len(starts):
        return
    breaks = np.flatnonzero((starts[1:] - ends[:-1]) * WINDOW >= JOIN_GAP) + 1
    firsts, lasts = np.concatenate(([0], breaks)), np.concatenate((breaks, [len(starts)]))
    for first, last in zip(firsts, lasts, strict=True):
        loud_time = float((ends[first:last] - starts[first:last]).sum()) * WINDOW
        if loud_time >= MIN_SOUND - WINDOW / 2:
            yield Interval(float(starts[first]) * WINDOW, float(ends[last - 1]) * WINDOW)


def _levels(path: Path, progress: ProgressCallback) -> Iterator[NDArray[np.float64]]:
    """RMS of each window (full scale is 1.0), the loudest channel's: a mean could cancel out."""
    size = round(RATE * WINDOW)
    for block in samples(path, RATE, progress=progress):
        # A constant offset of a cheap sound card is no sound.
        centred = block - block.mean(axis=0, dtype=np.float64)
        short = -len(centred) % size
        padded = np.pad(centred, ((0, short), (0, 0)))
        power = np.square(padded).reshape(-1, size, padded.shape[1]).mean(axis=1)
        yield np.sqrt(power.max(axis=1))
