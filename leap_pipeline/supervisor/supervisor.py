"""`leap up` and `leap down`: keeps the parts and the embedded server running, and ends them.

One supervisor a home. Every part leads a process group of its own, so that a Ctrl-C reaches the
supervisor alone and a part ends with all that it started. A supervisor that is killed leaves the
ending to its guard; what a killed guard left is ended by the next start.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from types import FrameType

from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.errors import TransientError, UserActionError
from leap_pipeline.processes import group_members
from leap_pipeline.runtime_files import file_lock
from leap_pipeline.settings import Settings
from leap_pipeline.supervisor.child import Child
from leap_pipeline.supervisor.groups import GRACE_SECONDS, end_groups, is_same_group
from leap_pipeline.supervisor.guard import Guard
from leap_pipeline.supervisor.parts import Part, require_free_ports
from leap_pipeline.supervisor.state import (
    SupervisorState,
    forget_state,
    identify,
    lock_path,
    log_path,
    read_state,
    run_folder,
    write_state,
)

TICK_SECONDS = 0.2
WATCH_SECONDS = 1.0
LOGS_SECONDS = 30.0
CLIENTS_SECONDS = 2.0
STOP_SECONDS = 2 * GRACE_SECONDS + 10.0
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def say_on_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


class Supervisor:
    """Runs until it is told to stop; `say` gets each line meant for a person."""

    def __init__(
        self,
        settings: Settings,
        parts: Sequence[Part],
        *,
        say: Callable[[str], None] = say_on_stderr,
    ) -> None:
        self._settings = settings
        self._parts = list(parts)
        self._say = say
        self._children = [Child(part, log_path(settings, part.name), say) for part in parts]
        self._server = None if settings.database_url else EmbeddedServer(settings)
        self._asked = 0
        self._welcomed = False
        self._state: SupervisorState | None = None
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")

    def run(self) -> None:
        """Start all, watch, and end all on SIGINT, SIGTERM or SIGHUP; a second one ends it at once.

        Raises UserActionError where a supervisor of this home runs already or a port is taken.
        """
        run_folder(self._settings).mkdir(parents=True, exist_ok=True)
        with _only_one(self._settings), self._signals():
            end_leftovers(self._settings)
            require_free_ports(self._parts)
            guard = Guard()
            try:
                self._watch(guard)
            finally:
                self._end(guard)

    def _watch(self, guard: Guard) -> None:
        watched = bounded = 0.0
        told: set[int] = set()
        while not self._asked:
            now = time.monotonic()
            if now - watched >= WATCH_SECONDS:
                watched = now
                self._watch_database()
                guard.ensure_running()
            if now - bounded >= LOGS_SECONDS:
                bounded = now
                self._bound_logs()
            for child in self._children:
                child.step()
                told = self._tell(guard, told)
            self._write_state()
            self._welcome()
            time.sleep(TICK_SECONDS)

    def _tell(self, guard: Guard, told: set[int]) -> set[int]:
        groups = self._groups()
        for group in groups - told:
            guard.watch(group)
        for group in told - groups:
            guard.forget(group)
        return groups

    def _watch_database(self) -> None:
        if self._server is None or self._server.status().running:
            return
        try:
            self._server.ensure_running()
        except TransientError as error:
            self._say(f"{error} Trying again.")
        else:
            self._say("database: running")

    def _bound_logs(self) -> None:
        for child in self._children:
            child.bound_log()
        if self._server is not None:
            self._server.bound_log()

    def _groups(self) -> set[int]:
        return {group for child in self._children for group in child.groups}

    def _write_state(self) -> None:
        state = SupervisorState(
            identify(os.getpid()), self._started_at, [child.state() for child in self._children]
        )
        if state != self._state:
            write_state(self._settings, state)
            self._state = state

    def _welcome(self) -> None:
        if not self._welcomed and all(child.healthy for child in self._children):
            self._welcomed = True
            self._say("LEAP is up; Ctrl-C stops it.")

    def _end(self, guard: Guard) -> None:
        self._say("LEAP is stopping.")
        groups = self._groups()
        end_groups(groups, hurry=lambda: self._asked > 1, meanwhile=self._reap)
        self._reap()
        for group in groups:
            guard.forget(group)
        guard.close()
        self._stop_database()
        forget_state(self._settings)
        self._say("LEAP is stopped.")

    def _stop_database(self) -> None:
        """Unless somebody else works with it: a run in another shell goes on."""
        if self._server is None:
            return
        # The server needs a moment to notice that a killed part is gone.
        deadline = time.monotonic() + CLIENTS_SECONDS
        while self._server.has_clients() and time.monotonic() < deadline:
            time.sleep(TICK_SECONDS)
        if self._server.has_clients():
            self._say("The database stays up, because others use it; `leap down` stops it.")
        else:
            self._server.stop()

    def _reap(self) -> None:
        for child in self._children:
            child.reap()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._asked += 1


def stop(settings: Settings) -> bool:
    """End the supervisor of this home, what it left, and the embedded server, from any process.

    Returns False where nothing ran. Raises TransientError where it does not end.
    """
    state = read_state(settings)
    ran = state is not None and state.process.lives
    if state is not None and ran:
        os.kill(state.process.pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while state.process.lives:
            if time.monotonic() >= deadline:
                msg = f"The supervisor (process {state.process.pid}) does not end: kill it."
                raise TransientError(msg)
            time.sleep(TICK_SECONDS)
    left = end_leftovers(settings)
    served = not settings.database_url and EmbeddedServer(settings).stop()
    return ran or left or served


def end_leftovers(settings: Settings) -> bool:
    """End what a killed supervisor's parts left running; False where there was nothing."""
    state = read_state(settings)
    if state is None or state.process.lives:
        return False
    processes = [part.process for part in state.parts if part.process is not None]
    groups = [process.pid for process in processes if is_same_group(process.pid, process.began)]
    living = [group for group in groups if group_members(group)]
    end_groups(living)
    forget_state(settings)
    return bool(living)


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(file_lock(lock_path(settings), timeout=0.0, what="LEAP"))
        except TransientError as error:
            msg = (
                f"LEAP already runs in {settings.home.absolute()}: `leap status` shows it, "
                "`leap down` stops it."
            )
            raise UserActionError(msg) from error
        yield
