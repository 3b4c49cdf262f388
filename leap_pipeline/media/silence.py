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
REACH = 0.2
"""How far a sound reaches beyond its loud part, in seconds, while it is heard above the noise."""
BELOW, ABOVE_NOISE = 12.0, 8.0
"""Such a faint end is at most this far below the threshold and at least so far above noise (dB)."""


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
    every channel. The faint beginning and end of a sound belong to it. Where the file has no sound
    yet, or no more, it is silent. A stretch counts from `min_duration` seconds on. Memory is one
    number a window: 6 MB for four hours.
    """
    info = probe(path)
    parts = list(_levels(path, progress))
    levels = np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)
    limit = _amplitude(threshold_db)
    faint = levels > _faint_limit(levels, limit)
    return silent_stretches(levels > limit, faint, info.duration, min_duration=min_duration)


def _amplitude(decibels: float) -> float:
    return float(10.0 ** (decibels / 20.0))


def _faint_limit(levels: NDArray[np.float32], limit: float) -> float:
    """The level down to which a sound is followed; the noise is what the quietest tenth has."""
    if not len(levels):
        return limit
    noise = float(np.percentile(levels, 10)) * _amplitude(ABOVE_NOISE)
    return min(limit, max(limit * _amplitude(-BELOW), noise))


def silent_stretches(
    loud: NDArray[np.bool_], faint: NDArray[np.bool_], duration: float, *, min_duration: float
) -> list[Interval]:
    """Stretches of at least `min_duration` seconds between sounds.

    `loud` and `faint` have one item a window: what makes a sound, and what may belong to one.
    """
    edges = [0.0]
    for sound in _sounds(loud, faint):
        edges += [sound.start, min(sound.end, duration)]
    edges.append(duration)
    pairs = zip(edges[::2], edges[1::2], strict=True)
    # One window is what the edges can be off by: a pause of exactly the minimum counts.
    return [Interval(a, b) for a, b in pairs if b > a and b - a >= min_duration - WINDOW]


def _sounds(loud: NDArray[np.bool_], faint: NDArray[np.bool_]) -> Iterator[Interval]:
    """Loud windows joined over short gaps, without the clicks, with their faint ends."""
    steps = np.diff(np.concatenate(([0], loud.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    if not len(starts):
        return
    breaks = np.flatnonzero((starts[1:] - ends[:-1]) * WINDOW >= JOIN_GAP) + 1
    firsts, lasts = np.concatenate(([0], breaks)), np.concatenate((breaks, [len(starts)]))
    for first, last in zip(firsts, lasts, strict=True):
        loud_time = float((ends[first:last] - starts[first:last]).sum()) * WINDOW
        if loud_time >= MIN_SOUND - WINDOW / 2:
            begin = int(starts[first]) - _run(faint[: starts[first]][::-1])
            end = int(ends[last - 1]) + _run(faint[ends[last - 1] :])
            yield Interval(begin * WINDOW, end * WINDOW)


def _run(faint: NDArray[np.bool_]) -> int:
    """How many windows from the first one on are faint, as far as a sound reaches."""
    near = faint[: round(REACH / WINDOW)]
    return len(near) if near.all() else int(near.argmin())


def _levels(path: Path, progress: ProgressCallback) -> Iterator[NDArray[np.float32]]:
    """RMS of each window (full scale is 1.0), the loudest channel's: a mean could cancel out."""
    size = round(RATE * WINDOW)
    for block in samples(path, RATE, progress=progress):
        # A constant offset of a cheap sound card is no sound.
        centred = block - block.mean(axis=0, dtype=np.float64)
        short = -len(centred) % size
        padded = np.pad(centred, ((0, short), (0, 0)))
        power = np.square(padded).reshape(-1, size, padded.shape[1]).mean(axis=1)
        yield np.sqrt(power.max(axis=1)).astype(np.float32)
