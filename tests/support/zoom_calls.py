"""A Zoom that answers what it is told, one answer a request, and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from pydantic import SecretStr

from leap_pipeline.errors import MustWaitError
from leap_pipeline.sources.zoom.client import ZoomClient
from leap_pipeline.sources.zoom.limits import Category
from tests.support.zoom.clock import Clock

API = "https://api.zoom.test/v2"
Answering = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


def meeting(uuid: str = "u1==", **changes: Any) -> dict[str, Any]:
    return {"uuid": uuid, "start_time": "2026-11-02T09:00:00Z", "recording_files": [], **changes}


def page(*uuids: str, token: str = "") -> httpx.Response:
    meetings = [meeting(uuid) for uuid in uuids]
    return httpx.Response(200, json={"meetings": meetings, "next_page_token": token})


def refused(status: int, code: int | None = None, message: str = "No.") -> httpx.Response:
    body = {"message": message} | ({"code": code} if code is not None else {})
    return httpx.Response(status, json=body)


class Script:
    """Answers in their order; one more request than that fails the test."""

    def __init__(self, *answers: Answering) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        assert self.answers, f"nobody expected {request.method} {request.url}"
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    def http(self) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self))

    @property
    def params(self) -> list[dict[str, str]]:
        return [dict(request.url.params) for request in self.requests]

    @property
    def tokens(self) -> list[str]:
        return [request.headers["authorization"] for request in self.requests]


@dataclass
class Tokens:
    """The first token, then the next one at each renewal; the refused ones are kept."""

    names: Iterable[str] = ("first", "second")
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._left = iter(self.names)
        self._now = SecretStr(next(self._left))

    def get(self) -> SecretStr:
        return self._now

    def renew(self, refused: SecretStr) -> SecretStr:
        self.refused.append(refused.get_secret_value())
        self._now = SecretStr(next(self._left))
        return self._now


@dataclass
class Gate:
    """Lets all through and keeps what passed; `delay` is how long each waits for its turn."""

    clock: Clock
    delay: float = 0.0
    passed: list[Category] = field(default_factory=list)
    blocks: list[tuple[Category, datetime]] = field(default_factory=list)
    shut_until: datetime | None = None

    def wait(self, category: Category) -> None:
        if self.shut_until is not None:
            msg = "The gate is shut."
            raise MustWaitError(msg, self.shut_until)
        self.passed.append(category)
        if self.delay:
            self.clock.sleep(self.delay)

    def block(self, category: Category, until: datetime) -> None:
        self.blocks.append((category, until))


@dataclass
class Asking:
    """A client of a script, with its clock, its gate and its tokens."""

    script: Script
    clock: Clock = field(default_factory=Clock)
    tokens: Tokens = field(default_factory=Tokens)

    def __post_init__(self) -> None:
        self.gate = Gate(self.clock)
        self.client = ZoomClient(
            self.script.http(),
            self.tokens,
            gate=self.gate,
            api_url=API + "/",
            clock=self.clock,
            sleep=self.clock.sleep,
        )


def asking(*answers: Answering) -> Asking:
    return Asking(Script(*answers))
