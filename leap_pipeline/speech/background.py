"""A step that takes long inside a library is still heard of, and can be stopped between calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Result = TypeVar("Result")

BEAT_SECONDS = 0.5


class Beating:
    """Runs calls one by one in a thread of their own; `beat` is called twice a second meanwhile.

    `beat` may raise: the error comes out of `run` once the call that is under way has ended.
    """

    def __init__(self, executor: ThreadPoolExecutor, beat: Callable[[], None]) -> None:
        self._executor = executor
        self._beat = beat

    def run(self, call: Callable[[], Result]) -> Result:
        future = self._executor.submit(call)
        while True:
            self._beat()
            try:
                return future.result(timeout=BEAT_SECONDS)
            except TimeoutError:
                if future.done():  # the call's own time-out, not ours
                    raise


@contextmanager
def beating(beat: Callable[[], None]) -> Iterator[Beating]:
    """The thread ends with the block, after the call that is under way."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="speech") as executor:
        yield Beating(executor, beat)
