"""Small recordings made to measure: speech-like sound, silence, and flashes with beeps.

Pattern items are `(kind, seconds)` with these kinds:
    speech   harmonics of a voice in syllables, about -15 dB, from the first sample to the last
    silence  noise at -62 dB, as a quiet room has it
    click    silence with one loud spike of 3 ms in its middle
    mark     silence; in its middle the picture turns white and a beep sounds for 80 ms
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

RATE = 48_000
FLASH = 0.08
"""Length of a flash and its beep in seconds."""
BEEP_HZ = 2000.0
TICKS = 90_000

Pattern = Sequence[tuple[str, float]]
Frames = Iterable[float]


def make_clip(
    path: Path,
    *,
    pattern: Pattern,
    fps: float | Fraction = 25,
    size: str = "320x180",
    channels: int = 1,
    audio_start: float = 0.0,
    audio_stop: float | None = None,
    frame_times: Frames | None = None,
    with_audio: bool = True,
    with_video: bool = True,
    rotation: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip (H.264 and AAC; the container goes by the suffix) and return its path.

    `frame_times` (seconds) makes the frame rate variable; `audio_start` and `audio_stop` (seconds)
    leave the sound out before and after. A mark's flash begins with the first frame at or after
    its time; with `fps` a divisor of the pattern's times, flash and beep begin together.
    """
    total = sum(seconds for _, seconds in pattern)
    with av.open(str(path), "w", options=options or {}) as container:
        video = _video_stream(container, fps, size, rotation) if with_video else None
        audio = _audio_stream(container, channels) if with_audio else None
        parts: list[Iterable[tuple[float, VideoFrame | AudioFrame]]] = []
        if video is not None:
            times = frame_times if frame_times is not None else _steady(total, fps)
            parts.append(_pictures(times, pattern, video.width, video.height))
        if audio is not None:
            stop = total if audio_stop is None else audio_stop
            parts.append(_sounds(pattern, channels, audio_start, stop))
        for _, frame in _by_time(parts):
            stream = video if isinstance(frame, VideoFrame) else audio
            assert stream is not None
            container.mux(stream.encode(frame))  # type: ignore[arg-type]
        for stream in (video, audio):
            if stream is not None:
                container.mux(stream.encode(None))
    return path


def marks(pattern: Pattern) -> list[float]:
    """Times in seconds at which the flashes and beeps of a pattern begin."""
    begins = itertools.accumulate((seconds for _, seconds in pattern), initial=0.0)
    return [
        begin + s / 2 for begin, (kind, s) in zip(begins, pattern, strict=False) if kind == "mark"
    ]


def spoken(pattern: Pattern) -> list[tuple[float, float]]:
    """Start and end in seconds of each stretch of speech."""
    begins = itertools.accumulate((seconds for _, seconds in pattern), initial=0.0)
    return [
        (begin, begin + s)
        for begin, (kind, s) in zip(begins, pattern, strict=False)
        if kind == "speech"
    ]


def sound(pattern: Pattern, *, seed: int = 7) -> NDArray[np.float32]:
    """The sound of a pattern at 48 kHz, full scale 1.0."""
    random = np.random.default_rng(seed)
    edges = np.cumsum([0.0, *(seconds for _, seconds in pattern)])
    samples = np.round(edges * RATE).astype(int)
    made = random.normal(0.0, 10 ** (-62 / 20), samples[-1])
    for (kind, _), begin, end in zip(pattern, samples, samples[1:], strict=False):
        if kind == "speech":
            made[begin:end] += _voice(end - begin, random)
        elif kind == "click":
            middle = (begin + end) // 2
            made[middle : middle + int(0.003 * RATE)] += random.uniform(
                -0.8, 0.8, int(0.003 * RATE)
            )
    for mark in marks(pattern):
        begin = round(mark * RATE)
        time = np.arange(round(FLASH * RATE)) / RATE
        made[begin : begin + len(time)] += 0.5 * np.sin(2 * np.pi * BEEP_HZ * time)
    wave: NDArray[np.float32] = made.astype(np.float32)
    return wave


def heard(path: Path) -> list[float]:
    """Times in seconds at which the beeps of a clip begin, as decoded (1 ms steps)."""
    pieces: list[NDArray[np.float32]] = []
    first: float | None = None
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                first = piece.time if first is None else first
                pieces.append(piece.to_ndarray()[0])
    wave = np.abs(np.concatenate(pieces))
    steps = wave[: len(wave) // 48 * 48].reshape(-1, 48).max(axis=1) > 0.15
    return _onsets(np.flatnonzero(steps) * 0.001 + (first or 0.0))


def seen(path: Path) -> list[float]:
    """Times in seconds at which the flashes of a clip begin, as decoded."""
    with av.open(str(path)) as container:
        white = [
            frame.time
            for frame in container.decode(video=0)
            if frame.time is not None and frame.to_ndarray(format="gray")[::4, ::4].mean() > 180
        ]
    return _onsets(np.array(white))


def _onsets(times: NDArray[np.floating]) -> list[float]:
    """The first of each group of times that are less than a flash apart."""
    if not len(times):
        return []
    return [float(times[0]), *map(float, times[1:][np.diff(times) > 2 * FLASH])]


def _voice(count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Harmonics of 120 Hz and breath, in four syllables a second that never fall under -30 dB."""
    time = np.arange(count) / RATE
    pitch = 120 + 8 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    tones = sum(np.sin(k * phase) / k for k in range(1, 12))
    syllables = 0.25 + 0.75 * np.sin(2 * np.pi * 2 * time + np.pi / 4) ** 2
    voice: NDArray[np.float64] = 0.16 * syllables * (tones + random.normal(0, 0.15, count))
    ramp = min(int(0.004 * RATE), count // 2)
    voice[:ramp] *= np.linspace(0, 1, ramp)
    voice[count - ramp :] *= np.linspace(1, 0, ramp)
    return voice


def _video_stream(
    container: OutputContainer, fps: float | Fraction, size: str, rotation: int
) -> VideoStream:
    width, height = (int(part) for part in size.split("x"))
    rate = Fraction(fps).limit_denominator(1001)
    stream = container.add_stream("libx264", rate=rate)
    assert isinstance(stream, VideoStream)
    odd = width % 2 or height % 2
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p" if odd else "yuv420p"
    stream.codec_context.time_base = Fraction(1, TICKS)
    stream.codec_context.options = {"preset": "ultrafast", "crf": "28"}
    stream.codec_context.thread_count = 1
    if rotation:
        stream.set_display_rotation(rotation)
    return stream


def _audio_stream(container: OutputContainer, channels: int) -> AudioStream:
    layout = "mono" if channels == 1 else "stereo"
    stream = container.add_stream("aac", rate=RATE, layout=layout)
    assert isinstance(stream, AudioStream)
    stream.codec_context.bit_rate = 96_000
    return stream


def _steady(total: float, fps: float | Fraction) -> list[float]:
    rate = Fraction(fps).limit_denominator(1001)
    return [float(n / rate) for n in range(round(total * rate))]


def _pictures(
    times: Frames, pattern: Pattern, width: int, height: int
) -> Iterable[tuple[float, VideoFrame]]:
    """A slide whose bar tells the time; white during a flash."""
    flashes = marks(pattern)
    total = sum(seconds for _, seconds in pattern)
    slide = np.full((height, width, 3), (32, 44, 80), np.uint8)
    slide[height // 4 : height // 3, width // 8 : -(width // 8)] = (190, 190, 120)
    white = np.full_like(slide, 255)
    for time in times:
        # Half a tick of grace: times are sums of floats.
        flash = any(mark - 1e-4 <= time < mark + FLASH - 1e-4 for mark in flashes)
        picture = white if flash else slide
        if not flash:
            picture = slide.copy()
            picture[-height // 6 :, : max(int(width * time / total), 1)] = (200, 90, 60)
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = round(time * TICKS), Fraction(1, TICKS)
        yield time, frame


def _sounds(
    pattern: Pattern, channels: int, start: float, stop: float
) -> Iterable[tuple[float, AudioFrame]]:
    wave = sound(pattern)[: round(stop * RATE)]
    layout = "mono" if channels == 1 else "stereo"
    for begin in range(round(start * RATE), len(wave), 1024):
        piece = np.tile(wave[begin : begin + 1024], (channels, 1))
        frame = AudioFrame.from_ndarray(piece, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = begin
        yield begin / RATE, frame


def _by_time(
    parts: Sequence[Iterable[tuple[float, VideoFrame | AudioFrame]]],
) -> Iterable[tuple[float, VideoFrame | AudioFrame]]:
    iterators = [iter(part) for part in parts]
    heads = {n: next(it, None) for n, it in enumerate(iterators)}
    while alive := {n: head for n, head in heads.items() if head is not None}:
        n = min(alive, key=lambda key: alive[key][0])
        yield alive[n]
        heads[n] = next(iterators[n], None)
