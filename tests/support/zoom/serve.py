"""The fake over real sockets: in threads of this process, or as a process of its own.

    python -m tests.support.zoom.serve PORT STATEFILE

STATEFILE is what `save(fake, path)` wrote; the process prints `ready PORT` and serves until it is
ended. `GET /_ledger` gives the ledger as JSON, `POST /_stop` ends it.
"""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from tests.support.zoom.clock import wall_clock
from tests.support.zoom.fake import FakeZoom

HOST = "127.0.0.1"
# Another origin than the API's, as Zoom's CDN is: a header that follows a redirect there shows.
CDN_HOST = "localhost"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    fake: FakeZoom

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass

    def do_GET(self) -> None:
        if self.path == "/_ledger":
            self._send(httpx.Response(200, json=self.server.fake.ledger.as_json()))
        else:
            self._answer()

    def do_POST(self) -> None:
        if self.path == "/_stop":
            self._send(httpx.Response(200, json={}))
            threading.Thread(target=self.server.shutdown).start()
        else:
            self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = f"http://{self.headers.get('Host', HOST)}{self.path}"
        request = httpx.Request(self.command, url, headers=self.headers.items(), content=body)
        try:
            self._send(self.server.fake.handle(request))
        except httpx.TransportError:
            self._hang_up()

    def _send(self, response: httpx.Response) -> None:
        self.send_response_only(response.status_code)
        for name, value in response.headers.multi_items():
            self.send_header(name, value)
        if "content-length" not in response.headers:
            self.send_header("Content-Length", "0")
        self.end_headers()
        if self.command != "HEAD":
            try:
                for chunk in response.iter_bytes():
                    self.wfile.write(chunk)
            finally:
                response.close()
        self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Served:
    """Where a served fake is; `api`, `oauth` are what the settings of LEAP take."""

    port: int

    @property
    def api(self) -> str:
        return f"http://{HOST}:{self.port}/v2"

    @property
    def oauth(self) -> str:
        return f"http://{HOST}:{self.port}/oauth"

    def settings(self) -> dict[str, object]:
        """For `Settings(**…)`: this fake in Zoom's place, and downloads from loopback allowed."""
        return {
            "zoom_api_url": self.api,
            "zoom_oauth_url": self.oauth,
            "download_private_addresses": True,
        }

    def ledger(self) -> dict[str, Any]:
        read: dict[str, Any] = httpx.get(f"http://{HOST}:{self.port}/_ledger", timeout=60).json()
        return read


def _open(fake: FakeZoom, port: int) -> _Server:
    server = _Server((HOST, port), _Handler)
    server.fake = fake
    fake.files_url = f"http://{HOST}:{server.server_port}"
    fake.cdn_url = f"http://{CDN_HOST}:{server.server_port}"
    return server


@contextmanager
def serving(fake: FakeZoom, port: int = 0) -> Iterator[Served]:
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


def save(fake: FakeZoom, path: Path) -> None:
    """The world, the apps and the tokens, for a process of its own."""
    path.write_bytes(pickle.dumps((fake.world, fake.tokens, fake.files, fake.rates.enforced)))


def load(path: Path) -> FakeZoom:
    """What `save` wrote, on the wall clock."""
    world, tokens, files, enforced = pickle.loads(path.read_bytes())
    fake = FakeZoom(wall_clock, enforce_rates=enforced)
    fake.world, fake.tokens, fake.files = world, tokens, files
    return fake


@contextmanager
def process(fake: FakeZoom, folder: Path) -> Iterator[Served]:
    """The fake as a process of its own, on the wall clock, until the block ends."""
    state = folder / "zoom.pickle"
    save(fake, state)
    command = [sys.executable, "-m", "tests.support.zoom.serve", "0", str(state)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        line = child.stdout.readline().split()
        if line[:1] != ["ready"]:
            msg = f"the fake did not start: {line}"
            raise RuntimeError(msg)
        yield Served(int(line[1]))
    finally:
        child.terminate()
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
