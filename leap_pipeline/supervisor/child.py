"""One part while it is supervised: started, seen to be well, started again when it dies."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from leap_pipeline.processes import group_members
from leap_pipeline.runtime_files import bound_log
from leap_pipeline.settings import CHECKOUT, child_environment
from leap_pipeline.supervisor.groups import end_groups
from leap_pipeline.supervisor.parts import Part
from leap_pipeline.supervisor.state import PartState, identify

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
STEADY_SECONDS = 60.0
SETTLED_SECONDS = 1.0
LOOK_EVERY_SECONDS = 0.5
LEFT_BEHIND_GRACE = 3.0
LOG_BYTES = 10 * 1024 * 1024


class Child:
    """A part and its present process, which leads a session and process group of its own."""

    def __init__(self, part: Part, log: Path, say: Callable[[str], None]) -> None:
        self.part = part
        self.healthy = False
        self.restarts = 0
        self._log = log
        self._say = say
        self._process: subprocess.Popen[bytes] | None = None
        self._left_behind: set[int] = set()
        self._started = 0.0
        self._looked = 0.0
        self._due = 0.0
        self._quick_deaths = 0

    @property
    def groups(self) -> set[int]:
        """Its own group, and those of dead predecessors that may still have members."""
        own = {self._process.pid} if self._process else set()
        return own | self._left_behind

    def step(self) -> None:
        """Look once: start it when it is due, notice its death or that it is well."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._due:
                self._start(now)
        elif self._process.poll() is not None:
            self._note_death(self._process, now)
        elif not self.healthy and now - self._looked >= LOOK_EVERY_SECONDS:
            self._looked = now
            self._note_health(now)
        self._left_behind = {group for group in self._left_behind if group_members(group)}

    def reap(self) -> None:
        """Take the exit code of a process that is being stopped."""
        if self._process is not None:
            self._process.poll()

    def bound_log(self) -> None:
        bound_log(self._log, LOG_BYTES)

    def state(self) -> PartState:
        process = identify(self._process.pid) if self._process else None
        return PartState(self.part.name, process, self.part.url, self.healthy, self.restarts)

    def _start(self, now: float) -> None:
        if self._quick_deaths > 1:
            # What a predecessor left may be what it dies of.
            end_groups(self._left_behind, grace=LEFT_BEHIND_GRACE)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._started = now
        try:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    list(self.part.argv),
                    cwd=CHECKOUT,
                    env=child_environment(self.part.env),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            self._schedule(f"cannot be started ({error.strerror}: {self.part.argv[0]})", now)

    def _note_health(self, now: float) -> None:
        if now - self._started < SETTLED_SECONDS or not self.part.answers():
            return
        self.healthy = True
        self._say(f"{self.part.name}: {self.part.url or 'running'}")

    def _note_death(self, process: subprocess.Popen[bytes], now: float) -> None:
        if group_members(process.pid):
            self._left_behind.add(process.pid)
        self._process = None
        self._schedule(f"ended with {_how(process.returncode)}", now)

    def _schedule(self, what: str, now: float) -> None:
        steady = now - self._started >= STEADY_SECONDS
        self._quick_deaths = 1 if steady else self._quick_deaths + 1
        delay = min(FIRST_DELAY * 2 ** (self._quick_deaths - 1), LONGEST_DELAY)
        self._due = now + delay
        self.healthy = False
        self.restarts += 1
        self._say(f"{self.part.name} {what}; again in {delay:g} s, see {self._log}")


def _how(returncode: int) -> str:
    return f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
