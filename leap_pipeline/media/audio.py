"""The sound of a recording as speech models want it."""

from __future__ import annotations

from pathlib import Path

import ffmpeg

from leap_pipeline.errors import InputError
from leap_pipeline.media import ffmpeg as runner
from leap_pipeline.media.probe import FORMATS, probe
from leap_pipeline.media.selection import on_timeline
from leap_pipeline.media.verify import check_output
from leap_pipeline.media.workspace import beside
from leap_pipeline.progress import ProgressCallback, ignore

RATE = 16_000
"""What Whisper was trained on, in Hz."""
BITRATE = "64k"


def extract_audio(src: Path, dst: Path, *, progress: ProgressCallback = ignore) -> float:
    """Write the sound of `src` to `dst` as MP3, 16 kHz mono, and return its duration in seconds.

    It is as long as `src` and begins with it: a time in `dst` is a time in `src`. `dst` appears
    when it is whole. Raises InputError (no sound), UserActionError (disk full), DataError.
    """
    info = probe(src)
    if info.audio is None:
        msg = f"{src} has no audio track: record the lecture with sound."
        raise InputError(msg)
    with beside(dst) as folder:
        part = folder / "part.mp3"
        source = ffmpeg.input(f"file:{src.absolute()}", format_whitelist=FORMATS)
        made = ffmpeg.output(
            source[str(info.audio.index)],
            str(part),
            af=f"{on_timeline(RATE, 'mono')},apad=whole_dur={info.duration:.6f}",
            **{"c:a": "libmp3lame", "b:a": BITRATE, "f": "mp3", "map_metadata": -1},
        ).global_args("-copyts", "-start_at_zero")
        runner.run(made.compile(cmd="ffmpeg"), info.duration, progress, output=part)
        result = check_output(part, {"audio": info.duration})
        part.replace(dst)
    return result.duration
