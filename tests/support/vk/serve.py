"""The fake of VK over real sockets, in threads of this process, or as a process of its own.

    python -m tests.support.vk.serve PORT STATEFILE

STATEFILE is what `save(fake, path)` wrote; the process prints `ready PORT` and serves until it is
ended. `GET /_ledger?since=N` gives the ledger from its entry N on as JSON, `GET /_videos` the
videos, `POST /_fault` plans a fault (the fields of `Fault` as JSON), `POST /_ahead` moves the clock
by so many seconds.
"""

from __future__ import annotations

import json
import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.support.vk.fake import FakeVK
from tests.support.vk.faults import Broken, Fault

HOST = "127.0.0.1"
PIECE = 64 * 1024


class MovableClock:
    """The wall clock, moved ahead from outside."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    fake: FakeVK

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server
    unread = 0

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass

    def do_GET(self) -> None:
        fake = self.server.fake
        path, _, since = self.path.partition("?since=")
        if path == "/_ledger":
            self._send(httpx.Response(200, json=fake.ledger.as_json(int(since or 0))))
        elif self.path == "/_videos":
            self._send(httpx.Response(200, json=_videos(fake)))
        else:
            self._answer()

    def do_POST(self) -> None:
        if self.path not in ("/_fault", "/_ahead"):
            self._answer()
            return
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/_fault":
            self.server.fake.fail(Fault(**{**said, "on": tuple(said.get("on", ()))}))
        else:
            clock = self.server.fake.clock
            assert isinstance(clock, MovableClock)
            clock.ahead += timedelta(seconds=said)
        self._send(httpx.Response(200, json={}))

    def _answer(self) -> None:
        url = httpx.URL(f"http://{self.headers.get('Host', HOST)}{self.path}")
        headers = httpx.Headers(list(self.headers.items()))
        try:
            self._send(self.server.fake.answer(self.command, url, headers, self._pieces()))
        except Broken:
            self.close_connection = True
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)

    def _pieces(self) -> Iterator[bytes]:
        self.unread = int(self.headers.get("Content-Length") or 0)
        while self.unread > 0:
            piece = self.rfile.read1(min(PIECE, self.unread))
            if not piece:
                return
            self.unread -= len(piece)
            yield piece

    def _send(self, response: httpx.Response) -> None:
        self.send_response_only(response.status_code)
        for name, value in response.headers.multi_items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.content)
        self.wfile.flush()
        # What was answered before it was read to its end is let run out, as real servers do: a
        # connection that is reset takes the answer with it.
        while self.unread > 0 and (piece := self.rfile.read1(min(PIECE, self.unread))):
            self.unread -= len(piece)


@dataclass(frozen=True)
class Served:
    """Where a served fake is."""

    port: int

    @property
    def root(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def api(self) -> str:
        """What `VkClient` takes for `api_url`."""
        return f"{self.root}/method"

    def ledger(self) -> list[dict[str, Any]]:
        read: list[dict[str, Any]] = httpx.get(f"{self.root}/_ledger", timeout=60).json()
        return read

    def videos(self) -> list[dict[str, Any]]:
        """What there is and is not deleted: `name`, `title`, `sha256` (None: empty), `thumb`."""
        read: list[dict[str, Any]] = httpx.get(f"{self.root}/_videos", timeout=60).json()
        return read

    def fail(self, **fault: Any) -> None:
        httpx.post(f"{self.root}/_fault", json=fault).raise_for_status()

    def ahead(self, by: timedelta) -> None:
        httpx.post(f"{self.root}/_ahead", json=by.total_seconds()).raise_for_status()


def _videos(fake: FakeVK) -> list[dict[str, Any]]:
    return [
        {
            "name": video.name,
            "title": video.title,
            "sha256": video.content.sha256 if video.content is not None else None,
            "thumb": video.thumb,
        }
        for video in list(fake.world.videos.values())
        if video.deleted_at is None
    ]


def _open(fake: FakeVK, port: int) -> _Server:
    server = _Server((HOST, port), _Handler)
    server.fake = fake
    fake.rules.upload_host = f"http://{HOST}:{server.server_port}"
    return server


@contextmanager
def serving(fake: FakeVK, port: int = 0) -> Iterator[Served]:
    """The fake in threads of this process, until the block ends."""
    server = _open(fake, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Served(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def save(fake: FakeVK, path: Path) -> None:
    """The world and the rules, for a process of its own; a file plays 60 s there."""
    path.write_bytes(pickle.dumps((fake.world, fake.rules, fake.enforce_rates)))


def load(path: Path) -> FakeVK:
    """What `save` wrote, on the wall clock, which `/_ahead` moves."""
    world, rules, enforced = pickle.loads(path.read_bytes())
    fake = FakeVK(MovableClock(), enforce_rates=enforced)
    fake.world = fake.methods.world = world
    fake.rules = fake.methods.rules = rules
    return fake


@contextmanager
def process(fake: FakeVK, folder: Path) -> Iterator[Served]:
    """The fake as a process of its own, until the block ends."""
    state = folder / "vk.pickle"
    save(fake, state)
    command = [sys.executable, "-m", "tests.support.vk.serve", "0", str(state)]
    # What ends this process's group leaves the fake to this process.
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert child.stdout is not None
        line = child.stdout.readline().split()
        if line[:1] != ["ready"]:
            msg = f"the fake did not start: {line}"
            raise RuntimeError(msg)
        yield Served(int(line[1]))
    finally:
        child.kill()  # SIGTERM may be ignored where SIGINT is, as in a background job
        child.wait(timeout=30)
        if child.stdout is not None:
            child.stdout.close()


def main() -> None:
    port, state = int(sys.argv[1]), Path(sys.argv[2])
    server = _open(load(state), port)
    print(f"ready {server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
