"""SubRip (as the players read it) and WebVTT (https://www.w3.org/TR/webvtt1/)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from leap_pipeline.speech.files import write_whole
from leap_pipeline.subtitles.cues import Cue


def to_srt(cues: Sequence[Cue]) -> str:
    """Numbered blocks with a comma before the milliseconds."""
    return "\n".join(
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n{_lines(cue.lines)}\n"
        for number, cue in enumerate(cues, start=1)
    )


def to_vtt(cues: Sequence[Cue]) -> str:
    """Text escaped, so that no `<`, `&` or `-->` of the speech is taken for markup."""
    blocks = (
        f"\n{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n{_lines(map(_escaped, cue.lines))}\n"
        for cue in cues
    )
    return "".join(["WEBVTT\n", *blocks])


def write_srt(cues: Sequence[Cue], path: Path) -> None:
    """Write UTF-8 beside its place and rename it."""
    write_whole(path, to_srt(cues))


def write_vtt(cues: Sequence[Cue], path: Path) -> None:
    """Write UTF-8 beside its place and rename it."""
    write_whole(path, to_vtt(cues))


def _lines(lines: Sequence[str] | map[str]) -> str:
    return "\n".join(lines)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(seconds: float, point: str) -> str:
    minutes, ms = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{ms // 1000:02}{point}{ms % 1000:03}"
