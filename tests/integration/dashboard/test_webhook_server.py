"""The webhook's addresses as a server of their own, over real sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from dashboard.routes import zoom_webhook
from dashboard.webhooks import make_app
from leap_pipeline.db.engine import Database
from leap_pipeline.settings import Settings
from tests.support.homes import wait_for
from tests.support.hooks import OWN_SECRET, completed, make_hooks, raw, signed

OWN = "/webhooks/zoom"
HEAD = (
    "POST /webhooks/zoom HTTP/1.1\r\nHost: leap\r\nContent-Length: 100\r\n"
    '{headers}\r\n\r\n{{"event"'
)


@contextmanager
def served(settings: Settings) -> Iterator[int]:
    """The application on a port of its own."""
    server = uvicorn.Server(uvicorn.Config(make_app(settings), port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started, seconds=30, what="The server")
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)


def begin(port: int) -> socket.socket:
    """A request whose body stops in the middle."""
    headers = "\r\n".join(f"{name}: {text}" for name, text in signed(OWN_SECRET, b"").items())
    made = socket.create_connection(("127.0.0.1", port), timeout=20)
    made.sendall(HEAD.format(headers=headers).encode())
    return made


def test_a_body_that_does_not_come_is_not_waited_for(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoom_webhook, "BODY_SECONDS", 0.3)
    hooks = make_hooks(database, settings)
    with served(hooks.settings) as port:
        for _ in range(3):
            begin(port).close()  # who goes away leaves nothing behind
        with begin(port) as slow:
            assert slow.recv(100).startswith(b"HTTP/1.1 408 ")
        body = raw(completed())
        answer = httpx.post(
            f"http://127.0.0.1:{port}{OWN}", content=body, headers=signed(OWN_SECRET, body)
        )
        assert answer.status_code == 200
    assert len(hooks.events()) == 1


def test_leap_webhooks_serves_them_alone(
    database: Database, settings: Settings, tmp_path: Path
) -> None:
    hooks = make_hooks(database, settings)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "log"
    environment = {
        "PATH": os.defpath,
        "LEAP_HOME": str(settings.home),
        "LEAP_DATABASE_URL": settings.database_url or "",
        "LEAP_ZOOM_WEBHOOK_SECRET": OWN_SECRET,
    }
    with log.open("wb") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "leap_pipeline", "webhooks", "--port", str(port)],
            env=environment,
            cwd=Path(__file__).parents[3],
            stdout=out,
            stderr=out,
        )
    try:
        url, body = f"http://127.0.0.1:{port}{OWN}", raw(completed())
        deadline = time.monotonic() + 60
        while True:
            try:
                answer = httpx.post(url, content=body, headers=signed(OWN_SECRET, body))
                break
            except httpx.ConnectError:
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
        assert answer.status_code == 200
        assert httpx.post(url, content=body, headers=signed("wrong", body)).status_code == 401
        server.send_signal(signal.SIGINT)
        server.wait(30)
    finally:
        server.kill()
        server.wait()
    assert len(hooks.events()) == 1
    said = log.read_text()
    assert "its signature is wrong" in said
    assert "canary" not in said
    assert "Traceback" not in said
