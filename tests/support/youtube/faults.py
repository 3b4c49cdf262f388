"""What goes wrong on purpose: which requests it hits, how often, and how. Plain data, so that it
can be planned in another process.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Literal

from tests.support.youtube.errors import Refused

Kind = Literal["cut", "lost", "less", "status", "gone", "gone_after", "slow", "early_loss"]


@dataclass
class Fault:
    """Hits the calls `on` (all if empty): lets `after` through, then hits `times` (None = always).

    `cut` ends the connection after `at` bytes of the request's body; `lost` and `gone_after` after
    the work is done, the latter with the session forgotten; `less` keeps `at` bytes of those that
    were sent; `status` refuses, of an upload after `at` bytes, which are kept; `gone` forgets the
    session; `slow` waits `delay` seconds first; `early_loss` never does the work.
    """

    kind: Kind
    on: tuple[str, ...] = ()
    after: int = 0
    times: int | None = 1
    at: int = 0
    status: int = 503
    reason: str = "backendError"
    retry_after: int | None = None
    delay: float = 0.0
    hits: int = 0

    def refusal(self) -> Refused:
        after = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return Refused(self.status, self.reason, "Planned.", headers=after)

    @classmethod
    def read(cls, document: dict[str, Any]) -> Fault:
        return cls(**{**document, "on": tuple(document.get("on", ()))})


@dataclass
class Faults:
    """The planned faults; the first that takes a request hits it."""

    planned: list[Fault] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self.planned.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self.planned.clear()

    def hitting(self, call: str) -> Fault | None:
        with self._lock:
            for fault in self.planned:
                if fault.on and call not in fault.on:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                elif fault.times is None or fault.times > 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    fault.hits += 1
                    return fault
        return None


def cut(at: int, *, after: int = 0, times: int | None = 1, on: str = "session.put") -> Fault:
    return Fault("cut", (on,), after, times, at=at)


def lost(*on: str, after: int = 0, times: int | None = 1) -> Fault:
    """The work is done, and the answer never arrives."""
    return Fault("lost", on, after, times)


def less(at: int, *, after: int = 0, times: int | None = 1) -> Fault:
    return Fault("less", ("session.put",), after, times, at=at)


def refusal(
    *on: str,
    status: int,
    reason: str = "backendError",
    at: int = 0,
    after: int = 0,
    times: int | None = 1,
    retry_after: int | None = None,
) -> Fault:
    return Fault("status", on, after, times, at, status, reason, retry_after)


def gone(*on: str, after: int = 0) -> Fault:
    """The session is forgotten before it does anything."""
    return Fault("gone", on or ("session.put", "session.probe"), after)


def gone_after(*, after: int = 0) -> Fault:
    """The video is made, its session forgotten, and the answer lost."""
    return Fault("gone_after", ("session.put",), after)


def slow(*on: str, delay: float, times: int | None = 1) -> Fault:
    return Fault("slow", on, 0, times, delay=delay)
