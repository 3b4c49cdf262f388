"""How long a login must wait after so many failures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True)
class Throttle:
    """`free` failures cost nothing; then each doubles the wait, from `first` up to `longest`.

    Failures count for the length of `window`.
    """

    free: int
    window: timedelta
    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=15)

    def wait(self, failures: int) -> timedelta:
        """The least time between the last failure and the next attempt."""
        beyond = failures - self.free
        if beyond < 0:
            return timedelta()
        doubled: timedelta = self.first * 2 ** min(beyond, 20)  # far beyond any longest wait
        return min(self.longest, doubled)


# About 110 guesses a day at one account, whoever makes them and from wherever.
ACCOUNT = Throttle(free=5, window=timedelta(days=1))
# An address may be a whole university's.
ADDRESS = Throttle(free=30, window=timedelta(hours=1))
# So long an account's own address is remembered after a login from it.
KNOWN_FOR = timedelta(days=30)
