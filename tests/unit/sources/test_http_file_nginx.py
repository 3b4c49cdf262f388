"""Downloads from a real nginx that limits, refuses, drops and dies."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from leap_pipeline.sources.http_file import Fetched, download
from leap_pipeline.sources.http_file_requests import Link
from leap_pipeline.storage.partials import partial
from tests.support.file_server import content
from tests.support.nginx import Nginx, binary, nginx
from tests.unit.sources.conftest import TUNING

pytestmark = pytest.mark.skipif(binary() is None, reason="nginx is not installed")

SIZE = 1_000_000
BODY = content(SIZE, 5)
# Requests wait for their turn, twenty of which come a second.
PACED = {
    "http": "limit_req_zone $binary_remote_addr zone=paced:1m rate=20r/s;",
    "server": "limit_req zone=paced burst=100;",
}


class _Always:
    def __init__(self, url: str) -> None:
        self._url = url

    def fresh(self) -> Link:
        return Link(SecretStr(self._url))


def get(
    server: Nginx, tmp_path: Path, half_way: Callable[[], None] | None = None, **tuned: Any
) -> Fetched:
    """The file, whole; `half_way` is called once."""
    tuning = replace(TUNING, connections=4, patience=10.0, **tuned)
    waiting = [half_way] if half_way is not None else []

    def progress(fraction: float) -> None:
        if fraction > 0.3 and waiting:
            waiting.pop()()

    with partial(tmp_path / "storage", "7-raw") as unfinished:
        source = _Always(server.url("a.mp4"))
        fetched = download(source, unfinished, tuning=tuning, progress=progress)
        assert waiting == []
        assert fetched.path.read_bytes() == (server.files / "a.mp4").read_bytes()
    return fetched


def put(server: Nginx, body: bytes = BODY) -> None:
    """As a careful publisher: in one step."""
    beside = server.files / "new"
    beside.write_bytes(body)
    past = time.time() - 600
    os.utime(beside, (past, past))
    beside.replace(server.files / "a.mp4")


def test_limits_per_connection_are_met_with_more_connections(tmp_path: Path) -> None:
    with nginx(tmp_path / "nginx", server="limit_rate 150k;") as server:
        put(server)
        piece = 256 * 1024
        fetched = get(server, tmp_path, least_piece=piece, most_piece=piece, measure_seconds=0.4)
        assert fetched.connections > 1
        assert fetched.fetched == SIZE


def test_a_limit_of_one_connection_is_kept(tmp_path: Path) -> None:
    limited = {
        "http": "limit_conn_zone $binary_remote_addr zone=one:1m; limit_conn_status 503;",
        "server": "limit_conn one 1; limit_rate 400k;",
    }
    with nginx(tmp_path / "nginx", **limited) as server:
        put(server)
        assert get(server, tmp_path).fetched == SIZE


def test_a_storm_of_429_is_ridden_out(tmp_path: Path) -> None:
    limited = {
        "http": "limit_req_zone $binary_remote_addr zone=calm:1m rate=20r/s; limit_req_status 429;",
        "server": "limit_req zone=calm burst=1 nodelay;",
    }
    with nginx(tmp_path / "nginx", **limited) as server:
        put(server)
        assert get(server, tmp_path).fetched == SIZE
        assert 429 in {status for status, _ in server.requests}


def test_answers_that_never_come_are_asked_for_again(tmp_path: Path) -> None:
    """444 closes the connection without a word, here for one request in three."""
    dropped = {
        "http": 'split_clients "$request_id" $lost { 33% 1; * 0; }',
        "server": "if ($lost) { return 444; }",
    }
    with nginx(tmp_path / "nginx", **dropped) as server:
        put(server)
        assert get(server, tmp_path).fetched == SIZE


def test_a_file_that_is_replaced_is_of_one_version(tmp_path: Path) -> None:
    with nginx(tmp_path / "nginx", **PACED) as server:
        put(server)

        def replaced() -> None:
            put(server, content(SIZE + 1, 6))

        fetched = get(server, tmp_path, replaced)
        assert fetched.size == SIZE + 1
        assert fetched.restarts == 1
        assert fetched.fetched <= 1.05 * SIZE + SIZE


def test_a_server_that_restarts_loses_nothing(tmp_path: Path) -> None:
    with nginx(tmp_path / "nginx", **PACED) as server:
        put(server)

        def restarted() -> None:
            server.stop()
            time.sleep(0.2)
            server.start()

        fetched = get(server, tmp_path, restarted)
        assert fetched.restarts == 0
        assert fetched.fetched == SIZE


@pytest.mark.parametrize("line", ["max_ranges 0;", "etag off; max_ranges 1;"], ids=["all", "date"])
def test_other_habits_of_servers(tmp_path: Path, line: str) -> None:
    with nginx(tmp_path / "nginx", server=line) as server:
        put(server)
        assert get(server, tmp_path).fetched <= SIZE + 32 * 1024
