"""Long calls are heard of, and an error of the listener stops them."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from leap_pipeline.speech.background import beating


class Stop(Exception):
    """What a stopped step raises."""


def test_the_beat_goes_on_during_a_long_call() -> None:
    beats: list[float] = []
    with beating(lambda: beats.append(time.monotonic())) as background:
        assert background.run(lambda: time.sleep(1.3)) is None
    assert len(beats) >= 3
    assert all(after - before < 1 for before, after in itertools.pairwise(beats))


def test_an_error_of_the_call_comes_out() -> None:
    def fail() -> None:
        raise TimeoutError

    with beating(lambda: None) as background, pytest.raises(TimeoutError):
        background.run(fail)


def test_an_error_of_the_beat_stops_it_and_leaves_no_thread() -> None:
    before = threading.active_count()
    calls: list[int] = []

    def beat() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Stop

    with pytest.raises(Stop), beating(beat) as background:
        background.run(lambda: time.sleep(0.8))
    assert threading.active_count() == before
