"""Sound of a file as arrays, on the file's own timeline, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from leap_pipeline.errors import InputError
from leap_pipeline.media.probe import open_media, probe
from leap_pipeline.progress import ProgressCallback, ignore

BLOCK = 1.0
"""Length of a block, in seconds."""
SLACK = 0.02
"""Time stamps may jump about this much, in seconds, before it is taken for a gap or an overlap."""

Samples = NDArray[np.float32]


def samples(
    path: Path, rate: int, *, layout: str | None = None, progress: ProgressCallback = ignore
) -> Iterator[Samples]:
    """Blocks of one second, shape (samples, channels), full scale 1.0; only the last is shorter.

    `layout` ("mono", "stereo") mixes the channels; without it they stay as they are.

    The first sample is the start of the file, not of the sound: where the track begins late or has
    a gap there are zeros. What cannot be decoded is left out and becomes such a gap.
    Raises InputError where the file has no sound.
    """
    size = round(rate * BLOCK)
    pending: list[Samples] = []
    count = 0
    for piece in _on_the_timeline(path, rate, layout, progress):
        pending.append(piece)
        count += len(piece)
        while count >= size:
            joined = _join(pending)
            yield joined[:size]
            pending, count = [joined[size:]], count - size
    if count:
        yield _join(pending)


def _join(pieces: list[Samples]) -> Samples:
    """One array; the number of channels can change within a file."""
    width = max(piece.shape[1] for piece in pieces)
    return np.concatenate(
        [np.broadcast_to(p[:, :1], (len(p), width)) if p.shape[1] < width else p for p in pieces]
    )


def _on_the_timeline(
    path: Path, rate: int, layout: str | None, progress: ProgressCallback
) -> Iterator[Samples]:
    info = probe(path)
    if info.audio is None:
        msg = f"{path} has no sound: choose a recording with an audio track."
        raise InputError(msg)
    position, told = 0, time.monotonic()
    last = round(info.duration * rate)
    for frame in _resampled(path, info.audio.index, rate, layout):
        if time.monotonic() - told > 0.2:
            told = time.monotonic()
            progress(min(position / max(last, 1), 1.0))
        data = np.ascontiguousarray(frame.to_ndarray().T, dtype=np.float32)
        if frame.time is not None:
            gap = min(round((frame.time - info.start) * rate), last) - position
            if gap > SLACK * rate:
                yield from _zeros(gap, data.shape[1], rate)
                position += gap
            elif gap < -SLACK * rate:
                data = data[-gap:]
        position += len(data)
        yield data
    progress(1.0)


def _zeros(count: int, channels: int, rate: int) -> Iterator[Samples]:
    for begin in range(0, count, rate):
        yield np.zeros((min(rate, count - begin), channels), dtype=np.float32)


def _resampled(path: Path, index: int, rate: int, layout: str | None) -> Iterator[AudioFrame]:
    """Frames at one rate; a recording may change its format on the way."""
    resampler: AudioResampler | None = None
    shape: tuple[str, str, int] | None = None
    for frame in _decoded(path, index):
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or found != shape:
            if resampler is not None:
                yield from resampler.resample(None)
            resampler = AudioResampler(format="fltp", layout=layout or frame.layout, rate=rate)
            shape = found
        yield from resampler.resample(frame)
    if resampler is not None:
        yield from resampler.resample(None)


def _decoded(path: Path, index: int) -> Iterator[AudioFrame]:
    with open_media(path) as container:
        stream = container.streams[index]
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue
            for frame in frames:
                if isinstance(frame, AudioFrame):
                    yield frame
