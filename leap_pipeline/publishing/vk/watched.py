"""Sending in a thread of its own, so that the caller is told also while nothing moves."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from leap_pipeline.progress import ProgressCallback

T = TypeVar("T")
TICK_SECONDS = 0.25
LAST_SECONDS = 2.0
"""So long a sender that was stopped is waited for; one that awaits an answer ends by itself."""


class Stopped(Exception):
    """The caller's `progress` has raised: nothing more is sent."""


def watched(send: Callable[[ProgressCallback], T], progress: ProgressCallback) -> T:
    """What `send` gives; `progress` is called in this thread, at each of its pieces and in between.

    VK answers only when it has put the whole file away, and a write may block. What `progress`
    raises goes to the caller, and `send` gets Stopped at its next piece.
    """
    pieces: queue.Queue[float | None] = queue.Queue()
    told = threading.Semaphore(0)
    stop = threading.Event()
    outcome: Future[T] = Future()

    def tell(fraction: float) -> None:
        pieces.put(fraction)
        told.acquire()
        if stop.is_set():
            raise Stopped

    def run() -> None:
        try:
            outcome.set_result(send(tell))
        except BaseException as error:  # noqa: BLE001 - the caller raises it
            outcome.set_exception(error)
        finally:
            pieces.put(None)

    thread = threading.Thread(target=run, name="vk-upload", daemon=True)
    thread.start()
    fraction = 0.0
    try:
        while True:
            try:
                piece = pieces.get(timeout=TICK_SECONDS)
            except queue.Empty:
                progress(fraction)
                continue
            if piece is None:
                return outcome.result()
            fraction = piece
            progress(fraction)
            told.release()
    finally:
        stop.set()
        told.release()
        thread.join(LAST_SECONDS)
