"""What a finished file really holds, read from its packets and not from what FFmpeg claimed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leap_pipeline.errors import DataError
from leap_pipeline.media.beat import Beat
from leap_pipeline.media.probe import MediaInfo, open_media, probe
from leap_pipeline.media.selection import typical_length
from leap_pipeline.progress import ProgressCallback, ignore

TOLERANCE = 0.05
"""Besides the length of one frame, a duration may be off by this, in seconds."""


Kind = Literal["video", "audio"]


@dataclass(frozen=True)
class Span:
    """One track: when its first packet begins and its last one ends, in seconds, and their number.

    `frame` is the length of most packets. A last picture that stands long counts as ending soon:
    how long it stands is not in the file, whose packets tell their lengths in decoding order.
    """

    start: float
    end: float
    packets: int
    frame: float


def spans(path: Path, *, progress: ProgressCallback = ignore) -> dict[Kind, Span]:
    """The tracks that `probe` names, measured by reading every packet (none is decoded).

    `progress` is kept alive and not advanced: it gets 1.0.
    """
    beat = Beat(progress, 1.0)
    info = probe(path)
    kinds: dict[int, Kind] = {}
    if info.video is not None:
        kinds[info.video.index] = "video"
    if info.audio is not None:
        kinds[info.audio.index] = "audio"
    begins: dict[int, list[float]] = {index: [] for index in kinds}
    last: dict[int, tuple[float, float]] = {}
    with open_media(path) as container:
        for packet in container.demux(*(container.streams[index] for index in kinds)):
            beat()
            if packet.pts is None or packet.time_base is None or packet.is_discard:
                continue
            begin = float(packet.pts * packet.time_base) - info.start
            begins[packet.stream_index].append(begin)
            length = float((packet.duration or 0) * packet.time_base)
            last[packet.stream_index] = max(
                last.get(packet.stream_index, (begin, 0)), (begin, length)
            )
    return {kinds[i]: _span(np.sort(found), last[i][1]) for i, found in begins.items() if found}


def _span(begins: NDArray[np.float64], last: float) -> Span:
    frame = typical_length(begins)
    length = min(last, frame) if last else frame
    return Span(max(float(begins[0]), 0.0), float(begins[-1]) + length, len(begins), frame)


def sync_error(path: Path) -> float:
    """Largest difference in seconds between picture and sound, at the start or at the end.

    Raises DataError where one of the tracks has nothing in it.
    """
    found = spans(path)
    if len(found) < 2:
        msg = f"{path} lacks sound or picture"
        raise DataError(msg)
    video, audio = found["video"], found["audio"]
    return max(abs(video.start - audio.start), abs(video.end - audio.end))


def check_output(
    path: Path, expected: Mapping[Kind, float], *, progress: ProgressCallback = ignore
) -> MediaInfo:
    """Raise DataError unless `path` is whole: exactly these tracks, each ending at its time (s)."""
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        msg = f"FFmpeg wrote no {path.name}"
        raise DataError(msg) from error
    if size == 0:
        msg = f"FFmpeg wrote an empty {path.name}"
        raise DataError(msg)
    found = spans(path, progress=progress)
    if set(found) != set(expected):
        msg = f"{path.name} should have {sorted(expected)} and has {sorted(found)}"
        raise DataError(msg)
    for kind, span in found.items():
        if abs(span.end - expected[kind]) > TOLERANCE + span.frame:
            msg = f"the {kind} of {path.name} ends at {span.end:.2f}, not {expected[kind]:.2f} s"
            raise DataError(msg)
    return probe(path)
