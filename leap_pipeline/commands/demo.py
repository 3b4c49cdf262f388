"""`leap demo`: the main job on the sample lecture, from nothing to a table of results."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from leap_pipeline.commands.context import Platform, open_platform, print_json
from leap_pipeline.commands.ingest import ingest_into
from leap_pipeline.commands.run import require_success, run_recording
from leap_pipeline.errors import InputError
from leap_pipeline.media.timeline import CutPlan
from leap_pipeline.services.summaries import Summary
from leap_pipeline.services.users import ensure_user
from leap_pipeline.settings import CHECKOUT

SAMPLE = CHECKOUT / "samples" / "lecture.mp4"
DEMO_EMAIL = "demo@leap.example"


def demo(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, show no progress.")] = False,
) -> None:
    """Run the sample lecture through the whole pipeline; a second time it finds all done."""
    if not SAMPLE.is_file():
        msg = f"The sample lecture {SAMPLE} is missing: check the repository out again."
        raise InputError(msg)
    started = time.monotonic()
    platform = open_platform()
    with platform.database.system() as session:
        ensure_user(session, DEMO_EMAIL, "Demo Lecturer", storage=platform.storage)
    found = ingest_into(platform, SAMPLE, DEMO_EMAIL, quiet=as_json)
    summary, nothing = run_recording(platform, found.recording_id, quiet=as_json)
    require_success(summary)
    elapsed = time.monotonic() - started
    if as_json:
        print_json(_document(platform, summary, elapsed, worked=nothing is None))
    else:
        _show(platform, summary, elapsed, worked=nothing is None)


def _document(
    platform: Platform, summary: Summary, elapsed: float, *, worked: bool
) -> dict[str, Any]:
    root = platform.settings.storage
    return summary.to_json() | {
        "worked": worked,
        "seconds": round(elapsed, 2),
        "files": {name: str(root / path) for name, path in summary.files.items()},
    }


def _show(platform: Platform, summary: Summary, elapsed: float, *, worked: bool) -> None:
    console = Console()
    table = Table(title=f"{summary.name}: {summary.status}", title_justify="left", show_lines=True)
    table.add_column("what")
    table.add_column("result", overflow="fold")
    for what, result in _rows(platform, summary):
        table.add_row(what, result)
    console.print(table)
    console.print(f"The files are in {_folder(platform, summary)}", soft_wrap=True, highlight=False)
    done = f"Done in {elapsed:.1f} s." if worked else f"All was done already ({elapsed:.1f} s)."
    console.print(f"{done} To see it in Dagster's UI: leap up", highlight=False)


def _rows(platform: Platform, summary: Summary) -> list[tuple[str, str]]:
    spoken = summary.transcription or {}
    topics = "\n".join(f"{_clock(each['start'])}  {each['topic']}" for each in summary.topics)
    return [
        ("cut", _cuts(summary)),
        ("words", f"{spoken.get('words', 0)} ({spoken.get('model')}, {spoken.get('language')})"),
        ("topics", topics or "none found"),
        ("about", ", ".join(summary.main_topics) or "none found"),
        ("files", "\n".join(_names(platform, summary))),
    ]


def _folder(platform: Platform, summary: Summary) -> Path:
    """Where all artifacts of the recording lie."""
    return (platform.settings.storage / summary.files["raw_video"]).parent.resolve()


def _names(platform: Platform, summary: Summary) -> Iterator[str]:
    folder = _folder(platform, summary)
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield f"{path.relative_to(folder)} ({path.stat().st_size / 1000:,.0f} kB)"


def _cuts(summary: Summary) -> str:
    if not summary.timeline:
        return "nothing: removing silence is switched off"
    plan = CutPlan.from_json(summary.timeline)
    parts = ", ".join(f"{_clock(part.start)} to {_clock(part.end)}" for part in plan.removed)
    return f"{plan.duration:.1f} s → {plan.duration_after:.1f} s; cut: {parts or 'nothing'}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes):02d}:{rest:04.1f}"
