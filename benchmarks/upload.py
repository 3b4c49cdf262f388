"""A resumable upload to a server on this machine: memory, and speed beside `curl -T`.

    python -m benchmarks.upload [--gigabytes 2] [--repeat 3]

Needs curl. The file is a sparse one and the server throws away what comes, so that no disk counts.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from leap_pipeline.publishing.uploader import Upload, VideoFile
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from leap_pipeline.publishing.youtube.quota import QuotaCall

GIB = 2**30
HOST = "127.0.0.1"
MARKER = "0123456789abcdef0123"
MOST_MEMORY = 100 * 10**6
LEAST_SPEED = 0.8
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


class _Token:
    def get(self) -> SecretStr:
        return SecretStr("a-token-of-nobody")

    def renew(self, refused: SecretStr) -> SecretStr:
        return refused


class _NoQuota:
    def spend(self, call: QuotaCall) -> None:
        pass

    def refused(self, call: QuotaCall) -> datetime:  # noqa: ARG002 - the protocol's
        return datetime.now(UTC)


def serve() -> None:
    """Answers PUT as a session does, and any other with 201; one thread a connection."""
    with socket.create_server((HOST, 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=_connected, args=(connection,), daemon=True).start()


def _connected(connection: socket.socket) -> None:
    buffer = bytearray(2**20)
    with connection, suppress(OSError):
        while (begun := _head(connection)) is not None:
            head, rest = begun
            told = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
            }
            if told.get("expect", "").lower() == "100-continue":
                connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            left = int(told.get("content-length", "0")) - rest
            while left > 0:
                count = connection.recv_into(buffer, min(left, len(buffer)))
                if not count:
                    return
                left -= count
            connection.sendall(_answer(told.get("content-range", "")))


def _head(connection: socket.socket) -> tuple[str, int] | None:
    """The headers, and how many bytes of the body came with them."""
    found = b""
    while b"\r\n\r\n" not in found:
        block = connection.recv(65536)
        if not block:
            return None
        found += block
    head, _, body = found.partition(b"\r\n\r\n")
    return head.decode("latin-1"), len(body)


def _answer(content_range: str) -> bytes:
    found = _RANGE.fullmatch(content_range)
    if found is not None and int(found[2]) + 1 < int(found[3]):
        told = f"Range: bytes=0-{found[2]}\r\nContent-Length: 0"
        return f"HTTP/1.1 308 Resume Incomplete\r\n{told}\r\n\r\n".encode()
    body = b'{"id": "a-video"}'
    told = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
    return f"HTTP/1.1 201 Created\r\n{told}\r\n\r\n".encode() + body


@contextmanager
def server() -> Iterator[str]:
    """The server as a process of its own; its address."""
    command = [sys.executable, "-m", "benchmarks.upload", "--server"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        try:
            yield f"http://{HOST}:{int(child.stdout.readline())}/upload"
        finally:
            child.kill()


def child(path: Path, url: str) -> None:
    """One upload in this process, and what it took, as JSON."""
    size = path.stat().st_size
    session = {"uri": f"{url}?upload_id=1"}
    upload = Upload(MARKER, size, None, session, datetime.now(UTC))
    told: list[float] = []
    with httpx.Client() as http:
        publisher = YouTubePublisher(http, _Token(), _NoQuota())
        base, cpu = _resident(), time.process_time()
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")
        begun = time.monotonic()
        publisher.send(
            upload,
            VideoFile(path, size, "", 0.0),
            0,
            lambda _fraction: told.append(time.monotonic()),
            lambda: None,
        )
        seconds = time.monotonic() - begun
    gaps = [later - earlier for earlier, later in pairwise(told)]
    said = {
        "seconds": round(seconds, 3),
        "megabytes_a_second": round(size / seconds / 1e6, 1),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "base_megabytes": round(base / 1e6, 1),
        "peak_over_base_megabytes": round((_peak() - base) / 1e6, 1),
        "longest_gap_of_progress": round(max(gaps, default=0.0), 2),
    }
    sys.stdout.write(json.dumps(said))


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def run(path: Path, url: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.upload", "--child", str(path), url]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def curl(path: Path, url: str) -> float:
    """Seconds of the transfer, without the start of its process."""
    command = ["curl", "-sS", "-o", os.devnull, "-w", "%{time_total}", "-T", str(path), url]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--child", nargs=2, metavar=("FILE", "URL"))
    parser.add_argument("--server", action="store_true")
    given = parser.parse_args()
    if given.server:
        serve()
    elif given.child:
        child(Path(given.child[0]), given.child[1])
    else:
        compare(int(given.gigabytes * GIB), given.repeat)


def compare(size: int, repeat: int) -> None:
    """By turns, so that what else the machine does meets both."""
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="leap-bench-") as folder, server() as url:
        path = Path(folder) / "a.mp4"
        with path.open("wb") as file:
            file.truncate(size)
        for _ in range(repeat):
            theirs.append(curl(path, url))
            ours.append(run(path, url))
    ratio = statistics.median(theirs) / statistics.median(each["seconds"] for each in ours)
    memory = max(each["peak_over_base_megabytes"] for each in ours) * 10**6
    result = {
        "machine": {"cores": os.cpu_count(), "host": os.uname().machine},
        "bytes": size,
        "ours": ours,
        "curl_seconds": [round(each, 3) for each in theirs],
        "speed_beside_curl": round(ratio, 2),
        "passed": {"memory": memory < MOST_MEMORY, "speed": ratio >= LEAST_SPEED},
    }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
