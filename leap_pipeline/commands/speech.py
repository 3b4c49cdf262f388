"""`leap transcribe`: what is said in one file, with nothing else of LEAP around it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from leap_pipeline.commands.outputs import refuse_output
from leap_pipeline.progress import shown
from leap_pipeline.settings import load_settings
from leap_pipeline.speech.transcript import Transcript, write_transcript
from leap_pipeline.speech.whisper import LocalWhisper


def transcribe(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A video or audio file.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The master.json to write.")],
    *,
    language: Annotated[
        str | None, typer.Option(help="Code of the language, such as en; default: found out.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(help="A sentence in the style of the lecture.")
    ] = None,
    vocabulary: Annotated[
        list[str] | None, typer.Option(help="A name or term to expect; may be given repeatedly.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, show no progress.")] = False,
) -> None:
    """Write down the speech of a recording, with the time of every word."""
    refuse_output(source, output, what="recording")
    began = time.monotonic()
    with shown("Transcribing", enabled=not as_json) as progress:
        found = LocalWhisper(load_settings()).transcribe(
            source, language=language, prompt=prompt, vocabulary=vocabulary or (), progress=progress
        )
    write_transcript(found, output)
    elapsed = time.monotonic() - began
    sys.stdout.write(_as_json(found, elapsed) if as_json else _as_text(output, found))


def _as_json(found: Transcript, elapsed: float) -> str:
    document = {
        "language": found.language,
        "model": found.model,
        "duration": found.duration,
        "segments": len(found.segments),
        "words": sum(1 for _ in found.words()),
        "real_time_factor": round(elapsed / found.duration, 4) if found.duration else None,
    }
    return json.dumps(document, indent=2) + "\n"


def _as_text(output: Path, found: Transcript) -> str:
    words = sum(1 for _ in found.words())
    if not words:
        return f"{output}: no speech was found, the transcript is empty.\n"
    return f"{output}: {words} words in {found.duration:.1f} s, {found.language}, {found.model}.\n"
