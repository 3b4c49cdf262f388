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
from leap_pipeline.settings import Settings

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
    above = Path(tempfile.mkdtemp(prefix="leap-test-home-"))
    above.chmod(mode)
    settings = Settings(home=above / "home")
    server = EmbeddedServer(settings)
    try:
        yield settings
    finally:
        server.stop()
        if above not in server.folder.root.parents:
            shutil.rmtree(server.folder.root, ignore_errors=True)
        shutil.rmtree(above)


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
