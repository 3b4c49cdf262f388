"""What goes wrong on purpose: which requests it hits, how often, and how."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Literal

import httpx

Form = Literal["seconds", "http", "iso", "reset"]
LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign In - Zoom</title></head><body></body></html>"


@dataclass
class Fault:
    """Hits requests of the routes `on` (all if empty) that `when` takes: lets `after` of them
    through, then hits `times` (None = always).

    `answer` replaces the answer; `raises` is raised in its stead, `lost` after the server did its
    work; `cut_at` ends the body after so many of its bytes, `rate` slows it to bytes a second,
    `delay` waits before the answer, in seconds.
    """

    name: str
    on: tuple[str, ...] = ()
    after: int = 0
    times: int | None = 1
    when: Callable[[httpx.Request], bool] | None = None
    answer: Callable[[datetime], httpx.Response] | None = None
    raises: type[httpx.TransportError] | None = None
    lost: bool = False
    cut_at: int | None = None
    rate: float | None = None
    delay: float = 0.0
    hits: int = 0

    def takes(self, route: str, request: httpx.Request) -> bool:
        if self.on and route not in self.on:
            return False
        return self.when is None or self.when(request)


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

    def hitting(self, route: str, request: httpx.Request) -> Fault | None:
        with self._lock:
            for fault in self.planned:
                if not fault.takes(route, request):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                elif fault.times is None or fault.times > 0:
                    fault.times = None if fault.times is None else fault.times - 1
                    fault.hits += 1
                    return fault
        return None


def retry_after(form: Form, until: datetime, now: datetime) -> dict[str, str]:
    """The headers of a 429 in each of the forms that Zoom has used."""
    if form == "seconds":
        return {"Retry-After": str(max(0, round((until - now).total_seconds())))}
    if form == "http":
        return {"Retry-After": format_datetime(until, usegmt=True)}
    if form == "iso":
        return {
            "Retry-After": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "X-RateLimit-Type": "Daily-limit",
            "X-RateLimit-Remaining": "0",
        }
    return {
        "X-RateLimit-Type": "QPS",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(round(until.timestamp())),
    }


def storm(
    *on: str, form: Form = "seconds", wait: float = 2.0, times: int | None = 1, after: int = 0
) -> Fault:
    """429 with a time to come back in one of the forms."""

    def answer(now: datetime) -> httpx.Response:
        body = {"code": 429, "message": "You have reached the maximum rate limit for this API."}
        headers = retry_after(form, now + timedelta(seconds=wait), now)
        return httpx.Response(429, json=body, headers=headers)

    return Fault(f"429 {form}", on, after, times, answer=answer)


def server_error(*on: str, status: int = 503, times: int | None = 1, after: int = 0) -> Fault:
    def answer(_now: datetime) -> httpx.Response:
        return httpx.Response(status, text="upstream connect error")

    return Fault(str(status), on, after, times, answer=answer)


def login_page(*on: str, times: int | None = 1, after: int = 0) -> Fault:
    """200 with HTML where a file or JSON should be."""

    def answer(_now: datetime) -> httpx.Response:
        headers = {"Content-Type": "text/html; charset=utf-8"}
        return httpx.Response(200, content=LOGIN_PAGE, headers=headers)

    return Fault("login page", on, after, times, answer=answer)


def refusal(*on: str, status: int, times: int | None = 1, after: int = 0, code: int = 0) -> Fault:
    """Any other status, with Zoom's kind of body."""

    def answer(_now: datetime) -> httpx.Response:
        return httpx.Response(status, json={"code": code or status, "message": "Planned."})

    return Fault(f"refusal {status}", on, after, times, answer=answer)


def unreachable(*on: str, times: int | None = 1, after: int = 0) -> Fault:
    """No connection at all."""
    return Fault("unreachable", on, after, times, raises=httpx.ConnectError)


def lost(*on: str, times: int | None = 1, after: int = 0) -> Fault:
    """The server does its work, and the answer never arrives."""
    return Fault("lost", on, after, times, raises=httpx.ReadError, lost=True)


def cut(*on: str, at: int, times: int | None = 1, after: int = 0) -> Fault:
    """The connection ends after `at` bytes of the body."""
    return Fault("cut", on or ("cdn",), after, times, cut_at=at)


def slow(*on: str, rate: float, times: int | None = None, after: int = 0) -> Fault:
    """`rate` bytes a second."""
    return Fault("slow", on or ("cdn",), after, times, rate=rate)
