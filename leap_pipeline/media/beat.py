"""Keeps a callback alive while something runs that cannot tell how far it is."""

from __future__ import annotations

import time

from leap_pipeline.progress import ProgressCallback

SECONDS = 0.5


class Beat:
    """`beat()` as often as you like: the callback gets `fraction` about twice a second."""

    def __init__(self, progress: ProgressCallback, fraction: float) -> None:
        self._progress, self._fraction = progress, fraction
        self._told = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._told >= SECONDS:
            self._told = time.monotonic()
            self._progress(self._fraction)
