"""The recordings page at the server: reruns, many sessions that refresh by themselves, memory.

    python -m benchmarks.console [--recordings 1000000] [--sessions 50] [--seconds 60] [--home DIR]

A console of its own over an embedded server that `benchmarks.scale` fills: a tenth of the rows
belongs to the largest user, who is looked at. Clients speak Streamlit's own protocol over real
websockets: what is timed is from the message that asks for a rerun to the one that says it is
over. With Chromium installed, a browser tells when it has painted first and when the list stands,
with an empty cache and with a warm one. A home that was filled before is used again. Prints JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.scale import fill
from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.urls import connect as connect_database
from leap_pipeline.security.keys import ensure_keys
from leap_pipeline.security.passwords import hash_password
from leap_pipeline.settings import CHECKOUT, Settings
from tests.support.browsers import CHROMIUM, browser, look
from tests.support.supervised import free_port

PASSWORD = "correct horse battery"
LARGEST = "user1@example.org"
START_SECONDS = 60
WARM = 3
MOST_RERUN_MS, MOST_PAINT_MS, MOST_SHARED_MS, MOST_MB_A_SESSION = 300, 2000, 1000, 2.0
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0].startTime"


@dataclass
class Client:
    """One browser tab, without the browser."""

    socket: ClientConnection
    fragment: str = ""
    interval: float = 0.0
    page: str = ""
    bytes: int = 0
    took: list[float] = field(default_factory=list)

    async def rerun(self, *, fragment: bool = False) -> float:
        """Ask for a rerun and read until it is over; seconds."""
        asked = BackMsg()
        asked.rerun_script.query_string = ""
        asked.rerun_script.page_script_hash = self.page
        if fragment:
            asked.rerun_script.fragment_id = self.fragment
            asked.rerun_script.is_auto_rerun = True
        began = time.perf_counter()
        await self.socket.send(asked.SerializeToString())
        while True:
            answer = await asyncio.wait_for(self.socket.recv(decode=False), 60)
            self.bytes += len(answer)
            message = ForwardMsg.FromString(answer)
            self._note(message)
            if message.WhichOneof("type") == "script_finished":
                return time.perf_counter() - began

    def _note(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self.page = message.new_session.page_script_hash
        elif kind == "auto_rerun":
            self.fragment = message.auto_rerun.fragment_id
            self.interval = message.auto_rerun.interval


def login(url: str, email: str) -> str:
    """A session's cookie, as the header has it."""
    answer = httpx.post(
        f"{url}/login", data={"email": email, "password": PASSWORD}, headers={"Origin": url}
    )
    assert answer.status_code == 303, answer.text
    return "; ".join(f"{name}={text}" for name, text in answer.cookies.items())


async def opened(url: str, cookie: str) -> Client:
    socket = await connect(
        f"{url.replace('http', 'ws', 1)}/_stcore/stream",
        subprotocols=["streamlit"],  # type: ignore[list-item]
        additional_headers={"Cookie": cookie},
        origin=url,  # type: ignore[arg-type]
        max_size=None,
    )
    return Client(socket)


async def alone(url: str, reruns: int) -> dict[str, Any]:
    """One person: whole reruns, and the list alone as it refreshes by itself."""
    client = await opened(url, login(url, LARGEST))
    first = await client.rerun()
    for _ in range(WARM):
        await client.rerun()
    sent = client.bytes
    whole = [await client.rerun() for _ in range(reruns)]
    a_rerun = (client.bytes - sent) // reruns
    part = [await client.rerun(fragment=True) for _ in range(reruns)]
    await client.socket.close()
    return {
        "first_ms": round(first * 1000),
        "rerun_ms": _told(whole),
        "refresh_ms": _told(part),
        "bytes_a_rerun": a_rerun,
    }


def painted(url: str, times: int) -> dict[str, Any]:
    """A browser that opens the page: first paint, and the list's first row, since it navigated."""
    told: dict[str, Any] = {}
    with browser() as chromium:
        seen: dict[str, list[float]] = {"first_paint": [], "list": []}
        warm: dict[str, list[float]] = {"first_paint": [], "list": []}
        for _ in range(times):
            with look(chromium, url) as found:
                name, _, text = login(url, LARGEST).partition("=")
                found.page.context.add_cookies([{"name": name, "value": text, "url": url}])
                for notes in (seen, warm):
                    found.page.goto(url)
                    found.page.wait_for_selector("[data-testid=stDataFrame] canvas")
                    notes["list"].append(found.page.evaluate("performance.now()") / 1000)
                    notes["first_paint"].append(found.page.evaluate(PAINTED) / 1000)
    for cache, notes in (("empty_cache", seen), ("warm_cache", warm)):
        told[cache] = {f"{what}_ms": _told(took) for what, took in notes.items()}
    return told


async def together(url: str, sessions: int, seconds: float, server: psutil.Process) -> Any:
    """Many people whose lists refresh by themselves, out of step as they came."""
    before = _memory(server)
    cookies = [login(url, f"user{1 + number % 40}@example.org") for number in range(sessions)]
    clients = [await opened(url, cookie) for cookie in cookies]
    for client in clients:
        await client.rerun()
    held = _memory(server)
    end = time.monotonic() + seconds

    async def live(client: Client, late: float) -> None:
        await asyncio.sleep(late)
        while time.monotonic() < end:
            client.took.append(await client.rerun(fragment=True))
            await asyncio.sleep(max(0.0, client.interval - client.took[-1]))

    cpu = sum(server.cpu_times()[:2])
    late = [5 * number / sessions for number in range(sessions)]
    await asyncio.gather(*(live(each, by) for each, by in zip(clients, late, strict=True)))
    spent = sum(server.cpu_times()[:2]) - cpu
    for client in clients:
        await client.socket.close()
    took = [each for client in clients for each in client.took]
    return {
        "sessions": sessions,
        "refreshes": len(took),
        "refresh_ms": _told(took),
        "cpu_share": round(spent / seconds, 2),
        "megabytes_a_session": round((held - before) / sessions, 2),
    }


def _told(seconds: Sequence[float]) -> dict[str, float]:
    ranked = sorted(seconds)
    return {
        "p50": round(statistics.median(ranked) * 1000, 1),
        "p95": round(ranked[int(len(ranked) * 0.95)] * 1000, 1),
        "max": round(ranked[-1] * 1000, 1),
    }


def _memory(server: psutil.Process) -> float:
    return float(server.memory_full_info().uss) / 1e6


def filled(home: Path, recordings: int) -> Settings:
    """A home whose database has so many recordings; what is there already stays."""
    settings = Settings(home=home)
    home.mkdir(parents=True, exist_ok=True)
    urls = prepare(settings)
    ensure_keys(settings)
    with connect_database(urls.migration) as connection:
        connection.autocommit = True
        row = connection.execute("SELECT count(*) FROM users").fetchone()
        if row is not None and row[0] == 0:
            fill(connection, recordings)
        hashed = hash_password(PASSWORD)
        connection.execute("UPDATE users SET hashed_password = %s WHERE user_slug <= 60", (hashed,))
    return settings


@contextmanager
def console(settings: Settings) -> Iterator[tuple[str, psutil.Process]]:
    """The console's server alone; its address and process."""
    port = free_port()
    url = f"http://localhost:{port}"
    command = [sys.executable, "-m", "uvicorn", "--factory", "dashboard.asgi:make_app"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning"]
    environment = os.environ | {
        "LEAP_HOME": str(settings.home),
        "LEAP_PUBLIC_URL": url,
        "PYTHONPATH": str(CHECKOUT),
    }
    log = settings.home / "console-bench.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=CHECKOUT, env=environment, stdout=out, stderr=out) as child,
    ):
        try:
            _wait(url)
            yield url, psutil.Process(child.pid)
        finally:
            child.kill()


def _wait(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/health/ready", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.3)
    msg = "The console did not start."
    raise RuntimeError(msg)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=1_000_000)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--reruns", type=int, default=40)
    parser.add_argument("--paints", type=int, default=10)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leap-console-") as folder:
        home = given.home or Path(folder) / "home"
        Path(folder).chmod(0o711)
        settings = filled(home, given.recordings)
        with console(settings) as (url, server):
            one = asyncio.run(alone(url, given.reruns))
            browsed = painted(url, given.paints) if CHROMIUM is not None else None
            many = asyncio.run(together(url, given.sessions, given.seconds, server))
    passed = {
        "rerun": one["rerun_ms"]["p95"] < MOST_RERUN_MS,
        "together": many["refresh_ms"]["p95"] < MOST_SHARED_MS,
        "memory": many["megabytes_a_session"] < MOST_MB_A_SESSION,
    }
    if browsed is not None:
        passed["paint"] = browsed["empty_cache"]["first_paint_ms"]["p95"] < MOST_PAINT_MS
    told = {
        "recordings": given.recordings,
        "alone": one,
        "browser": browsed or "Chromium is not installed",
        "together": many,
        "passed": passed,
    }
    sys.stdout.write(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
