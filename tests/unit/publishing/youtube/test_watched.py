"""Work that is watched from another thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from leap_pipeline.publishing.youtube.watched import TICK_SECONDS, Watched


class Stop(Exception):
    pass


def test_progress_is_heard_while_the_work_is_stuck() -> None:
    heard: list[float] = []
    enough = threading.Event()

    def progress(fraction: float) -> None:
        heard.append(fraction)
        if len(heard) == 3:
            enough.set()

    def work(passed: Callable[[int], None]) -> str:
        passed(25)
        assert enough.wait(10)
        return "done"

    began = time.monotonic()
    assert Watched[str](100, progress).run(work) == "done"
    assert heard == [0.0, 0.25, 0.25]
    assert time.monotonic() - began < 3 * TICK_SECONDS + 1


def test_what_progress_raises_ends_the_work() -> None:
    ended = threading.Event()

    def progress(fraction: float) -> None:
        if fraction:
            raise Stop

    watched = Watched[None](100, progress)

    def work(passed: Callable[[int], None]) -> None:
        try:
            passed(50)
            watched.sleep(60)
        finally:
            ended.set()

    began = time.monotonic()
    with pytest.raises(Stop):
        watched.run(work)
    assert ended.is_set()
    assert time.monotonic() - began < 5


def test_what_the_work_raises_goes_on() -> None:
    def work(passed: Callable[[int], None]) -> None:
        raise Stop

    with pytest.raises(Stop):
        Watched[None](1, lambda _fraction: None).run(work)
