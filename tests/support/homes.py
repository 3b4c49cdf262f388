"""Homes for embedded servers of a test's own, and child processes that use them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.processes import began
from leap_pipeline.settings import Settings

PREFIX = "leap-test-"
# Databases by the hundred are made and dropped: ext4 spends more time on their files than
# PostgreSQL on the tests.
MEMORY = Path("/dev/shm")
ENOUGH_MEMORY = 3 * 2**30
OWNER = "owner"
ENSURE_RUNNING = """
import sys
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.settings import load_settings
address = EmbeddedServer(load_settings()).ensure_running()
print(address.port, flush=True)
"""


@contextmanager
def home_settings(*, mode: int = 0o711) -> Iterator[Settings]:
    """Settings of an empty home; its server is stopped and all of it removed at the end."""
    with temporary_folder(mode, in_memory()) as above:
        yield Settings(home=above / "home")


def in_memory() -> Path | None:
    """A folder of the machine's memory for files, where it has enough; else None."""
    try:
        found = os.statvfs(MEMORY)
    except OSError:
        return None
    enough = found.f_bavail * found.f_frsize >= ENOUGH_MEMORY
    return MEMORY if enough and os.access(MEMORY, os.W_OK) else None


@contextmanager
def temporary_folder(mode: int = 0o711, parent: Path | None = None) -> Iterator[Path]:
    """A folder for the home `<folder>/home`, removed at the end with the home's server.

    A test run that was killed could not do so: the next one removes what it left.
    """
    _sweep(Path(tempfile.gettempdir()))
    _sweep(MEMORY)
    above = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    above.chmod(mode)
    (above / OWNER).write_text(f"{os.getpid()} {began(os.getpid())}")
    try:
        yield above
    finally:
        _remove(above)


def _sweep(parent: Path) -> None:
    for owner in parent.glob(f"{PREFIX}*/{OWNER}"):
        try:
            mine = owner.stat().st_uid == os.geteuid()
            pid, _, beginning = owner.read_text().partition(" ")
        except OSError:
            continue  # somebody else's, or just removed
        if mine and pid.isdigit() and began(int(pid)) != beginning:
            _remove(owner.parent)


def _remove(above: Path) -> None:
    server = EmbeddedServer(Settings(home=above / "home"))
    server.stop()
    if above not in server.folder.root.parents:
        shutil.rmtree(server.folder.root, ignore_errors=True)
    shutil.rmtree(above, ignore_errors=True)


def start_child(settings: Settings, code: str = ENSURE_RUNNING) -> subprocess.Popen[str]:
    """A Python process whose environment names the home and nothing else of LEAP's."""
    environment = {"PATH": os.defpath, "LEAP_HOME": str(settings.home)}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Poll until it holds; an AssertionError says what did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {seconds} s"
        time.sleep(0.002)
