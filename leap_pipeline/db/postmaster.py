"""A postmaster seen through its data folder: `postmaster.pid`, shared memory, signals.

The file's lines are pid, data folder, start time, port, socket folder, listen address, shared
memory key and id, status (PostgreSQL, src/include/utils/pidfile.h).
"""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from leap_pipeline.processes import command_line, is_alive

POLL_SECONDS = 0.01
SHARED_MEMORY = Path("/proc/sysvipc/shm")
READY = "ready"


@dataclass(frozen=True)
class Postmaster:
    """One running server, or what a dead one left behind."""

    pid: int
    data: Path
    told: str
    """The data folder as it was named when it was started; both may be links or have moved."""
    port: int
    status: str
    shared_memory_id: int | None

    @property
    def is_running(self) -> bool:
        """Its process lives and is a postmaster of this folder, not a later user of the id."""
        if not is_alive(self.pid):
            return False
        return self.told in command_line(self.pid)

    @property
    def is_ready(self) -> bool:
        return self.status == READY and self.is_running


def read_pid_file(data: Path) -> Postmaster | None:
    """What the folder's `postmaster.pid` says; None where it is missing or half written."""
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    try:
        pid, told, port = abs(int(lines[0])), lines[1], int(lines[3])
    except (IndexError, ValueError):
        return None
    status = lines[7].strip() if len(lines) > 7 else ""
    return Postmaster(pid, data, told, port, status, _shared_memory_id(lines))


def shut_down(postmaster: Postmaster, *, timeout: float) -> bool:
    """Fast shutdown: sessions are ended, all is written; at the time-out, an immediate one.

    Returns False where it was not running.
    """
    if not postmaster.is_running:
        return False
    os.kill(postmaster.pid, signal.SIGINT)
    if not _gone(postmaster, timeout):
        os.kill(postmaster.pid, signal.SIGQUIT)
        _gone(postmaster, timeout)
    return True


def clear_stale(postmaster: Postmaster) -> bool:
    """Remove a `postmaster.pid` that PostgreSQL itself would take for a living server's.

    That is so where its id belongs to a zombie or to somebody else by now. The server's other
    processes may still be at work on the data: shared memory that is in use says so, and then
    nothing is removed and False is returned.
    """
    if postmaster.is_running or _in_use(postmaster.shared_memory_id):
        return False
    (postmaster.data / "postmaster.pid").unlink(missing_ok=True)
    return True


def _gone(postmaster: Postmaster, timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while postmaster.is_running:
        if time.monotonic() >= deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _shared_memory_id(lines: list[str]) -> int | None:
    words = lines[6].split() if len(lines) > 6 else []
    return int(words[1]) if len(words) == 2 and words[1].isdigit() else None


def _in_use(shared_memory_id: int | None) -> bool:
    """Is some process attached? Without a list of segments, better safe: yes."""
    if shared_memory_id is None:
        return False
    try:
        rows = SHARED_MEMORY.read_text(encoding="utf-8").splitlines()[1:]
    except OSError:
        return True
    segments = (row.split() for row in rows)
    return any(int(row[1]) == shared_memory_id and int(row[6]) > 0 for row in segments)
