"""Pictures for people: the waveform with its cuts, and a frame of the video."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from leap_pipeline.errors import DataError, InputError
from leap_pipeline.media.decode import samples
from leap_pipeline.media.probe import open_media, probe
from leap_pipeline.media.silence import Interval

WIDTH, HEIGHT, MARGIN = 1000, 220, 26
"""Size of the picture and of the strip under it for the times, in pixels."""
PAPER, WAVE, CUT_WAVE, CUT, INK, GRID = (
    "#ffffff",
    "#1f5fa8",
    "#b9a7a0",
    "#fbe6df",
    "#3c4043",
    "#dfe3e8",
)
RATE = 8_000
FLOOR_DB = -60.0
"""Bottom of the picture's scale, in dB: on a linear scale faint speech would be a line."""
STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
TRIES = (0.0, 1.0, 3.0, 7.0, 15.0, 30.0, 60.0, 120.0)
"""Seconds after the wanted time at which a frame that is not black is looked for."""


def waveform_png(path: Path, duration: float, removed: Sequence[Interval]) -> bytes:
    """A PNG, 1000 by 220 pixels: loudness over `duration` seconds, the `removed` parts shaded."""
    image = Image.new("RGB", (WIDTH, HEIGHT), PAPER)
    draw = ImageDraw.Draw(image)
    scale = WIDTH / max(duration, 1e-9)
    bottom = HEIGHT - MARGIN
    for part in removed:
        draw.rectangle((part.start * scale, 0, part.end * scale, bottom), fill=CUT)
    _axis(draw, duration, scale)
    gone = [(part.start * scale, part.end * scale) for part in removed]
    middle = bottom / 2
    for x, level in enumerate(_columns(path, duration)):
        half = level * (middle - 6)
        colour = CUT_WAVE if any(a <= x + 0.5 < b for a, b in gone) else WAVE
        draw.line((x, middle - half, x, middle + half), fill=colour)
    return _encoded(image, "PNG")


def frame_jpeg(path: Path, at: float, width: int = 640) -> bytes:
    """A JPEG of the picture on screen at `at` seconds, or soon after where that one is black.

    `width` in pixels; the height follows. Raises InputError where the file has no picture.
    """
    info = probe(path)
    if info.video is None:
        msg = f"{path} has no video track: choose the recording with the picture."
        raise InputError(msg)
    last = max(info.duration - 1.0, 0.0)
    wanted = sorted({min(max(at, 0.0) + extra, last) for extra in TRIES})
    best: Image.Image | None = None
    for time in [*wanted, last / 2]:
        image = _frame(path, info.video.index, time + info.start)
        if image is not None and _contrast(image) > _contrast(best):
            best = image
        if best is not None and _contrast(best) > 8:
            break
    if best is None:
        msg = f"no frame of {path} can be decoded"
        raise DataError(msg)
    height = max(round(best.height * width / best.width), 1)
    return _encoded(best.resize((width, height), Image.Resampling.LANCZOS), "JPEG")


def _columns(path: Path, duration: float) -> NDArray[np.float64]:
    """Loudness of each pixel column, 0 to 1 on a scale of decibels."""
    total = max(round(duration * RATE), 1)
    peaks = np.zeros(WIDTH)
    position = 0
    for block in samples(path, RATE):
        level = np.abs(block).max(axis=1)
        column = (np.arange(position, position + len(level)) * WIDTH // total).clip(0, WIDTH - 1)
        np.maximum.at(peaks, column, level)
        position += len(level)
    decibels = 20 * np.log10(np.maximum(peaks, 1e-9))
    return np.clip(1 - decibels / FLOOR_DB, 0.0, 1.0)


def _axis(draw: ImageDraw.ImageDraw, duration: float, scale: float) -> None:
    font = ImageFont.load_default(size=13)
    bottom = HEIGHT - MARGIN
    draw.line((0, bottom, WIDTH, bottom), fill=INK)
    for second in _ticks(duration):
        x = second * scale
        draw.line((x, 0, x, bottom), fill=GRID)
        draw.line((x, bottom, x, bottom + 5), fill=INK)
        label = _clock(second, duration)
        length = draw.textlength(label, font=font)
        left = min(max(x - length / 2, 2), WIDTH - length - 2)
        draw.text((left, bottom + 7), label, fill=INK, font=font)


def _ticks(duration: float) -> Iterator[int]:
    """Whole seconds, at most about a dozen, none so near the end that labels would overlap."""
    step = next((s for s in STEPS if duration / s <= 12), STEPS[-1])
    yield from range(0, int(duration) + 1, step)


def _clock(second: int, duration: float) -> str:
    minutes, rest = divmod(second, 60)
    if duration < 3600:
        return f"{minutes}:{rest:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _frame(path: Path, index: int, time: float) -> Image.Image | None:
    """The frame on screen at a time stamp in seconds, upright."""
    with open_media(path) as container:
        stream = next(s for s in container.streams.video if s.index == index)
        container.seek(int(time * 1_000_000))
        found: VideoFrame | None = None
        for frame in container.decode(stream):
            if found is not None and frame.time is not None and frame.time > time:
                break
            found = frame
        if found is None:
            return None
        image = Image.fromarray(found.to_ndarray(format="rgb24"))
        return image.rotate(found.rotation, expand=True) if found.rotation else image


def _contrast(image: Image.Image | None) -> float:
    """Standard deviation of the brightness (0 to 127): a black or blank picture has none."""
    if image is None:
        return -1.0
    return float(np.asarray(image.convert("L").resize((64, 36))).std())


def _encoded(image: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, quality=85, optimize=True)
    return buffer.getvalue()
