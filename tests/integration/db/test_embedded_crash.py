"""`kill -9` of the server and of whoever makes it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable

import pytest

from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.postmaster import read_pid_file
from leap_pipeline.db.server_folder import ServerFolder
from leap_pipeline.db.urls import connect, embedded_url
from leap_pipeline.processes import is_alive
from leap_pipeline.settings import Settings
from tests.support.homes import start_child, wait_for


def kill_server(server: EmbeddedServer) -> int:
    pid = server.status().pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(pid), seconds=5, what="the server's end")
    return pid


def test_committed_rows_survive_kill_9_of_the_server(made_home: Settings) -> None:
    server = EmbeddedServer(made_home)
    with connect(embedded_url(server.ensure_running())) as connection:
        connection.execute("CREATE TABLE kept (n int)")
    for number in range(3):
        with connect(embedded_url(server.ensure_running())) as connection:
            connection.execute("INSERT INTO kept VALUES (%s)", [number])
        killed = kill_server(server)
        assert not server.status().running
        server.ensure_running()
        assert server.status().pid != killed
    with connect(embedded_url(server.ensure_running())) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (3,)
        connection.execute("DROP TABLE kept")


def test_a_stale_pid_that_is_somebody_else_now_does_not_block_it(made_home: Settings) -> None:
    server = EmbeddedServer(made_home)
    server.ensure_running()
    account = server.folder.account
    pid_file = server.folder.data / "postmaster.pid"
    kill_server(server)
    # As after a reboot: the id belongs to another program of the same account.
    with subprocess.Popen(["sleep", "60"], user=account.uid if account else None) as other:
        try:
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
            server.ensure_running()
            assert server.status().running
            assert other.poll() is None
        finally:
            other.kill()


def initdb_has_begun(folder: ServerFolder) -> bool:
    return (folder.root / "data.partial" / "data" / "PG_VERSION").exists()


def server_is_up(folder: ServerFolder) -> bool:
    found = read_pid_file(folder.data)
    return found is not None and found.is_ready


@pytest.mark.parametrize("moment", [initdb_has_begun, server_is_up])
def test_kill_9_during_the_first_start_leaves_nothing_half_made(
    own_home: Settings, moment: Callable[[ServerFolder], bool]
) -> None:
    server = EmbeddedServer(own_home)
    child = start_child(own_home)
    wait_for(lambda: moment(server.folder), seconds=30, what=moment.__name__)
    child.kill()
    child.communicate()
    assert not server.folder.record.exists(), "killed too late to show anything"
    with connect(embedded_url(server.ensure_running())) as connection:
        connection.execute("CREATE TABLE works (n int)")
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    left = {path.name for path in server.folder.root.iterdir()}
    assert left == {"data", "lock", "server.json", "server.log", "superuser"}
