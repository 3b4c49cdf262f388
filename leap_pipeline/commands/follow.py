"""Following a recording through its stages, on a terminal or in quiet lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.states import LIVE_RUN_STATES
from leap_pipeline.services.summaries import StageLine, Summary, summarize

POLL_SECONDS = 0.5
MARKS = {
    "COMPLETED": "[green]done[/]",
    "IN_PROGRESS": "[cyan]working[/]",
    "FAILED": "[red]FAILED[/]",
    "SKIPPED": "[yellow]skipped[/]",
    "PENDING": "[dim]waiting[/]",
}

Alive = Callable[[Summary], bool]


def follow(database: Database, recording_id: int, *, alive: Alive, quiet: bool) -> Summary:
    """Watch until the live run ends or `alive` says that nobody works on it; the last summary."""
    with _display(quiet=quiet) as show:
        while True:
            with database.system() as session:
                summary = summarize(session, recording_id)
            show(summary)
            if summary.run_state not in LIVE_RUN_STATES or not alive(summary):
                return summary
            time.sleep(POLL_SECONDS)


@contextmanager
def _display(*, quiet: bool) -> Iterator[Callable[[Summary], None]]:
    if quiet:
        yield lambda _summary: None
    elif sys.stderr.isatty():
        with Live(console=Console(stderr=True), refresh_per_second=4) as live:
            yield lambda summary: live.update(_table(summary))
    else:
        yield _lines()


def _lines() -> Callable[[Summary], None]:
    told: dict[str, str] = {}

    def show(summary: Summary) -> None:
        for stage in summary.stages:
            if told.get(stage.name) != stage.status and stage.status != "PENDING":
                told[stage.name] = stage.status
                why = f": {stage.reason}" if stage.reason else ""
                sys.stderr.write(f"{stage.name.lower()}: {stage.status.lower()}{why}\n")

    return show


def _table(summary: Summary) -> Table:
    table = Table(title=f"{summary.name} ({summary.status})", title_justify="left")
    for heading in ("stage", "state", "progress"):
        table.add_column(heading)
    for stage in summary.stages:
        table.add_row(stage.name, MARKS.get(stage.status, stage.status), _bar(stage))
    return table


def _bar(stage: StageLine) -> ProgressBar | str:
    if stage.progress is not None:
        return ProgressBar(total=1.0, completed=stage.progress, width=32)
    return stage.reason or ""
