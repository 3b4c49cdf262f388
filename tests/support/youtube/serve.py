"""The fake over real sockets: in threads of this process, or as a process of its own.

    python -m tests.support.youtube.serve PORT

The process prints `ready PORT` and serves until it is ended, on the wall clock and as much later as
it was told. `POST /_fake` takes what `Remote` asks for, in JSON.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.support.youtube.errors import HungUp
from tests.support.youtube.fake import BLOCK, FakeYouTube
from tests.support.youtube.faults import Fault

HOST = "127.0.0.1"
CONTROL = "/_fake"


class LaterClock:
    """The wall clock, and so much later as it was moved."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    fake: FakeYouTube

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
        self._answer()

    def do_POST(self) -> None:
        if self.path == CONTROL:
            said = json.loads(b"".join(self._body()))
            told = json.dumps(_told(self.server.fake, said)).encode()
            self._send(httpx.Response(200, content=told))
        else:
            self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        url = httpx.URL(f"http://{self.headers.get('Host', HOST)}{self.path}")
        headers = dict(self.headers.items())
        body = self._body()
        try:
            response = self.server.fake.handle(self.command, url, headers, body)
        except HungUp:
            self._hang_up()
            return
        for _ in body:
            pass
        self._send(response)

    def _body(self) -> Iterator[bytes]:
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            try:
                block = self.rfile.read1(min(BLOCK, left))
            except OSError:
                return
            if not block:
                return
            left -= len(block)
            yield block

    def _send(self, response: httpx.Response) -> None:
        self.send_response_only(response.status_code)
        for name, value in response.headers.multi_items():
            self.send_header(name, value)
        if "content-length" not in response.headers and response.status_code != 204:
            self.send_header("Content-Length", "0")
        self.end_headers()
        self.wfile.write(response.content)
        self.wfile.flush()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _told(fake: FakeYouTube, said: Mapping[str, Any]) -> Any:
    """What `Remote` asks for."""
    order: Callable[[FakeYouTube, Mapping[str, Any]], Any] = _ORDERS[said["do"]]
    with fake.lock:
        return order(fake, said)


def _channel(fake: FakeYouTube, said: Mapping[str, Any]) -> dict[str, str]:
    channel = fake.add_channel(said["title"])
    playlist = fake.add_playlist(channel)
    return {"channel": channel.id, "playlist": playlist.id}


def _grant(fake: FakeYouTube, said: Mapping[str, Any]) -> str:
    channel = fake.world.channels[said["channel"]]
    lives = None if said["lives"] is None else timedelta(seconds=said["lives"])
    return fake.add_grant(channel, project=said["project"], lives=lives)


def _fail(fake: FakeYouTube, said: Mapping[str, Any]) -> None:
    fake.fail(Fault.read(said["fault"]))


def _calm(fake: FakeYouTube, _said: Mapping[str, Any]) -> None:
    fake.faults.clear()


def _set(fake: FakeYouTube, said: Mapping[str, Any]) -> None:
    """Seconds of lag, processing, playing and of a session's life; a project's quota."""
    world = fake.world
    for name in ("lag", "processing_time", "session_life"):
        if name in said:
            setattr(world, name, timedelta(seconds=said[name]))
    world.seconds = said.get("seconds", world.seconds)
    for name, (inserts, units) in said.get("quotas", {}).items():
        project = fake.project(name)
        project.inserts, project.units = inserts, units


def _advance(fake: FakeYouTube, said: Mapping[str, Any]) -> None:
    assert isinstance(fake.clock, LaterClock)
    fake.clock.ahead += timedelta(seconds=said["seconds"])


def _ledger(fake: FakeYouTube, said: Mapping[str, Any]) -> list[dict[str, Any]]:
    return fake.ledger.as_json(said["since"])


def _state(fake: FakeYouTube, said: Mapping[str, Any]) -> dict[str, Any]:
    def of(every: Mapping[str, Any]) -> list[Any]:
        return [each for each in every.values() if said["channel"] in (None, each.channel)]

    world = fake.world
    return {
        "videos": [each.as_json() for each in of(world.videos)],
        "playlists": {
            each.id: [entry[1] for entry in each.entries] for each in of(world.playlists)
        },
        "sessions": {
            each.id: {"kept": each.content.size, "size": each.size, "video": each.video}
            for each in of(world.sessions)
        },
    }


_ORDERS: Mapping[str, Any] = {
    "channel": _channel,
    "grant": _grant,
    "fail": _fail,
    "calm": _calm,
    "set": _set,
    "advance": _advance,
    "ledger": _ledger,
    "state": _state,
}


class Remote:
    """A served fake, wherever it runs; `root_url` is what a publisher takes."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.root_url = f"http://{HOST}:{port}"

    def add_channel(self, title: str = "Lectures") -> tuple[str, str]:
        """A channel and a playlist of its own."""
        made = self._ask("channel", title=title)
        return made["channel"], made["playlist"]

    def add_grant(
        self, channel: str, *, project: str = "100", lives: timedelta | None = None
    ) -> str:
        seconds = None if lives is None else lives.total_seconds()
        return str(self._ask("grant", channel=channel, project=project, lives=seconds))

    def fail(self, fault: Fault) -> None:
        self._ask("fail", fault=asdict(fault))

    def calm(self) -> None:
        """No more planned faults."""
        self._ask("calm")

    def set(self, **values: Any) -> None:
        """See `_set`."""
        self._ask("set", **values)

    def advance(self, by: timedelta) -> None:
        """Of a process of its own only."""
        self._ask("advance", seconds=by.total_seconds())

    def ledger(self, since: int = 0) -> list[dict[str, Any]]:
        """From an entry on; the last ones where it is negative."""
        found: list[dict[str, Any]] = self._ask("ledger", since=since)
        return found

    def state(self, channel: str | None = None) -> dict[str, Any]:
        """Videos, playlists and sessions of a channel, or of all."""
        found: dict[str, Any] = self._ask("state", channel=channel)
        return found

    def _ask(self, what: str, **values: Any) -> Any:
        document = {**values, "do": what}
        answer = httpx.post(f"{self.root_url}{CONTROL}", json=document, timeout=60)
        return answer.raise_for_status().json()


def _open(fake: FakeYouTube, port: int) -> _Server:
    server = _Server((HOST, port), _Handler)
    server.fake = fake
    fake.root_url = f"http://{HOST}:{server.server_port}"
    return server


@contextmanager
def serving(fake: FakeYouTube, port: int = 0) -> Iterator[Remote]:
    """The fake in threads of this process, until the block ends."""
    server = _open(fake, port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Remote(server.server_port)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def process() -> Iterator[Remote]:
    """An empty fake as a process of its own, until the block ends."""
    command = [sys.executable, "-m", "tests.support.youtube.serve", "0"]
    # What ends this process's group leaves the fake to this process.
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert child.stdout is not None
        line = child.stdout.readline().split()
        if line[:1] != ["ready"]:
            msg = f"the fake did not start: {line}"
            raise RuntimeError(msg)
        yield Remote(int(line[1]))
    finally:
        child.kill()  # SIGTERM may be ignored where SIGINT is, as in a background job
        child.wait(timeout=30)
        if child.stdout is not None:
            child.stdout.close()


def main() -> None:
    server = _open(FakeYouTube(LaterClock()), int(sys.argv[1]))
    print(f"ready {server.server_port}", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
