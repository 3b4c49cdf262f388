"""A real nginx in front of one folder, for faults that a server of ours would play too kindly."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10.0
CONFIG = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log {folder}/access.log combined;
    sendfile on;
    types {{ video/mp4 mp4; }}
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {http}
    server {{
        listen 127.0.0.1:{port} {listen};
        root {files};
        {server}
    }}
}}
"""


def binary() -> str | None:
    """Where nginx is; Debian has it where only root's path leads."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass
class Nginx:
    """`files` are served; `sent` are the bytes of all bodies so far."""

    folder: Path
    port: int
    child: subprocess.Popen[bytes] | None = None

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.port}/{name}"

    @property
    def requests(self) -> list[tuple[int, int]]:
        """(status, bytes of the body) of each answer that has ended."""
        lines = (self.folder / "access.log").read_text().splitlines()
        parts = [line.split('"')[2].split() for line in lines]
        return [(int(status), int(size)) for status, size in parts]

    @property
    def sent(self) -> int:
        return sum(size for status, size in self.requests if status in (200, 206))

    def start(self) -> None:
        command = [binary() or "nginx", "-p", str(self.folder), "-c", str(self.folder / "conf")]
        self.child = subprocess.Popen(
            [*command, "-e", str(self.folder / "error.log")], stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            if time.monotonic() > deadline or self.child.poll() is not None:
                msg = f"nginx does not start: {(self.folder / 'error.log').read_text()}"
                raise AssertionError(msg)
            time.sleep(0.02)

    def stop(self) -> None:
        """At once, with all its connections."""
        if self.child is not None:
            self.child.terminate()
            self.child.wait(PATIENCE)
            self.child = None

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


@contextmanager
def nginx(folder: Path, *, http: str = "", server: str = "", listen: str = "") -> Iterator[Nginx]:
    """Runs until the block ends; `http` and `server` are lines of those blocks of its config."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    found = Nginx(folder, port)
    found.files.mkdir(parents=True)
    text = CONFIG.format(
        user="user root;" if os.geteuid() == 0 else "",
        folder=folder,
        files=found.files,
        port=port,
        http=http,
        server=server,
        listen=listen,
    )
    (folder / "conf").write_text(text)
    found.start()
    try:
        yield found
    finally:
        found.stop()
