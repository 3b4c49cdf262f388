"""A server of one file that misbehaves on order, and writes down what it was asked and sent."""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate

from pydantic import SecretStr

from leap_pipeline.sources.http_file_requests import Link

BLOCK = 16 * 1024
PATIENCE = 10.0


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one answer. Bytes count from the beginning of its body."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut_after: int | None = None
    reset: bool = False
    stall: float = 0.0
    """Seconds of silence after `cut_after` bytes, instead of a cut."""
    rate: float | None = None
    """Bytes a second."""
    ignore_range: bool = False
    change: bool = False
    """The file becomes another one before this answer."""


@dataclass
class Asked:
    """One request, and the bytes of the file that were sent for it."""

    path: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0

    @property
    def span(self) -> tuple[int, int] | None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", ""))
        return None if found is None else (int(found[1]), int(found[2]) + 1)


Plan = Callable[[Asked], Fault | None]


def content(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


class FileServer(socketserver.ThreadingTCPServer):
    """`plan` is asked about each request for the file; all of it may be changed at any time."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64
    block_on_close = False

    def __init__(self, body: bytes, *, host: str = "127.0.0.1", seed: int = 0) -> None:
        super().__init__((host, 0), _Handler)
        self.versions = [body]
        self.seed = seed
        self.etag = True
        self.weak = False
        self.modified: float | None = None
        self.ranges = True
        self.length = True
        self.token: str | None = None
        self.redirect: str | None = None
        self.rate: float | None = None
        self.plan: Plan = lambda asked: None
        self.asked: list[Asked] = []
        self.active = self.most_active = 0
        self.guard = threading.Lock()
        self.closing = threading.Event()

    @property
    def body(self) -> bytes:
        return self.versions[-1]

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/file"

    @property
    def sent(self) -> int:
        return sum(each.sent for each in self.asked)

    def change(self, size: int | None = None) -> None:
        with self.guard:
            seed = self.seed * 1000 + len(self.versions)
            self.versions.append(content(len(self.body) if size is None else size, seed))
            if self.modified is not None:
                self.modified += 60

    def validators(self, body: bytes) -> dict[str, str]:
        found = {"Date": formatdate(usegmt=True)}
        if self.etag:
            tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            found["ETag"] = f"W/{tag}" if self.weak else tag
        if self.modified is not None:
            found["Last-Modified"] = formatdate(self.modified, usegmt=True)
        return found


@contextlib.contextmanager
def file_server(body: bytes, *, seed: int = 0) -> Iterator[FileServer]:
    server = FileServer(body, seed=seed)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


@dataclass
class Tokens:
    """A `FileSource` that gives a new token each time; the server takes the newest alone."""

    server: FileServer
    given: int = 0
    identity: str = ""
    path: str = ""
    same: bool = False

    def fresh(self) -> Link:
        self.given += 0 if self.same and self.given else 1
        token = f"token-{self.given}-of-the-test"
        self.server.token = self.server.token and f"Bearer {token}"
        return Link(
            SecretStr(self.server.url + self.path),
            {"Authorization": SecretStr(f"Bearer {token}")},
            self.identity,
        )


class _Handler(socketserver.BaseRequestHandler):
    server: FileServer
    request: socket.socket

    def handle(self) -> None:
        self.request.settimeout(PATIENCE)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * BLOCK)
        waiting = b""
        with contextlib.suppress(OSError):
            while not self.server.closing.is_set():
                head, waiting = self._head(waiting)
                if head is None or not self._answer(head):
                    return

    def _head(self, waiting: bytes) -> tuple[Asked | None, bytes]:
        while b"\r\n\r\n" not in waiting:
            data = self.request.recv(65536)
            if not data:
                return None, b""
            waiting += data
        head, _, rest = waiting.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (each.partition(": ") for each in lines)
        }
        return Asked(first.split(" ")[1], headers), rest

    def _answer(self, asked: Asked) -> bool:
        """True where the connection can be used again."""
        server = self.server
        with server.guard:
            server.asked.append(asked)
            server.active += 1
            server.most_active = max(server.most_active, server.active)
        try:
            return self._answered(asked)
        finally:
            with server.guard:
                server.active -= 1

    def _answered(self, asked: Asked) -> bool:
        server = self.server
        if server.redirect is not None:
            return self._send(asked, 302, {"Location": server.redirect}, b"", None)
        if server.token is not None and asked.headers.get("authorization") != server.token:
            return self._send(asked, 401, {}, b"no", None)
        fault = server.plan(asked) or Fault()
        if fault.change:
            server.change()
        if fault.status is not None:
            return self._send(asked, fault.status, fault.headers, fault.body, None)
        body = server.body
        headers = {**server.validators(body), "Content-Type": "video/mp4", **fault.headers}
        span = asked.span if server.ranges and not fault.ignore_range else None
        condition = asked.headers.get("if-range")
        if span is not None and condition not in (
            None,
            headers.get("ETag"),
            headers.get("Last-Modified"),
        ):
            span = None
        if span is None:
            return self._send(asked, 200, headers, body, fault)
        if span[0] >= len(body):
            return self._send(asked, 416, {"Content-Range": f"bytes */{len(body)}"}, b"", None)
        stop = min(span[1], len(body))
        headers["Content-Range"] = f"bytes {span[0]}-{stop - 1}/{len(body)}"
        return self._send(asked, 206, {**headers, **fault.headers}, body[span[0] : stop], fault)

    def _send(
        self,
        asked: Asked,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        fault: Fault | None,
    ) -> bool:
        asked.status = status
        closes = not self.server.length and status == 200
        told = {} if closes else {"Content-Length": str(len(body))}
        told |= {"Connection": "close"} if closes else {}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**told, **headers}.items())
        self.request.sendall(f"HTTP/1.1 {status} Answer\r\n{lines}\r\n".encode("latin-1"))
        if fault is None:
            self.request.sendall(body)
            return True
        whole = self._send_file(asked, body, fault)
        return whole and not closes

    def _send_file(self, asked: Asked, body: bytes, fault: Fault) -> bool:
        stop = len(body) if fault.cut_after is None else min(fault.cut_after, len(body))
        rate, begun = fault.rate or self.server.rate, time.monotonic()
        block = BLOCK if rate is None else max(min(BLOCK, int(rate / 20)), 1)
        for at in range(0, stop, block):
            data = body[at : min(at + block, stop)]
            self.request.sendall(data)
            asked.sent += len(data)
            if rate is not None:
                ahead = (at + len(data)) / rate - (time.monotonic() - begun)
                self.server.closing.wait(max(ahead, 0.0))
        if stop == len(body):
            return True
        if fault.stall:
            self.server.closing.wait(fault.stall)
        elif fault.reset:
            linger = struct.pack("ii", 1, 0)
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False
