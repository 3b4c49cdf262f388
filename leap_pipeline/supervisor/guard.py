"""Ends the parts when the supervisor is gone without having done so itself (`kill -9`).

This is the supervisor's end of it; `guard_process` is the process, in a session of its own.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

from leap_pipeline.settings import CHECKOUT

PROCESS = "leap_pipeline.supervisor.guard_process"


class Guard:
    """Told which process groups are alive because of the supervisor."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._process = _start()

    def watch(self, group: int) -> None:
        self._groups.add(group)
        self._tell(f"+{group}")

    def forget(self, group: int) -> None:
        self._groups.discard(group)
        self._tell(f"-{group}")

    def ensure_running(self) -> None:
        """Start it anew, with all it knew, where somebody killed it."""
        if self._process.poll() is None:
            return
        self._process.communicate()
        # Told at birth: the supervisor may be killed before it could tell the new one anything.
        self._process = _start(self._groups)

    def close(self) -> None:
        """The parts are gone; so is it."""
        self._process.communicate()

    def _tell(self, line: str) -> None:
        pipe = self._process.stdin
        if pipe is None or self._process.poll() is not None:
            return
        try:
            pipe.write(f"{line}\n")
            pipe.flush()
        except BrokenPipeError:
            return


def _start(groups: Iterable[int] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", PROCESS, *map(str, groups)],
        cwd=CHECKOUT,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
