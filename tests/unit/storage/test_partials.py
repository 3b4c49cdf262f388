"""Unfinished files: who may write them, and what is left of them after any death."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from leap_pipeline.domain.byte_ranges import ByteRanges
from leap_pipeline.domain.file_versions import FileVersion
from leap_pipeline.storage import partials
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.partials import PARTIALS, Partial, partial, sweep_partials

VERSION = FileVersion(10, '"a"')
NAME = "7-raw"


class _Stopped(Exception):
    pass


def begun(root: Path, data: bytes = b"abcd", version: FileVersion = VERSION) -> None:
    """A slot with some bytes, left by a worker that was stopped."""
    with suppress(_Stopped), partial(root, NAME) as found:
        put(found, data, version)
        raise _Stopped


def put(found: Partial, data: bytes, version: FileVersion = VERSION) -> None:
    file = found.begin(version)
    found.write(file, 0, data)
    found.done.add(0, len(data))
    found.note()


def test_what_came_is_there_for_the_next_worker(tmp_path: Path) -> None:
    begun(tmp_path)
    with suppress(_Stopped), partial(tmp_path, NAME) as found:
        assert (found.version, found.done) == (VERSION, ByteRanges([(0, 4)]))
        assert not found.complete
        found.write(found.open(), 4, b"efghij")
        found.done.add(4, 10)
        assert found.complete
        assert found.path.read_bytes() == b"abcdefghij"
        raise _Stopped
    with partial(tmp_path, NAME) as found:
        assert found.done.count == 4  # what nobody noted does not count


def test_a_block_that_ends_well_leaves_nothing(tmp_path: Path) -> None:
    with partial(tmp_path, NAME) as found:
        put(found, b"abcd")
    assert list((tmp_path / PARTIALS).iterdir()) == []


def test_another_version_is_another_file(tmp_path: Path) -> None:
    with partial(tmp_path, NAME) as found:
        old = found.begin(VERSION)
        first = found.path
        found.begin(FileVersion(10, '"b"'))
        found.write(old, 0, b"late")
        assert found.path != first
        assert not first.exists()
        assert found.path.read_bytes() == b""


@pytest.mark.parametrize(
    "state",
    ["", "{", "[]", "{}", '{"data": 1}', '{"data": "x", "version": {}, "done": [], "synced": []}'],
)
def test_a_state_that_cannot_be_read_counts_for_nothing(tmp_path: Path, state: str) -> None:
    begun(tmp_path)
    (path,) = (tmp_path / PARTIALS / NAME).glob("*/state.json")
    path.write_text(state)
    with partial(tmp_path, NAME) as found:
        assert (found.version, found.done.count) == (None, 0)
        put(found, b"abcd")


def test_after_a_power_cut_only_what_was_waited_for_counts(tmp_path: Path) -> None:
    with suppress(_Stopped), partial(tmp_path, NAME) as found:
        put(found, b"abcd")
        found.sync()
        found.done.add(4, 6)
        found.note()
        raise _Stopped
    (path,) = (tmp_path / PARTIALS / NAME).glob("*/state.json")
    state = json.loads(path.read_text())
    assert state["done"] == [[0, 6]]
    path.write_text(json.dumps({**state, "boot": "another life"}))
    with partial(tmp_path, NAME) as found:
        assert found.done == ByteRanges([(0, 4)])


def test_bytes_that_are_gone_do_not_count(tmp_path: Path) -> None:
    begun(tmp_path)
    (path,) = (tmp_path / PARTIALS / NAME).glob("*/*.part")
    path.unlink()
    with partial(tmp_path, NAME) as found:
        found.recover(tmp_path / "source.mp4")
        assert (found.version, found.done.count) == (None, 0)


def test_a_file_that_was_put_in_place_before_a_death_is_found_there(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    with suppress(_Stopped), storage.partial(NAME) as found:
        put(found, b"abcdefghij")
        storage.put(found.path, "users/source.mp4")
        raise _Stopped
    with storage.partial(NAME) as found:
        found.recover(storage.path("users/source.mp4"))
        assert found.complete
        assert found.path.read_bytes() == b"abcdefghij"
        storage.put(found.path, "users/source.mp4")
    assert storage.fetch("users/source.mp4").read_bytes() == b"abcdefghij"
    assert storage.partials() == []


def _freeze(root: Path, ready: Any) -> None:
    with partial(root, NAME) as found:
        put(found, b"abcd")
        ready.set()
        os.kill(os.getpid(), signal.SIGSTOP)
        found.write(found.open(), 4, b"XXXX")
        found.done.add(4, 8)
        found.note()
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_frozen_worker_and_its_successor_never_write_one_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    ready = context.Event()
    child = context.Process(target=_freeze, args=(tmp_path, ready))
    child.start()
    try:
        assert ready.wait(20)
        with suppress(_Stopped), partial(tmp_path, NAME) as found:
            assert (found.version, found.done.count) == (VERSION, 4)
            mine = found.path
            while psutil.Process(child.pid).status() != psutil.STATUS_STOPPED:
                time.sleep(0.01)
            os.kill(child.pid or 0, signal.SIGCONT)
            child.join(20)
            assert child.exitcode == -signal.SIGKILL
            assert mine.read_bytes() == b"abcd"
            assert sweep_partials(tmp_path, "7-", idle=3600) == []
            raise _Stopped
        with suppress(_Stopped), partial(tmp_path, NAME) as found:
            assert found.done.count == 8  # the richer one of the two, and the other is gone
            assert len(list((tmp_path / PARTIALS / NAME).iterdir())) == 1
            raise _Stopped
    finally:
        if child.is_alive():
            child.kill()
        child.join()


def test_sweeping_spares_what_is_held_or_fresh(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    begun(tmp_path)
    with partial(tmp_path, "8-raw") as held:
        put(held, b"abcd")
        assert storage.partials() == ["7-raw", "8-raw"]
        assert storage.sweep_partials("", idle=3600) == []
        assert storage.sweep_partials("") == ["7-raw"]
        assert held.path.read_bytes() == b"abcd"
    assert storage.partials() == []


def test_a_slot_that_is_removed_while_it_is_opened_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(tmp_path)
    (slot,) = (tmp_path / PARTIALS / NAME).iterdir()
    lock = os.open(slot / "lock", os.O_RDWR)
    sweep_partials(tmp_path, "7-")
    assert partials._try_hold(slot) is None
    os.close(lock)
    with partial(tmp_path, NAME) as found:
        assert found.version is None
