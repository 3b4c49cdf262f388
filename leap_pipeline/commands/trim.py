"""`leap trim`: cut the silence out of one file, with nothing else of LEAP around it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from leap_pipeline.commands.outputs import refuse_output
from leap_pipeline.media.cut import cut
from leap_pipeline.media.probe import MediaInfo, require_lecture
from leap_pipeline.media.silence import find_silence
from leap_pipeline.media.timeline import CutPlan, Mode, plan_cuts
from leap_pipeline.progress import shown


def trim(
    source: Annotated[Path, typer.Argument(metavar="IN", help="The recording.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The MP4 to write.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, show no progress.")] = False,
    threshold: Annotated[
        float, typer.Option(max=0.0, help="Level below which it is silent, in dB.")
    ] = -40.0,
    min_silence: Annotated[
        float, typer.Option(min=0.0, help="Shortest silence that counts, in seconds.")
    ] = 2.0,
    padding: Annotated[
        float, typer.Option(min=0.0, help="What stays beside speech, in seconds.")
    ] = 0.5,
    mode: Annotated[
        Mode, typer.Option(help="Cut all silences, or only the empty start and end.")
    ] = "all",
) -> None:
    """Cut the silence out of a recording, exact to the frame."""
    info = require_lecture(source)
    refuse_output(source, output, what="recording")
    with shown("Finding silence", enabled=not as_json) as progress:
        silences = find_silence(
            source, threshold_db=threshold, min_duration=min_silence, progress=progress
        )
    plan = plan_cuts(silences, info.duration, mode=mode, padding=padding)
    with shown("Cutting", enabled=not as_json) as progress:
        result = cut(source, output, plan, progress=progress)
    sys.stdout.write(_as_json(plan, result) if as_json else _as_text(output, plan, result))


def _as_json(plan: CutPlan, result: MediaInfo) -> str:
    document: dict[str, Any] = {
        "duration_before": plan.duration,
        "duration_after": result.duration,
        "cuts": [[part.start, part.end] for part in plan.removed],
        "keep": [[part.start, part.end] for part in plan.keep],
        "no_speech": plan.no_speech,
        "bytes": result.size,
    }
    return json.dumps(document, indent=2) + "\n"


def _as_text(output: Path, plan: CutPlan, result: MediaInfo) -> str:
    if plan.no_speech:
        return f"{output}: no speech was found, the recording is kept whole.\n"
    if not plan.removed:
        return f"{output}: there was no silence to cut, the recording is kept whole.\n"
    return (
        f"{output}: {len(plan.removed)} cuts, "
        f"{plan.duration:.1f} s before, {result.duration:.1f} s after.\n"
    )
