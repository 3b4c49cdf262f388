"""Processes by their id."""

from __future__ import annotations

import os
import subprocess
import sys

from leap_pipeline.processes import began, command_line, exists, is_alive
from tests.support.homes import wait_for


def test_a_process_is_known_by_id_and_beginning() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        wait_for(lambda: "input()" in command_line(child.pid), seconds=5, what="the command")
        assert is_alive(child.pid)
        assert began(child.pid) is not None
        assert began(child.pid) == began(child.pid)
        assert began(child.pid) != began(os.getpid())
        child.communicate(b"\n")
    assert not exists(child.pid)
    assert not is_alive(child.pid)
    assert command_line(child.pid) == ()
    assert began(child.pid) is None


def test_a_zombie_exists_and_is_not_alive() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    wait_for(lambda: not is_alive(child.pid), seconds=10, what="its end")
    assert exists(child.pid)
    child.wait()
    assert not exists(child.pid)


def test_somebody_elses_process_is_alive() -> None:
    assert is_alive(1)
