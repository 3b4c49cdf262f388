"""What a finished file really holds, read from its packets and not from what FFmpeg claimed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leap_pipeline.errors import DataError
from leap_pipeline.media.probe import MediaInfo, open_media, probe

TOLERANCE = 0.05
"""Besides the length of one frame, a duration may be off by this, in seconds."""

Kind = Literal["video", "audio"]


@dataclass(frozen=True)
class Span:
    """One track: from the first to the end of the last packet, in seconds, and their number."""

    start: float
    end: float
    packets: int
    frame: float


def spans(path: Path) -> dict[Kind, Span]:
    """The tracks that `probe` names, measured by reading every packet (none is decoded)."""
    info = probe(path)
    wanted: dict[int, Kind] = {}
    if info.video is not None:
        wanted[info.video.index] = "video"
    if info.audio is not None:
        wanted[info.audio.index] = "audio"
    starts: dict[Kind, float] = {}
    ends: dict[Kind, float] = {}
    counts: dict[Kind, int] = {}
    with open_media(path) as container:
        for packet in container.demux(*(container.streams[index] for index in wanted)):
            if packet.pts is None or packet.time_base is None or packet.is_discard:
                continue
            kind = wanted[packet.stream_index]
            begin = float(packet.pts * packet.time_base) - info.start
            end = begin + float((packet.duration or 0) * packet.time_base)
            starts[kind] = min(starts.get(kind, begin), begin)
            ends[kind] = max(ends.get(kind, end), end)
            counts[kind] = counts.get(kind, 0) + 1
    return {
        kind: Span(
            starts[kind], ends[kind], counts[kind], (ends[kind] - starts[kind]) / counts[kind]
        )
        for kind in counts
    }


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


def check_output(path: Path, expected: Mapping[Kind, float]) -> MediaInfo:
    """Raise DataError unless `path` is whole: exactly these tracks, each ending at its time (s)."""
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        msg = f"FFmpeg wrote no {path.name}"
        raise DataError(msg) from error
    if size == 0:
        msg = f"FFmpeg wrote an empty {path.name}"
        raise DataError(msg)
    found = spans(path)
    if set(found) != set(expected):
        msg = f"{path.name} should have {sorted(expected)} and has {sorted(found)}"
        raise DataError(msg)
    for kind, span in found.items():
        if abs(span.end - expected[kind]) > TOLERANCE + span.frame:
            msg = f"the {kind} of {path.name} ends at {span.end:.2f}, not {expected[kind]:.2f} s"
            raise DataError(msg)
    return probe(path)
