"""What goes wrong on purpose: which requests it hits, how often, and how."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.vk.errors import error


class Broken(Exception):
    """The connection ends here; `error` is how httpx sees it."""

    def __init__(self, error: type[httpx.TransportError]) -> None:
        super().__init__(error.__name__)
        self.error = error


@dataclass
class Fault:
    """Hits requests of the routes `on` (all if empty): lets `after` of them through, then hits
    `times` (None = always).

    `status` and `body` replace the answer; `unreachable`: nothing arrives; `lost`: all is done, and
    no answer comes; `cut_at` ends the connection after so many bytes of the request's body; `rate`
    reads no more bytes a second than that; `delay` waits before the answer, in seconds.
    """

    name: str
    on: tuple[str, ...] = ()
    after: int = 0
    times: int | None = 1
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    unreachable: bool = False
    lost: bool = False
    cut_at: int | None = None
    rate: float | None = None
    delay: float = 0.0
    hits: int = 0


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

    def hitting(self, route: str) -> Fault | None:
        with self._lock:
            for fault in self.planned:
                if fault.on and route not in fault.on:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                elif fault.times is None or fault.times > 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    fault.hits += 1
                    return fault
        return None


def refusal(*on: str, code: int, times: int | None = 1, subcode: int | None = None) -> Fault:
    """A code of VK's with HTTP 200."""
    body = error(code, subcode=subcode)
    return Fault(f"code {code}", on, times=times, status=200, body=body)


def server_error(*on: str, status: int = 503, times: int | None = 1) -> Fault:
    return Fault(str(status), on, times=times, status=status, body="upstream connect error")


def upload_error(words: str, code: int, *, status: int = 200, times: int | None = 1) -> Fault:
    """The upload server's own kind of refusal."""
    body = {"error": words, "error_code": code}
    return Fault(f"upload {code}", ("upload",), times=times, status=status, body=body)


def too_many(*on: str, seconds: int, times: int | None = 1) -> Fault:
    headers = {"Retry-After": str(seconds)}
    return Fault("429", on, times=times, status=429, body={}, headers=headers)


def unreachable(*on: str, times: int | None = 1, after: int = 0) -> Fault:
    return Fault("unreachable", on, after, times, unreachable=True)


def lost(*on: str, times: int | None = 1, after: int = 0) -> Fault:
    """VK does its work, and the answer never arrives."""
    return Fault("lost", on, after, times, lost=True)


def cut(at: int, *on: str, times: int | None = 1, after: int = 0) -> Fault:
    """The connection ends after `at` bytes of what is sent."""
    return Fault("cut", on or ("upload",), after, times, cut_at=at)


def slow(rate: float, *on: str, times: int | None = 1) -> Fault:
    """`rate` bytes a second are read."""
    return Fault("slow", on or ("upload",), times=times, rate=rate)
