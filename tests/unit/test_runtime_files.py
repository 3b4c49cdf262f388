"""Locks, private files and bounded logs."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from leap_pipeline.errors import TransientError
from leap_pipeline.runtime_files import bound_log, file_lock, write_private


def test_a_lock_excludes_until_it_is_left(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with (
        file_lock(path, timeout=1, what="The thing"),
        pytest.raises(TransientError, match=r"The thing is busy.*lock for 0 s"),
        file_lock(path, timeout=0.05, what="The thing"),
    ):
        pytest.fail("two hold it")
    with file_lock(path, timeout=0, what="The thing"):
        pass


def test_a_lock_stays_with_a_child_that_inherited_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with file_lock(path, timeout=1, what="The thing") as descriptor:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[descriptor]
        )
    with child:
        with (
            pytest.raises(TransientError),
            file_lock(path, timeout=0, what="The thing"),
        ):
            pytest.fail("two hold it")
        child.communicate(b"\n")
    with file_lock(path, timeout=1, what="The thing"):
        pass


def test_a_private_file_is_replaced_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for text in ("first", "second"):
        write_private(path, text)
        assert path.read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_log_is_bounded_under_its_writer(tmp_path: Path) -> None:
    path = tmp_path / "part.log"
    bound_log(path, 1000)
    with path.open("a") as writer:
        writer.write("x" * 1001)
        writer.flush()
        bound_log(path, 1000)
        writer.write("after")
    assert path.read_text() == "after"
    assert (tmp_path / "part.log.1").read_text() == "x" * 1001
    bound_log(path, 1000)
    assert path.read_text() == "after"
