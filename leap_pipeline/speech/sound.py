"""The sound of a file as 16 kHz mono samples on the file's timeline, in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from numpy.typing import NDArray

from leap_pipeline.errors import InputError

Samples = NDArray[np.float32]

RATE = 16_000
"""Hz, what Whisper and the voice detector take."""
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mp3,wav,flac,aac,w64,aiff"
)
"""Containers that are read. No playlist is among them: those name other files."""
HOLE = 0.05
"""Seconds of missing sound from which on it is filled with silence, so that times stay true."""
QUIET_WINDOW = 0.5
LOOK_BACK = 60.0


@dataclass(frozen=True)
class Sound:
    """An opened file; `duration` in seconds as its container says, 0 where it says nothing."""

    path: Path
    duration: float
    container: InputContainer
    stream: AudioStream


@dataclass(frozen=True)
class Block:
    """Samples from `start` (seconds) on; `last` where nothing follows."""

    start: float
    samples: Samples
    last: bool

    @property
    def duration(self) -> float:
        return len(self.samples) / RATE


@contextmanager
def open_sound(path: Path) -> Iterator[Sound]:
    """Open an audio or video file; InputError says in one sentence why it cannot be used."""
    _refuse_unreadable(path)
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path.absolute()}", options=options, metadata_errors="replace")
    except av.error.FFmpegError as error:
        msg = f"{path} is not a media file that can be read ({error.strerror}): choose a recording."
        raise InputError(msg) from error
    with container:
        stream = container.streams.best("audio")
        if not isinstance(stream, AudioStream):
            msg = f"{path} has no audio track: choose a recording with sound."
            raise InputError(msg)
        yield Sound(path, (container.duration or 0) / av.time_base, container, stream)


def _refuse_unreadable(path: Path) -> None:
    if path.is_dir():
        msg = f"{path} is a directory: name the recording inside it."
        raise InputError(msg)
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        msg = f"There is no file {path}: check the path."
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}): check its permissions."
        raise InputError(msg) from error
    if empty:
        msg = f"{path} is empty (0 bytes): copy or download it again."
        raise InputError(msg)


def blocks(sound: Sound, *, seconds: float) -> Iterator[Block]:
    """The sound in blocks of at most `seconds`, cut where it is quietest; at least one.

    InputError where the track holds nothing that can be decoded.
    """
    start, held, parts = 0, 0, list[Samples]()
    for piece in _pieces(sound):
        parts.append(piece)
        held += len(piece)
        while held >= seconds * RATE:
            whole = np.concatenate(parts)
            cut = quietest(whole[: round(seconds * RATE)])
            yield Block(start / RATE, whole[:cut], last=False)
            start, parts, held = start + cut, [whole[cut:]], held - cut
    if start + held == 0:
        msg = f"The audio track of {sound.path} holds nothing that can be decoded: export it again."
        raise InputError(msg)
    yield Block(start / RATE, np.concatenate(parts), last=True)


def quietest(samples: Samples) -> int:
    """The middle of the half second with the least energy in the last minute, as an index."""
    window = round(QUIET_WINDOW * RATE)
    first = max(len(samples) // 2, len(samples) - round(LOOK_BACK * RATE))
    step = window // 10
    tail = samples[first:]
    energy = np.square(tail[: len(tail) // step * step]).reshape(-1, step).sum(axis=1)
    sums = np.convolve(energy, np.ones(10), mode="valid")
    return first + int(np.argmin(sums)) * step + window // 2


def _pieces(sound: Sound) -> Iterator[Samples]:
    """Decoded samples with holes filled, so that sample n is at n / RATE on the file's timeline."""
    begin = (sound.container.start_time or 0) / av.time_base
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    done = 0
    for frame in _frames(sound):
        if frame.time is not None:
            missing = _hole(frame.time - begin - done / RATE, sound.duration - done / RATE)
            done += missing
            yield np.zeros(missing, np.float32)
        frame.pts = None  # the hole is filled, the resampler shall not meet it
        for piece in _resampled(resampler, frame):
            done += len(piece)
            yield piece
    if done:
        yield from _resampled(resampler, None)


def _hole(gap: float, left: float) -> int:
    """Samples of silence to put in; a time stamp far beyond the end of the file is no hole."""
    return round(gap * RATE) if HOLE < gap <= left else 0


def _frames(sound: Sound) -> Iterator[AudioFrame]:
    """Frames that can be decoded; damaged ones are left out, and become holes."""
    frames = sound.container.decode(sound.stream)
    while True:
        try:
            yield next(frames)
        except StopIteration:
            return
        except av.error.InvalidDataError:
            continue
        except av.error.FFmpegError as error:
            msg = f"{sound.path} cannot be read to its end ({error.strerror}): copy it again."
            raise InputError(msg) from error


def _resampled(resampler: av.AudioResampler, frame: AudioFrame | None) -> Iterator[Samples]:
    for piece in resampler.resample(frame):
        yield np.asarray(piece.to_ndarray()[0], np.float32)
