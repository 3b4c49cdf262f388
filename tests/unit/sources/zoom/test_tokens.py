"""One request for many callers, good or bad, and none while a token is good."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from pydantic import SecretStr

from leap_pipeline.errors import TransientError
from leap_pipeline.oauth.platform import App
from leap_pipeline.sources.zoom.oauth import TokenEndpoint
from leap_pipeline.sources.zoom.tokens import ServerToServerToken
from tests.support.zoom.clock import Clock

CALLERS = 16
PATIENCE = 30


class Crowd:
    """A lock that knows how many have come to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._came = threading.Condition()
        self.number = 0

    def __enter__(self) -> None:
        with self._came:
            self.number += 1
            self._came.notify_all()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def await_all(self, number: int) -> None:
        with self._came:
            assert self._came.wait_for(lambda: self.number >= number, PATIENCE)


class Endpoint:
    """Gives token after token, the first one of a race when all racers have come."""

    def __init__(self, answer: Callable[[int], httpx.Response]) -> None:
        self.answer = answer
        self.requests = 0
        self.awaited = 0
        self.clock = Clock()
        http = httpx.Client(transport=httpx.MockTransport(self))
        endpoint = TokenEndpoint(http, clock=self.clock, sleep=self.clock.sleep)
        app = App("app", SecretStr("secret"))
        self.source = ServerToServerToken(endpoint, app, "acc", clock=self.clock)
        self.source._lock = Crowd()  # type: ignore[assignment]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.crowd.await_all(self.awaited)
        self.requests += 1
        return self.answer(self.requests)

    @property
    def crowd(self) -> Crowd:
        found = self.source._lock
        assert isinstance(found, Crowd)
        return found

    def at_once(self, act: Callable[[], SecretStr]) -> list[str]:
        """What each of the callers got, all of whom asked before anybody was answered."""
        self.source._lock, self.awaited = Crowd(), CALLERS  # type: ignore[assignment]

        def caller(_: int) -> str:
            try:
                return value(act())
            except TransientError as error:
                return str(error)

        with ThreadPoolExecutor(CALLERS) as pool:
            return list(pool.map(caller, range(CALLERS)))


def token(number: int) -> httpx.Response:
    return httpx.Response(200, json={"access_token": f"token-{number}", "expires_in": 3600})


def value(found: SecretStr) -> str:
    return found.get_secret_value()


def test_a_token_is_used_until_shortly_before_it_ends() -> None:
    at = Endpoint(token)
    assert [value(at.source.get()) for _ in range(3)] == ["token-1"] * 3
    at.clock.advance(timedelta(seconds=3539))
    assert value(at.source.get()) == "token-1"
    at.clock.advance(timedelta(seconds=2))
    assert value(at.source.get()) == "token-2"
    assert at.requests == 2


def test_many_callers_cause_one_request() -> None:
    at = Endpoint(token)
    assert at.at_once(at.source.get) == ["token-1"] * CALLERS
    assert at.requests == 1


def test_many_who_saw_the_same_token_refused_cause_one_renewal() -> None:
    at = Endpoint(token)
    refused = at.source.get()
    assert at.at_once(lambda: at.source.renew(refused)) == ["token-2"] * CALLERS
    assert at.requests == 2
    assert value(at.source.renew(refused)) == "token-2"  # somebody slow, much later
    assert value(at.source.renew(SecretStr("token-2"))) == "token-3"


def test_many_callers_share_one_failure() -> None:
    at = Endpoint(lambda _: httpx.Response(503))
    said = at.at_once(at.source.get)
    assert set(said) == {"Zoom fails (HTTP 503): try again later."}
    tried = at.requests
    assert tried <= 12  # those of one caller
    at.answer = token
    assert value(at.source.get()) == f"token-{tried + 1}"  # a failure is nobody's for ever


def test_a_failure_leaves_the_lock_free() -> None:
    at = Endpoint(lambda _: httpx.Response(503))
    for _ in range(2):
        with pytest.raises(TransientError):
            at.source.get()
