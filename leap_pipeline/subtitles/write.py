"""Cues as SubRip and WebVTT files (UTF-8, line feeds)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leap_pipeline.speech.files import write_whole
from leap_pipeline.subtitles.cues import Cue


def write_srt(cues: Sequence[Cue], path: Path) -> None:
    """Write SubRip beside `path` and rename it there; no cues give an empty file."""
    write_whole(path, srt(cues))


def write_vtt(cues: Sequence[Cue], path: Path) -> None:
    """Write WebVTT beside `path` and rename it there."""
    write_whole(path, vtt(cues))


def srt(cues: Sequence[Cue]) -> str:
    """The text of a SubRip file, numbered from 1. The format knows no escapes: text as it is."""
    return "\n".join(
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_joined(cue.lines)}"
        for number, cue in enumerate(cues, start=1)
    )


def vtt(cues: Sequence[Cue]) -> str:
    """The text of a WebVTT file (https://www.w3.org/TR/webvtt1/, section 4)."""
    blocks = (
        f"\n{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n"
        f"{_joined([_escaped(line) for line in cue.lines])}"
        for cue in cues
    )
    return "WEBVTT\n" + "".join(blocks)


def _joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _escaped(line: str) -> str:
    """No tag, no character reference and no `-->` is left."""
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, point: str) -> str:
    total, milliseconds = divmod(round(seconds * 1000), 1000)
    minutes, second = divmod(total, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}{point}{milliseconds:03d}"
