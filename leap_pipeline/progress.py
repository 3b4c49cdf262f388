"""How a long step tells how far it is.

A step takes `progress`, a callable that gets the finished fraction (0.0 to 1.0) at least once a
second. The callable may raise: that is how a step is stopped from outside, so a step that started
a child process must end it on any exception.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

ProgressCallback = Callable[[float], None]

QUIET_SECONDS = 15.0


def ignore(fraction: float) -> None:
    """The callback of a step that nobody watches."""


@contextmanager
def shown(label: str, *, enabled: bool = True) -> Iterator[ProgressCallback]:
    """A bar on a terminal; elsewhere a quiet line at the end and one every 15 s (stderr)."""
    if not enabled:
        yield ignore
        return
    if sys.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
        with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as bar:
            task = bar.add_task(label, total=1.0)
            yield lambda fraction: bar.update(task, completed=fraction)
            bar.update(task, completed=1.0)
        return
    begun = said = time.monotonic()

    def quiet(fraction: float) -> None:
        nonlocal said
        if time.monotonic() - said >= QUIET_SECONDS:
            said = time.monotonic()
            sys.stderr.write(f"{label}: {fraction:.0%}\n")

    yield quiet
    sys.stderr.write(f"{label}: done in {time.monotonic() - begun:.1f} s\n")
