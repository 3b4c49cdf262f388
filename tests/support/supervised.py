"""A supervisor in a process of its own, with parts that are small Python programs."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from leap_pipeline.processes import group_members
from leap_pipeline.settings import Settings
from leap_pipeline.supervisor.status import PartStatus, read_status
from tests.support.homes import wait_for

MAIN = """
import json, sys
from leap_pipeline.settings import load_settings
from leap_pipeline.supervisor.parts import Part
from leap_pipeline.supervisor.supervisor import Supervisor
parts = [Part(**part) for part in json.loads(sys.argv[1])]
Supervisor(load_settings(), parts, say=lambda line: print(line, flush=True)).run()
"""
SLEEPER = "import time; print('here', flush=True); time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
    " time.sleep(600)"
)
PARENT = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time;"
    " time.sleep(600)']); print('parent', flush=True); time.sleep(600)"
)
WEB = (
    "import http.server, sys; http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])),"
    " http.server.SimpleHTTPRequestHandler).serve_forever()"
)


def program(name: str, code: str, *arguments: str, **more: object) -> dict[str, object]:
    return {"name": name, "argv": [sys.executable, "-c", code, *arguments], **more}


class Supervised:
    """A supervisor's process, what it said, and the process groups seen so far."""

    def __init__(self, settings: Settings, process: subprocess.Popen[str], said: Path) -> None:
        self.settings = settings
        self.process = process
        self._said = said
        self.groups: set[int] = set()

    @property
    def said(self) -> str:
        return self._said.read_text()

    def part(self, name: str) -> PartStatus | None:
        for part in read_status(self.settings).parts:
            if part.pid is not None:
                self.groups.add(part.pid)
            if part.name == name:
                return part
        return None

    def await_healthy(self, *names: str, restarts: int = 0) -> None:
        def all_healthy() -> bool:
            parts = [self.part(name) for name in names]
            return all(part and part.healthy and part.restarts >= restarts for part in parts)

        wait_for(all_healthy, seconds=30, what=f"{names} healthy: {self.said}")

    def log(self, name: str) -> str:
        return (self.settings.home / "logs" / f"{name}.log").read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def living(self) -> set[int]:
        return {group for group in self.groups if group_members(group)}


@contextmanager
def supervised(
    settings: Settings, *parts: Mapping[str, object], env: Mapping[str, str] | None = None
) -> Iterator[Supervised]:
    """Start it; at the end kill it and everything it started."""
    settings.home.mkdir(parents=True, exist_ok=True)
    said = settings.home / "said.txt"
    environment = {"PATH": os.defpath, "LEAP_HOME": str(settings.home), **(env or {})}
    if settings.database_url:
        environment["LEAP_DATABASE_URL"] = settings.database_url
    with (
        said.open("a") as output,
        subprocess.Popen(
            [sys.executable, "-c", MAIN, json.dumps(parts)],
            env=environment,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        running = Supervised(settings, process, said)
        try:
            yield running
        finally:
            process.kill()
            process.wait()
            for group in running.groups:
                _kill(group)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def with_free_ports(settings: Settings) -> Settings:
    """The same with ports that nobody listens on, for all of `leap up`."""
    names = ("dagster_port", "code_server_port", "automation_server_port", "console_port")
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in names]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        found = [probe.getsockname()[1] for probe in probes]
    return settings.model_copy(update=dict(zip(names, found, strict=True)))


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
