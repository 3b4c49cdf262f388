"""What a media file holds, and one clear sentence for each way in which it is not one."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream as AvAudio
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream as AvVideo

from leap_pipeline.errors import InputError
from leap_pipeline.media.boxes import missing_end

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mp3,wav,flac,aac,w64,aiff"
)
"""Containers that are read. No playlist is among them: those name other files."""
TEXT_SAMPLE = 4096


@dataclass(frozen=True)
class VideoStream:
    """The picture. Times in seconds from the start of the file; sizes in pixels as stored."""

    index: int
    codec: str
    width: int
    height: int
    fps: float
    rotation: int
    pixel_format: str
    start: float
    duration: float


@dataclass(frozen=True)
class AudioStream:
    """The sound. Times in seconds from the start of the file; `rate` in Hz."""

    index: int
    codec: str
    rate: int
    channels: int
    start: float
    duration: float


@dataclass(frozen=True)
class MediaInfo:
    """One file: `duration` in seconds, `size` in bytes, `start` = time stamp of its beginning."""

    duration: float
    size: int
    container: str
    video: VideoStream | None
    audio: AudioStream | None
    start: float = 0.0


def probe(path: Path) -> MediaInfo:
    """Look into a media file; InputError says in one sentence why it cannot be used."""
    size = _readable_size(path)
    _refuse_text(path)
    _refuse_cut_off(path, size)
    with open_media(path) as container:
        start = (container.start_time or 0) / av.time_base
        video = container.streams.best("video")
        audio = container.streams.best("audio")
        duration = _duration(container)
        info = MediaInfo(
            duration=duration,
            size=size,
            container=container.format.name,
            video=_video(container, video, duration) if isinstance(video, AvVideo) else None,
            audio=_audio(audio, start, duration) if isinstance(audio, AvAudio) else None,
            start=start,
        )
    if info.duration <= 0 or (info.video is None and info.audio is None):
        msg = f"{path} holds neither sound nor pictures: choose a recording."
        raise InputError(msg)
    return info


def require_lecture(path: Path) -> MediaInfo:
    """`probe`, and InputError where the picture or the sound is missing."""
    info = probe(path)
    if info.audio is None:
        msg = f"{path} has no audio track: record the lecture with sound."
        raise InputError(msg)
    if info.video is None:
        msg = f"{path} has no video track: choose the recording with the picture."
        raise InputError(msg)
    return info


def open_media(path: Path) -> InputContainer:
    """Open a local file for reading (a context manager), never anything that it refers to."""
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        return av.open(f"file:{path.absolute()}", options=options, metadata_errors="replace")
    except av.error.FFmpegError as error:
        msg = f"{path} is not a media file that can be read ({error.strerror}): choose a recording."
        raise InputError(msg) from error


def _readable_size(path: Path) -> int:
    try:
        if path.is_dir():
            msg = f"{path} is a directory: name the recording inside it."
            raise InputError(msg)
        size = path.stat().st_size
        if not path.is_file():
            msg = f"{path} is not a regular file: name a recording."
            raise InputError(msg)
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise InputError(_unreadable(path, error)) from error
    if size == 0:
        msg = f"{path} is empty (0 bytes): copy or download it again."
        raise InputError(msg)
    return size


def _unreadable(path: Path, error: OSError) -> str:
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return f"There is no file {path}: check the path."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"{path} cannot be read, permission is denied: give this user the right to read it."
    return f"{path} cannot be read ({error.strerror}): check the disk it is on."


def _refuse_text(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(TEXT_SAMPLE)
    begins = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:200].lower()
    if begins.startswith((b"<!doctype html", b"<html", b"<head")) or b"<html" in begins:
        msg = f"{path} is a web page, not a recording: sign in and download the recording again."
        raise InputError(msg)
    # The sample may end within a character.
    text = head[: TEXT_SAMPLE - 4].decode("utf-8", "replace")
    if "\ufffd" not in text and all(c.isprintable() or c.isspace() for c in text):
        msg = f"{path} is a text file, not a recording: choose a recording."
        raise InputError(msg)


def _refuse_cut_off(path: Path, size: int) -> None:
    lost = missing_end(path)
    if lost is None:
        return
    again = "copy or download it again"
    if not lost.index:
        msg = f"{path} is incomplete, its index (moov) is missing: {again}."
        raise InputError(msg)
    missing = f"the last {lost.bytes} bytes"
    with open_media(path) as container:
        total = _duration(container)
        present = [
            _present(stream, size)
            for stream in container.streams
            if isinstance(stream, (AvVideo, AvAudio))
        ]
        if known := [until for until in present if until is not None]:
            missing = f"the last {max(total - min(known), 0.0):.0f} of its {total:.0f} seconds"
    msg = f"{path} is cut off, {missing} are missing: {again}."
    raise InputError(msg)


def _present(stream: AvVideo | AvAudio, size: int) -> float | None:
    """Time in seconds up to which the samples lie inside a file of `size` bytes."""
    if stream.time_base is None:
        return None
    for entry in stream.index_entries:
        if entry.pos + entry.size > size:
            return float(entry.timestamp * stream.time_base)
    return None


def _duration(container: InputContainer) -> float:
    if container.duration is not None:
        return container.duration / av.time_base
    # A recorder in a browser writes no duration: the packets tell.
    start, end = (container.start_time or 0) / av.time_base, 0.0
    for packet in container.demux():
        if packet.pts is not None and packet.time_base is not None:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
    container.seek(0)
    return max(end - start, 0.0)


def _span(stream: AvVideo | AvAudio, file_start: float, total: float) -> tuple[float, float]:
    base = stream.time_base or Fraction(1, av.time_base)
    start = float(stream.start_time * base) - file_start if stream.start_time is not None else 0.0
    length = float(stream.duration * base) if stream.duration is not None else total - start
    return start, length


def _video(container: InputContainer, stream: AvVideo, total: float) -> VideoStream | None:
    if stream.disposition & Disposition.attached_pic:
        return None
    context = stream.codec_context
    start, duration = _span(stream, (container.start_time or 0) / av.time_base, total)
    return VideoStream(
        index=stream.index,
        codec=context.name,
        width=context.width,
        height=context.height,
        fps=float(stream.average_rate or stream.guessed_rate or 0),
        rotation=_rotation(container, stream),
        pixel_format=context.pix_fmt or "",
        start=start,
        duration=duration,
    )


def _rotation(container: InputContainer, stream: AvVideo) -> int:
    """Degrees by which the first frame is to be turned; 0 where it cannot be decoded."""
    try:
        return next((frame.rotation for frame in container.decode(stream)), 0)
    except av.error.FFmpegError:
        return 0


def _audio(stream: AvAudio, file_start: float, total: float) -> AudioStream:
    context = stream.codec_context
    start, duration = _span(stream, file_start, total)
    return AudioStream(
        index=stream.index,
        codec=context.name,
        rate=context.sample_rate,
        channels=context.channels,
        start=start,
        duration=duration,
    )
