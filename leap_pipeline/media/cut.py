"""Cuts a recording as planned: exact to the frame, sound and picture in step."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from leap_pipeline.errors import DataError, InputError
from leap_pipeline.media import ffmpeg as runner
from leap_pipeline.media.probe import (
    FORMATS,
    AudioStream,
    MediaInfo,
    VideoStream,
    open_media,
    require_lecture,
)
from leap_pipeline.media.selection import audio_filters, frame_ranges, video_filters
from leap_pipeline.media.timeline import CutPlan
from leap_pipeline.media.verify import TOLERANCE, Kind, check_output, spans
from leap_pipeline.media.workspace import beside
from leap_pipeline.progress import ProgressCallback, ignore

TICKS = 90_000
"""Time base of the output's picture, in 1/s."""
SPEED, QUALITY = "veryfast", 20
"""Preset and constant rate factor of libx264."""
MAX_LOST = 0.01
"""Share of the frames that may fail to decode before a source counts as damaged."""
COPIED_VIDEO, COPIED_AUDIO = {"h264"}, {"aac", "mp3"}
"""Codecs that every player of MP4 takes: a recording that is kept whole is not encoded again."""


def cut(src: Path, dst: Path, plan: CutPlan, *, progress: ProgressCallback = ignore) -> MediaInfo:
    """Write the kept parts of `src` to `dst` (MP4, H.264 yuv420p and AAC) and return what it is.

    `dst` appears under its name only when it is whole and was checked; nothing else stays behind.
    Raises InputError (source cannot be used), UserActionError (disk full), DataError (damaged).
    """
    info = require_lecture(src)
    if info.audio is None or info.video is None:  # for the type checker: require_lecture saw both
        raise AssertionError
    if abs(info.duration - plan.duration) > TOLERANCE + 1:
        msg = f"{src} has {info.duration:.1f} s, its plan {plan.duration:.1f} s: plan it again."
        raise InputError(msg)
    with beside(dst) as folder:
        part = folder / "part.mp4"
        if not plan.removed and _can_be_copied(info.video, info.audio):
            expected = _copy(src, part, info, progress)
        else:
            expected = _encode(src, part, plan, info.video, info.audio, progress)
        result = check_output(part, expected)
        part.replace(dst)
    return result


def _can_be_copied(video: VideoStream, audio: AudioStream) -> bool:
    return (
        video.codec in COPIED_VIDEO
        and video.pixel_format == "yuv420p"
        and audio.codec in COPIED_AUDIO
    )


def _source(src: Path) -> Any:
    return ffmpeg.input(f"file:{src.absolute()}", format_whitelist=FORMATS)


def _copy(src: Path, part: Path, info: MediaInfo, progress: ProgressCallback) -> dict[Kind, float]:
    """Put the streams into an MP4 as they are; returns where each must end."""
    tracks = [t.index for t in (info.video, info.audio) if t is not None]
    source = _source(src)
    made = ffmpeg.output(
        *(source[str(index)] for index in tracks), str(part), c="copy", **_container()
    )
    runner.run(made.compile(cmd="ffmpeg"), info.duration, progress, output=part)
    return {kind: span.end for kind, span in spans(src).items()}


def _container() -> dict[str, Any]:
    return {"f": "mp4", "movflags": "+faststart", "map_metadata": 0, "map_chapters": -1}


def _encode(
    src: Path,
    part: Path,
    plan: CutPlan,
    video: VideoStream,
    audio: AudioStream,
    progress: ProgressCallback,
) -> dict[Kind, float]:
    """Decode, keep what the plan keeps, encode; returns where each track must end."""
    times = frame_times(src, video.index)
    ranges = frame_ranges(times, plan)
    scripts = {
        "v": f"{video_filters(times, ranges)},{_shape(video)}",
        "a": audio_filters(plan, audio.channels),
    }
    for kind, text in scripts.items():
        # From files: hundreds of cuts are too long for a command line.
        part.with_name(f"{kind}.filter").write_text(text, encoding="ascii")
    source = _source(src)
    made = ffmpeg.output(
        source[str(video.index)],
        source[str(audio.index)],
        str(part),
        **{
            "/filter:v": str(part.with_name("v.filter")),
            "/filter:a": str(part.with_name("a.filter")),
        },
        **_codecs(audio.channels),
        **_container(),
    ).global_args("-copyts", "-start_at_zero")
    report = runner.run(made.compile(cmd="ffmpeg"), plan.duration_after, progress, output=part)
    _refuse_damage(src, report, sum(r.end - r.first for r in ranges))
    return {"video": plan.duration_after, "audio": plan.duration_after}


def frame_times(src: Path, index: int) -> NDArray[np.float64]:
    """When each frame of a video track comes up, sorted, in seconds from the start of the file."""
    stamps: list[int] = []
    with open_media(src) as container:
        stream = container.streams[index]
        base = stream.time_base
        for packet in container.demux(stream):
            stamp = packet.pts if packet.pts is not None else packet.dts
            if stamp is not None and not packet.is_discard:
                stamps.append(stamp)
        start = (container.start_time or 0) / 1e6
    if not stamps or base is None:
        msg = f"the video track of {src} holds no frames: choose another recording."
        raise InputError(msg)
    return np.unique(np.array(stamps, dtype=np.float64)) * float(base) - start


def _shape(video: VideoStream) -> str:
    """The first frame's size, upright and even: a recording may change its size on the way."""
    width, height = video.width, video.height
    if video.rotation % 180:
        width, height = height, width
    even = f"{math.ceil(width / 2) * 2}:{math.ceil(height / 2) * 2}"
    return f"scale={width}:{height}:force_original_aspect_ratio=decrease,pad={even}:-1:-1"


def _codecs(channels: int) -> dict[str, Any]:
    return {
        "fps_mode": "passthrough",
        "enc_time_base:v": f"1:{TICKS}",
        "video_track_timescale": TICKS,
        "c:v": "libx264",
        "preset": SPEED,
        "crf": QUALITY,
        "pix_fmt": "yuv420p",
        "threads": runner.threads(),
        "c:a": "aac",
        "b:a": "96k" if channels == 1 else "160k",
    }


def _refuse_damage(src: Path, report: runner.RunReport, expected: int) -> None:
    """FFmpeg leaves out what it cannot decode and still ends with code 0."""
    written = int(report.counters.get("frame", "0") or 0)
    if written < expected * (1 - MAX_LOST) - 1:
        why = f" ({report.errors[0]})" if report.errors else ""
        msg = f"{src} is damaged: {expected - written} of {expected} frames cannot be read{why}."
        raise DataError(msg)
