"""Work in a thread of its own, so that whoever waits for it hears of it every half second."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from leap_pipeline.progress import ProgressCallback

TICK_SECONDS = 0.5
JOIN_SECONDS = 5.0
T = TypeVar("T")


class Stopped(Exception):
    """The work was told to stop; nobody reads its result."""


class Watched(Generic[T]):
    """Runs `work(passed)`, which tells `passed` how much of `size` is done as often as it can.

    What `progress` raises stops the work at its next `passed`, and goes on to the caller.
    """

    def __init__(self, size: int, progress: ProgressCallback) -> None:
        self._size = size
        self._progress = progress
        self._passed = 0
        self._stop = threading.Event()
        self._ended = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None

    def run(self, work: Callable[[Callable[[int], None]], T]) -> T:
        self._progress(self._fraction())
        thread = threading.Thread(target=self._work, args=(work,), name="upload", daemon=True)
        thread.start()
        try:
            while not self._ended.wait(TICK_SECONDS):
                self._progress(self._fraction())
        except BaseException:
            self._stop.set()
            self._ended.wait(JOIN_SECONDS)
            raise
        thread.join()
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value] # set where there is no error

    def sleep(self, seconds: float) -> None:
        """For the work: ends at once where it is to stop."""
        if self._stop.wait(seconds):
            raise Stopped

    def _fraction(self) -> float:
        return min(1.0, self._passed / max(1, self._size))

    def _work(self, work: Callable[[Callable[[int], None]], T]) -> None:
        try:
            self._result = work(self._note)
        except BaseException as error:  # noqa: BLE001 - goes on to whoever waits
            self._error = error
        finally:
            self._ended.set()

    def _note(self, passed: int) -> None:
        if self._stop.is_set():
            raise Stopped
        self._passed = passed
