"""`leap up` and `leap down` with small programs in place of Dagster."""

from __future__ import annotations

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.urls import connect, embedded_url
from leap_pipeline.errors import UserActionError
from leap_pipeline.processes import command_line, is_alive
from leap_pipeline.settings import Settings
from leap_pipeline.supervisor.parts import Part
from leap_pipeline.supervisor.status import DAEMON, daemon_alive, read_status
from leap_pipeline.supervisor.supervisor import Supervisor, stop
from tests.support.homes import home_settings, wait_for
from tests.support.supervised import (
    PARENT,
    SLEEPER,
    STUBBORN,
    WEB,
    free_port,
    program,
    supervised,
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home whose database is somebody else's: nothing embedded is started."""
    return Settings(home=tmp_path / "home", database_url="postgresql://127.0.0.1/elsewhere")


@pytest.fixture
def embedded_settings() -> Iterator[Settings]:
    with home_settings() as settings:
        yield settings


def test_shows_addresses_when_parts_are_well_and_ends_them_on_ctrl_c(settings: Settings) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    web = program("web", WEB, url.rsplit(":", 1)[1].strip("/"), url=url)
    with supervised(settings, web, program(DAEMON, SLEEPER)) as running:
        running.await_healthy("web", DAEMON)
        wait_for(lambda: "LEAP is up" in running.said, seconds=5, what="the welcome")
        assert f"web: {url}" in running.said
        with urllib.request.urlopen(url, timeout=5) as answer:
            assert answer.status == 200
        assert daemon_alive(settings)
        assert running.log(DAEMON) == "here\n"
        running.signal(signal.SIGINT)
        assert running.process.wait(timeout=15) == 0
        assert running.living() == set()
        assert not read_status(settings).running
        assert not daemon_alive(settings)
        assert running.said.endswith("LEAP is stopping.\nLEAP is stopped.\n")


def test_a_part_that_dies_is_started_again(settings: Settings) -> None:
    with supervised(settings, program("one", SLEEPER), program("two", SLEEPER)) as running:
        running.await_healthy("one", "two")
        before, other = running.part("one"), running.part("two")
        assert before is not None
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)
        running.await_healthy("one", restarts=1)
        after = running.part("one")
        assert after is not None
        assert (after.restarts, after.pid != before.pid) == (1, True)
        assert running.part("two") == other
        assert "one ended with signal 9; again in 0.5 s" in running.said


def test_a_part_that_keeps_dying_is_started_less_and_less_often(settings: Settings) -> None:
    with supervised(settings, program("hasty", "raise SystemExit(3)")) as running:
        wait_for(lambda: "again in 2 s" in running.said, seconds=20, what="the third death")
        delays = [line.split(" in ")[1].split(" s")[0] for line in running.said.splitlines()]
        assert delays[:3] == ["0.5", "1", "2"]
        assert "hasty ended with exit code 3" in running.said
        running.signal(signal.SIGTERM)
        assert running.process.wait(timeout=15) == 0


def test_a_part_that_cannot_be_started_is_said(settings: Settings) -> None:
    missing = {"name": "missing", "argv": ["/no/such/program"]}
    with supervised(settings, missing) as running:
        wait_for(lambda: "cannot be started" in running.said, seconds=10, what="the sentence")
        assert "(No such file or directory: /no/such/program)" in running.said


def test_a_part_ends_with_all_that_it_started(settings: Settings) -> None:
    with supervised(settings, program("parent", PARENT)) as running:
        running.await_healthy("parent")
        running.signal(signal.SIGTERM)
        assert running.process.wait(timeout=15) == 0
        assert running.living() == set()


def test_a_deaf_part_is_killed_when_asked_twice(settings: Settings) -> None:
    with supervised(settings, program("deaf", STUBBORN)) as running:
        running.await_healthy("deaf")
        running.signal(signal.SIGINT)
        wait_for(lambda: "stopping" in running.said, seconds=5, what="the first answer")
        begun = time.monotonic()
        running.signal(signal.SIGINT)
        assert running.process.wait(timeout=5) == 0
        assert time.monotonic() - begun < 5
        assert running.living() == set()


def test_kill_9_of_the_supervisor_leaves_no_orphans(settings: Settings) -> None:
    with supervised(settings, program("one", SLEEPER), program("parent", PARENT)) as running:
        running.await_healthy("one", "parent")
        running.process.kill()
        wait_for(lambda: not running.living(), seconds=15, what="the parts' end")
        assert not daemon_alive(settings)


def test_kill_9_of_supervisor_and_guard_is_cleaned_by_the_next_start(settings: Settings) -> None:
    with supervised(settings, program("one", PARENT)) as running:
        running.await_healthy("one")
        os.kill(guard_of(running.process.pid), signal.SIGKILL)
        running.process.kill()
        running.process.wait()
        time.sleep(0.5)
        left = running.living()
        assert left, "nothing is left to be cleaned"
        with supervised(settings, program("one", SLEEPER)) as again:
            again.await_healthy("one")
            assert running.living() == set()


def test_a_guard_that_was_killed_is_replaced(settings: Settings) -> None:
    with supervised(settings, program("one", SLEEPER)) as running:
        running.await_healthy("one")
        first = guard_of(running.process.pid)
        os.kill(first, signal.SIGKILL)
        wait_for(
            lambda: guard_of(running.process.pid) not in (0, first), seconds=5, what="a new guard"
        )
        running.process.kill()
        wait_for(lambda: not running.living(), seconds=15, what="the part's end")


def test_a_second_supervisor_of_the_home_is_refused(settings: Settings) -> None:
    with supervised(settings, program("one", SLEEPER)) as running:
        running.await_healthy("one")
        with pytest.raises(UserActionError, match="already runs in"):
            Supervisor(settings, []).run()
        assert read_status(settings).pid == running.process.pid


def test_a_taken_port_is_refused_before_anything_starts(settings: Settings) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        part = Part("web", ["unused"], url=f"http://127.0.0.1:{port}")
        with pytest.raises(UserActionError, match=rf"web cannot listen on 127\.0\.0\.1:{port}"):
            Supervisor(settings, [part]).run()


def test_stop_from_another_process(settings: Settings) -> None:
    assert not stop(settings)
    with supervised(settings, program("one", SLEEPER)) as running:
        running.await_healthy("one")
        assert stop(settings)
        assert running.process.wait(timeout=5) == 0
        assert running.living() == set()
    assert not stop(settings)


def test_a_part_gets_its_environment_on_top_of_the_inherited_one(settings: Settings) -> None:
    code = "import os, time; print(os.environ['A'], os.environ['B'], flush=True); time.sleep(600)"
    part = program("env", code, env={"B": "own"})
    with supervised(settings, part, env={"A": "inherited", "B": "hidden"}) as running:
        running.await_healthy("env")
        assert running.log("env") == "inherited own\n"


def test_the_database_is_watched_and_ends_with_the_rest(embedded_settings: Settings) -> None:
    server = EmbeddedServer(embedded_settings)
    with supervised(embedded_settings, program("one", SLEEPER)) as running:
        running.await_healthy("one")
        first = server.status().pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_for(
            lambda: server.status().running and server.status().pid != first,
            seconds=20,
            what="the database",
        )
        running.signal(signal.SIGINT)
        assert running.process.wait(timeout=20) == 0
        assert not server.status().running


def test_a_database_that_others_use_stays_until_it_is_told_to_go(
    embedded_settings: Settings,
) -> None:
    server = EmbeddedServer(embedded_settings)
    with (
        supervised(embedded_settings, program("one", SLEEPER)) as running,
        connect(embedded_url(server.ensure_running())) as user,
    ):
        running.await_healthy("one")
        running.signal(signal.SIGINT)
        assert running.process.wait(timeout=20) == 0
        assert "The database stays up" in running.said
        assert user.execute("SELECT 1").fetchone() == (1,)
        assert stop(embedded_settings)
        assert not server.status().running


def guard_of(supervisor: int) -> int:
    """The guard's process id; 0 while there is none."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    for child in map(int, children):
        if any("guard_process" in word for word in command_line(child)) and is_alive(child):
            return child
    return 0
