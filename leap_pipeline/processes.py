"""Other processes, looked at by their id: is it alive, what is it, when did it begin; and the start
of this one.

An id alone proves nothing: it is used again after its process ended. So a process is known by its
id together with the moment it began or the command it runs. On Linux /proc answers, elsewhere
`ps`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROC = Path("/proc")
PR_SET_PDEATHSIG = 1


@contextmanager
def importing() -> Iterator[None]:
    """A process that starts: what it imports stays, and to look for garbage among it takes a fifth
    of the time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def exists(pid: int) -> bool:
    """True for a process of anybody, a zombie that nobody has reaped yet included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def is_alive(pid: int) -> bool:
    """True for a running process of anybody; False for none and for a zombie."""
    return exists(pid) and _state(pid) not in ("Z", "X")


def command_line(pid: int) -> tuple[str, ...]:
    """The arguments it was started with; empty for none, a zombie or a kernel thread."""
    if not PROC.joinpath("self").exists():
        return tuple(_ps(pid, "args").split())
    try:
        raw = PROC.joinpath(str(pid), "cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(part.decode(errors="replace") for part in raw.rstrip(b"\0").split(b"\0") if part)


def began(pid: int) -> str | None:
    """When it began, in the system's own unit: with the id it names a process for good."""
    if not PROC.joinpath("self").exists():
        return _ps(pid, "lstart") or None
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else None


def _state(pid: int) -> str:
    if not PROC.joinpath("self").exists():
        return _ps(pid, "state")[:1]
    fields = _stat(pid)
    return fields[0] if fields else "X"


def _stat(pid: int) -> list[str]:
    """The fields of proc(5) `stat` from the third on: the second may hold blanks and brackets."""
    try:
        text = PROC.joinpath(str(pid), "stat").read_text(errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _ps(pid: int, column: str) -> str:
    ps = shutil.which("ps")
    if ps is None:
        return ""
    done = subprocess.run(
        [ps, "-o", f"{column}=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def group_members(group: int) -> list[int]:
    """The living processes of a process group; zombies do not count."""
    if not PROC.joinpath("self").exists():
        rows = (row.split() for row in _all_groups())
        return [int(row[0]) for row in rows if int(row[1]) == group and row[2][0] not in "ZX"]
    pids = (int(path.name) for path in PROC.iterdir() if path.name.isdigit())
    return [pid for pid in pids if _is_member(pid, group)]


def _is_member(pid: int, group: int) -> bool:
    fields = _stat(pid)
    return len(fields) > 2 and fields[2] == str(group) and fields[0] not in ("Z", "X")


def _all_groups() -> list[str]:
    ps = shutil.which("ps")
    if ps is None:
        return []
    done = subprocess.run(
        [ps, "-ax", "-o", "pid=,pgid=,state="], capture_output=True, text=True, check=False
    )
    return done.stdout.splitlines()


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when `parent` ends (Linux; elsewhere it does nothing).

    See prctl(2), PR_SET_PDEATHSIG. Call it first of all, in the main thread.
    """
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os.kill(os.getpid(), signal.SIGKILL)
