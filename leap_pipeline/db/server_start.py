"""From a data folder to a server that is ready, whatever stands in the way for a moment."""

from __future__ import annotations

import socket
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from leap_pipeline.db.binaries import Binaries
from leap_pipeline.db.cluster import HOST, start_server
from leap_pipeline.db.postmaster import POLL_SECONDS, Postmaster, clear_stale, read_pid_file
from leap_pipeline.db.server_folder import ServerFolder
from leap_pipeline.errors import UserActionError
from leap_pipeline.processes import exists, is_alive

START_SECONDS = 120.0
RETRY_SECONDS = 0.05
# Below the range from which systems lend ports to outgoing connections.
FIRST_PORT, PORTS = 20_000, 10_000
PORT_TAKEN = ("could not bind", "could not create any TCP/IP sockets")
LEFTOVERS = ("pre-existing shared memory block", "lock file", "is another postmaster")


def start_until_ready(
    folder: ServerFolder, binaries: Binaries, port: int, options: Mapping[str, str]
) -> Postmaster:
    """Start it on `port` (0: one of its own), or on another where that is taken.

    A server that was killed leaves processes and a `postmaster.pid` behind; until they are gone
    PostgreSQL refuses to start, and is asked again.

    Raises UserActionError with the server's last words.
    """
    deadline = time.monotonic() + START_SECONDS
    port = free_port(port or _usual_port(folder))
    while True:
        heard = folder.log.stat().st_size if folder.log.exists() else 0
        pid = _running_pid(folder) or start_server(folder, binaries, port, options)
        running = _await_ready(folder, pid, deadline)
        if running is not None:
            return running
        words = _words_since(folder.log, heard)
        if any(sign in words for sign in PORT_TAKEN):
            port = free_port(port + 1)
        elif not any(sign in words for sign in LEFTOVERS) or time.monotonic() >= deadline:
            _refuse(folder, words)
        time.sleep(RETRY_SECONDS)


def free_port(wanted: int) -> int:
    """`wanted`, or the next one in LEAP's range that nobody on loopback listens on.

    Raises UserActionError where all are taken.
    """
    start = max(wanted - FIRST_PORT, 0)
    later = (FIRST_PORT + (start + step) % PORTS for step in range(PORTS))
    for port in (wanted, *later):
        if _is_free(port):
            return port
    msg = f"All ports from {FIRST_PORT} to {FIRST_PORT + PORTS - 1} on {HOST} are taken: free one."
    raise UserActionError(msg)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _usual_port(folder: ServerFolder) -> int:
    return FIRST_PORT + zlib.crc32(str(folder.root).encode()) % PORTS


def _running_pid(folder: ServerFolder) -> int | None:
    """A server of this folder that is up, coming up or going down; a dead one's file is cleared."""
    found = read_pid_file(folder.data)
    if found is None:
        return None
    if found.is_running:
        return found.pid
    if exists(found.pid):
        clear_stale(found)
    return None


def _await_ready(folder: ServerFolder, pid: int, deadline: float) -> Postmaster | None:
    """None when the process is gone; crash recovery may take its time.

    Raises UserActionError at the deadline.
    """
    while time.monotonic() < deadline:
        found = read_pid_file(folder.data)
        if found is not None and found.pid == pid and found.is_ready:
            return found
        if not is_alive(pid):
            return None
        time.sleep(POLL_SECONDS)
    msg = f"The embedded database is not ready after {START_SECONDS:.0f} s: see {folder.log}."
    raise UserActionError(msg)


def _words_since(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")


def _refuse(folder: ServerFolder, words: str) -> NoReturn:
    fatal = [line for line in words.splitlines() if "FATAL" in line or "PANIC" in line]
    last = (fatal or words.splitlines() or ["it said nothing"])[-1].strip()
    msg = f"The embedded database does not start ({last}): see {folder.log}."
    raise UserActionError(msg)
