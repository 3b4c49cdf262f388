"""How many connections one download should use: one more only where it makes it faster."""

from __future__ import annotations

GAIN = 1.25
ROUNDS_LEFT = 3
"""What is nearly done is left as it is."""


class Pace:
    """Measures the throughput for a while, adds a connection, and keeps it if that helped."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._count = 1
        self._best = 0.0
        """Bytes a second with one connection less; 0.0 while there is only one."""
        self._settled = most <= 1
        self._since: tuple[float, int] | None = None

    def wanted(self, now: float, fetched: int, left: int | None, *, refused: bool) -> int:
        """The number of connections; `fetched` and `left` in bytes, `left` None while unknown."""
        if refused:
            self._count, self._settled = max(self._count - 1, 1), True
        if self._settled or left is None:
            return self._count
        if self._since is None:
            # What is still in the buffers when a connection begins is not its speed.
            self._since = (now + self._seconds / 4, fetched)
            return self._count
        began, before = self._since
        if now < began:
            self._since = (began, fetched)
        elif now - began >= self._seconds:
            self._decide((fetched - before) / (now - began), left)
            self._since = None
        return self._count

    def _decide(self, rate: float, left: int) -> None:
        if self._count > 1 and rate < self._best * GAIN:
            self._count, self._settled = self._count - 1, True
        elif self._count >= self._most:
            self._settled = True
        elif left > rate * self._seconds * ROUNDS_LEFT and rate > 0:
            self._best, self._count = rate, self._count + 1
