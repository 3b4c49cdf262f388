"""Random faults and random deaths: what is stored at the end is one version of the file, whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leap_pipeline.errors import LeapError
from leap_pipeline.progress import ignore
from leap_pipeline.settings import CHECKOUT
from leap_pipeline.sources.http_file import Fetched, download
from leap_pipeline.storage.partials import partial
from tests.support.file_server import Asked, Fault, FileServer, Tokens, content, file_server
from tests.unit.sources.conftest import TUNING

SIZE = 300_000
PIECE = 16 * 1024
LIVES = 40
PAGE = b"<html>Sign in</html>"
WHOLE = 1_500_000


class _Killed(Exception):
    pass


class Plan:
    """About one answer in three goes wrong, some of them by another version of the file."""

    def __init__(self, server: FileServer, seed: int) -> None:
        self.random = random.Random(seed)
        self.server = server
        self.left = 25
        self.resets = 0
        self.starts_over = 0
        """How often the file changed, or the server sent all of it unasked."""

    def __call__(self, asked: Asked) -> Fault | None:
        pick = self.random
        if self.left == 0 or pick.random() > 0.35:
            return None
        self.left -= 1
        kind = pick.choice(
            ("cut", "cut", "reset", "refused", "busy", "broken", "page", "change", "all", "silent")
        )
        self.starts_over += kind in ("change", "all")
        self.resets += kind == "reset"
        soon = f"{datetime.now(UTC) + timedelta(seconds=pick.choice((0, 0, 7200))):%FT%TZ}"
        return {
            "cut": Fault(cut_after=pick.randrange(PIECE)),
            "reset": Fault(cut_after=pick.randrange(PIECE), reset=True),
            "refused": Fault(pick.choice((401, 403, 404, 410))),
            "busy": Fault(429, {"Retry-After": soon}),
            "broken": Fault(pick.choice((500, 502, 503, 504))),
            "page": Fault(200, {"Content-Type": "text/html"}, PAGE),
            "change": Fault(change=True),
            "all": Fault(ignore_range=True),
            "silent": Fault(cut_after=pick.randrange(PIECE), stall=5),
        }[kind]


@pytest.mark.parametrize("seed", range(30))
def test_random_faults_give_one_version_whole(tmp_path: Path, seed: int) -> None:
    pick = random.Random(seed)
    tuning = replace(
        TUNING,
        connections=pick.choice((1, 1, 4)),
        first_piece=PIECE,
        least_piece=PIECE,
        most_piece=PIECE,
        note_bytes=PIECE,
        read_seconds=0.1,
        patience=1.0,
        measure_seconds=0.02,
    )
    with file_server(content(SIZE, seed), seed=seed) as server:
        if pick.random() < 0.3:
            server.etag, server.modified = False, time.time() - 86400
        server.token = "the newest"
        server.plan = plan = Plan(server, seed)
        source = Tokens(server)

        def life() -> Fetched:
            """A worker that is stopped at any point, perhaps."""
            stop_at = pick.choice((2.0, 2.0, pick.random()))

            def progress(fraction: float) -> None:
                if fraction > stop_at:
                    raise _Killed

            with partial(tmp_path, "7-raw") as unfinished:
                watch = progress if stop_at < 1 else ignore
                found = download(source, unfinished, tuning=tuning, progress=watch)
                assert found.path.read_bytes() in server.versions
                return found

        lives, ended = 0, False
        while not ended and lives < LIVES:
            lives += 1
            with suppress(LeapError, _Killed):
                life()
                ended = True
        assert ended, "it never came to an end"
    # What is on its way when a worker stops or a connection is reset is sent in vain.
    in_vain = (lives * tuning.connections + plan.resets) * PIECE
    assert server.sent <= 1.05 * SIZE + plan.starts_over * SIZE + in_vain


WORKER = """
import sys
from pathlib import Path
from dataclasses import replace
from leap_pipeline.sources.http_file import download
from leap_pipeline.sources.http_file_requests import Link
from leap_pipeline.storage.partials import partial
from pydantic import SecretStr
from tests.unit.sources.conftest import TUNING

class Source:
    def fresh(self):
        return Link(SecretStr(sys.argv[2]))

tuning = replace(TUNING, connections=2, first_piece=8192, least_piece=8192, most_piece=8192,
                 note_bytes=8192, measure_seconds=0.1)
root = Path(sys.argv[1])
with partial(root, "7-raw") as unfinished:
    found = download(Source(), unfinished, tuning=tuning)
    found.path.rename(root / "whole")
    print(found.resumed, found.fetched)
"""


def test_a_worker_killed_again_and_again_fetches_hardly_anything_twice(tmp_path: Path) -> None:
    """SIGKILL at random bytes, three times; the fourth worker ends it."""
    pick = random.Random(4)
    with file_server(content(WHOLE, 4)) as server:
        server.rate = 1_500_000
        points = sorted(pick.randrange(WHOLE // 20, WHOLE * 9 // 10) for _ in range(3))
        for point in [*points, None]:
            child = subprocess.Popen(
                [sys.executable, "-c", WORKER, str(tmp_path), server.url],
                cwd=CHECKOUT,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            )
            if point is not None:
                _wait_for(server, point)
                child.send_signal(signal.SIGKILL)
            out, _ = child.communicate(timeout=60)
            assert child.returncode == (0 if point is None else -signal.SIGKILL)
            _wait_till_idle(server)
        resumed, fetched = map(int, out.split())
        assert (tmp_path / "whole").read_bytes() == server.body
        assert resumed + fetched == WHOLE
        assert resumed > points[-1] * 0.9
        assert server.sent <= 1.05 * WHOLE, f"{server.sent / WHOLE:.3f} sizes were served"


def _wait_for(server: FileServer, count: int) -> None:
    deadline = time.monotonic() + 60
    while server.sent < count and time.monotonic() < deadline:
        time.sleep(0.002)


def _wait_till_idle(server: FileServer) -> None:
    deadline = time.monotonic() + 10
    while server.active and time.monotonic() < deadline:
        threading.Event().wait(0.01)
