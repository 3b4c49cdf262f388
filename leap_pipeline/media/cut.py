"""Cuts a recording as planned: exact to the frame, sound and picture in step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from leap_pipeline.errors import DataError, InputError
from leap_pipeline.media import ffmpeg as runner
from leap_pipeline.media.beat import Beat
from leap_pipeline.media.probe import (
    FORMATS,
    AudioStream,
    MediaInfo,
    VideoStream,
    open_media,
    require_lecture,
)
from leap_pipeline.media.selection import (
    frame_ranges,
    video_filters,
)
from leap_pipeline.media.soundtrack import write_soundtrack
from leap_pipeline.media.timeline import CutPlan
from leap_pipeline.media.verify import Kind, check_output, spans
from leap_pipeline.media.workspace import beside
from leap_pipeline.progress import ProgressCallback, ignore

TICKS = 90_000
"""Time base of the output's picture, in 1/s."""
SPEED, QUALITY = "veryfast", 20
"""Preset and constant rate factor of libx264."""
MAX_LOST = 0.01
"""Share of the frames that may fail to decode before a source counts as damaged."""
PLAN_SLACK = 0.5
"""A plan made for a file whose length differs by more than this, in seconds, is another file's."""
SOUND = 0.1
"""Share of the time that the sound takes, for the progress."""
COPIED_VIDEO, COPIED_AUDIO = {"h264"}, {"aac", "mp3"}
"""Codecs that every player of MP4 takes: a recording that is kept whole is not encoded again."""


def cut(src: Path, dst: Path, plan: CutPlan, *, progress: ProgressCallback = ignore) -> MediaInfo:
    """Write the kept parts of `src` to `dst` (MP4, H.264 yuv420p and AAC) and return what it is.

    `dst` appears under its name only when it is whole and was checked; nothing else stays behind.
    Raises InputError (source cannot be used), UserActionError (disk full), DataError (damaged).
    """
    source = _look(src)
    duration = source.info.duration
    if abs(duration - plan.duration) > PLAN_SLACK:
        msg = f"{src} has {duration:.1f} s, its plan {plan.duration:.1f} s: plan it again."
        raise InputError(msg)
    with beside(dst) as folder:
        part = folder / "part.mp4"
        if not plan.removed and source.can_be_copied:
            expected = _copy(source, part, progress)
        else:
            expected = _encode(source, part, plan, progress)
        result = check_output(part, expected, progress=progress)
        part.replace(dst)
    return result


@dataclass(frozen=True)
class _Source:
    """A recording that has both tracks."""

    path: Path
    info: MediaInfo
    video: VideoStream
    audio: AudioStream

    @property
    def can_be_copied(self) -> bool:
        picture, sound = self.video.codec in COPIED_VIDEO, self.audio.codec in COPIED_AUDIO
        return picture and sound and self.video.pixel_format == "yuv420p"

    @property
    def node(self) -> Any:
        """The input for ffmpeg-python; `node["0"]` is its first stream."""
        return ffmpeg.input(f"file:{self.path.absolute()}", format_whitelist=FORMATS)


def _look(src: Path) -> _Source:
    info = require_lecture(src)
    if info.video is None or info.audio is None:  # for the type checker: both were required
        raise InputError(str(src))
    return _Source(src, info, info.video, info.audio)


def _copy(source: _Source, part: Path, progress: ProgressCallback) -> dict[Kind, float]:
    """Put the streams into an MP4 as they are; returns where each must end."""
    node = source.node
    picture, sound = node[str(source.video.index)], node[str(source.audio.index)]
    made = ffmpeg.output(picture, sound, str(part), c="copy", **_container())
    runner.run(made.compile(cmd="ffmpeg"), source.info.duration, progress, output=part)
    return {kind: span.end for kind, span in spans(source.path, progress=progress).items()}


def _container() -> dict[str, Any]:
    return {"f": "mp4", "movflags": "+faststart", "map_metadata": 0, "map_chapters": -1}


def _encode(
    source: _Source, part: Path, plan: CutPlan, progress: ProgressCallback
) -> dict[Kind, float]:
    """Decode, keep what the plan keeps, encode; returns where each track must end."""
    end = plan.duration_after
    script, sound = part.with_name("filters"), part.with_name("sound.m4a")
    times = frame_times(source.path, source.video.index, progress=progress)
    ranges = frame_ranges(times, plan)
    chosen, last = video_filters(times, ranges, end, source.info.start)
    # In a file: hundreds of cuts are too long for a command line.
    script.write_text(f"{chosen},{_shape(source.video)}", encoding="ascii")
    channels = source.audio.channels
    write_soundtrack(source.path, sound, plan, channels, progress=_share(progress, 0.0, SOUND))
    made = ffmpeg.output(
        source.node[str(source.video.index)],
        ffmpeg.input(f"file:{sound.absolute()}")["a"],
        str(part),
        **{"/filter:v": str(script)},
        **_codecs(last),
        **_container(),
    ).global_args("-copyts")
    rest = _share(progress, SOUND, 1.0)
    report = runner.run(made.compile(cmd="ffmpeg"), end, rest, output=part)
    _refuse_damage(source.path, report, sum(r.end - r.first for r in ranges))
    return {"video": end, "audio": end}


def _share(progress: ProgressCallback, begin: float, end: float) -> ProgressCallback:
    """The callback of a step that is the stretch from `begin` to `end` of a longer one."""
    return lambda fraction: progress(begin + (end - begin) * fraction)


def frame_times(
    src: Path, index: int, *, progress: ProgressCallback = ignore
) -> NDArray[np.float64]:
    """When each frame of a video track comes up, sorted, in seconds from the start of the file.

    `progress` is kept alive and not advanced: it gets 0.0.
    """
    beat = Beat(progress, 0.0)
    stamps: list[int] = []
    with open_media(src) as container:
        stream = container.streams[index]
        base = stream.time_base
        for packet in container.demux(stream):
            beat()
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


def _codecs(last: float) -> dict[str, Any]:
    """Options of the encoders; `last` is how long the last frame is shown, in seconds."""
    return {
        # MP4 takes a frame's length from the next one; only the last one's own length counts.
        "bsf:v": f"setts=pts=PTS:dts=DTS:duration='min(DURATION,{round(last * TICKS)})'",
        "fps_mode": "passthrough",
        "enc_time_base:v": f"1:{TICKS}",
        "video_track_timescale": TICKS,
        "c:v": "libx264",
        "preset": SPEED,
        "crf": QUALITY,
        "bf": 0,  # frames in their order: a track's length is exact only without reordering
        "pix_fmt": "yuv420p",
        "threads": runner.threads(),
        "c:a": "copy",
    }


def _refuse_damage(src: Path, report: runner.RunReport, expected: int) -> None:
    """FFmpeg leaves out what it cannot decode and still ends with code 0."""
    written = int(report.counters.get("frame", "0") or 0)
    if written < expected * (1 - MAX_LOST) - 1:
        why = f" ({report.errors[0]})" if report.errors else ""
        msg = f"{src} is damaged: {expected - written} of {expected} frames cannot be read{why}."
        raise DataError(msg)
