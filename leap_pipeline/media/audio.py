"""The sound of a recording as speech models want it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from leap_pipeline.errors import InputError
from leap_pipeline.media.decode import Samples, samples
from leap_pipeline.media.encode import write_audio
from leap_pipeline.media.probe import probe
from leap_pipeline.media.silence import Interval
from leap_pipeline.media.soundtrack import kept
from leap_pipeline.media.timeline import CutPlan
from leap_pipeline.media.verify import check_output
from leap_pipeline.media.workspace import beside
from leap_pipeline.progress import ProgressCallback, ignore

RATE = 16_000
"""What Whisper was trained on, in Hz."""
BIT_RATE = 64_000
CANCELLED = 0.1
"""A mix with less than this share of a channel's level has lost it: wires were swapped."""


def extract_audio(src: Path, dst: Path, *, progress: ProgressCallback = ignore) -> float:
    """Write the sound of `src` to `dst` as MP3, 16 kHz mono, and return its duration in seconds.

    It is as long as `src` and begins with it: a time in `dst` is a time in `src`. `dst` appears
    when it is whole. Raises InputError (no sound), UserActionError (disk full), DataError.
    """
    info = probe(src)
    if info.audio is None:
        msg = f"{src} has no audio track: record the lecture with sound."
        raise InputError(msg)
    layout = "mono" if info.audio.channels == 1 else "stereo"
    whole = CutPlan(info.duration, (Interval(0.0, info.duration),))
    with beside(dst) as folder:
        part = folder / "part.mp3"
        blocks = _mixed(samples(src, RATE, layout=layout, progress=progress))
        write_audio(
            part,
            kept(blocks, whole, RATE, 1),
            rate=RATE,
            channels=1,
            codec="libmp3lame",
            bit_rate=BIT_RATE,
        )
        result = check_output(part, {"audio": info.duration}, progress=progress)
        part.replace(dst)
    return result.duration


def _mixed(blocks: Iterator[Samples]) -> Iterator[Samples]:
    """One channel: the mean, or the loudest where the channels cancel each other out."""
    for block in blocks:
        mean = block.mean(axis=1, keepdims=True, dtype=np.float32)
        power = np.square(block).mean(axis=0)
        loudest = int(power.argmax())
        if float(np.square(mean).mean()) < CANCELLED**2 * float(power[loudest]):
            mean = block[:, loudest : loudest + 1]
        yield mean
