"""One call to a service, tried again while that can help: at most 60 s, with full jitter between.

A redirect is an answer like any other here: nothing is ever followed, so that the Authorization
header reaches nobody but the address of the settings.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception
from tenacity.wait import wait_random_exponential

from leap_pipeline.errors import LeapError, MustWaitError, TransientError
from leap_pipeline.web.retry import retry_at

PATIENCE = timedelta(seconds=60)
MOST_TRIES = 12
JITTER = wait_random_exponential(multiplier=1, max=20)
TIMEOUT = httpx.Timeout(30, connect=10)
LARGEST = 1024 * 1024
APART_SECONDS = 20.0
"""For those whom nothing else paces."""
TOO_MANY = httpx.codes.TOO_MANY_REQUESTS
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What was answered; `body` is empty where none came, or an error without JSON."""

    status: int
    body: Body = field(repr=False)
    location: str | None = field(default=None, repr=False)


@dataclass
class Budget:
    """Until when one piece of work may try again; waiting for one's turn does not count."""

    clock: Callable[[], datetime]
    ends: datetime

    def left(self) -> float:
        """Seconds."""
        return (self.ends - self.clock()).total_seconds()

    def uncounted(self, act: Callable[[], None]) -> None:
        """Do it as if the clock stood still."""
        began = self.clock()
        act()
        self.ends += max(self.clock() - began, timedelta())


class Again(Exception):
    """This try failed in a way that another may not.

    `at` is when the service wants to be asked again, and `held_back` says that nobody is to ask it
    before; `undone`, that what was asked for was surely not done.
    """

    def __init__(
        self,
        what: str,
        *,
        at: datetime | None = None,
        held_back: bool = False,
        undone: bool = False,
    ) -> None:
        super().__init__(what)
        self.at = at
        self.held_back = held_back
        self.undone = undone


Judge = Callable[[Answer], Again | None]


class Calls:
    """Sends requests to `service`, as sentences name it. Safe to share between threads.

    What it holds back comes again within `apart` seconds after the moment that it named, so that
    those who were turned away together do not come back together. Clock and sleep are the caller's.
    """

    def __init__(
        self,
        http: httpx.Client,
        service: str,
        *,
        apart: float = 0.0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._http = http
        self._service = service
        self._apart = apart
        self._clock = clock
        self._sleep = sleep

    def budget(self, patience: timedelta = PATIENCE) -> Budget:
        return Budget(self._clock, self._clock() + patience)

    def send(
        self,
        request: httpx.Request,
        budget: Budget,
        *,
        before: Callable[[], None] = lambda: None,
        held_back: Callable[[datetime], None] = lambda _until: None,
        judge: Judge = lambda _answer: None,
        repeatable: bool = True,
        largest: int = LARGEST,
    ) -> Answer:
        """The answer, good or a refusal; `largest` bounds it in bytes.

        `before` is called ahead of each try, and `held_back` when the service wants to be left
        alone until some moment. `judge` tells the answers that are no better than a 5xx where the
        status does not say so. What is not `repeatable` is not sent again where it may have been
        done. Raises TransientError, and MustWaitError where that moment is too
        far off.
        """
        # One httpx client serves all tenants: what is to be remembered of one is not for another.
        request.headers.pop("cookie", None)

        def attempt() -> Answer:
            budget.uncounted(before)
            try:
                answer = self._once(request, budget, largest)
                if (again := judge(answer)) is not None:
                    raise again
                return answer
            except Again as again:
                if again.held_back and again.at is not None:
                    held_back(again.at)
                raise

        retrying = Retrying(
            sleep=self._sleep,
            wait=self._wait,
            stop=lambda state: _is_over(state, budget),
            retry=retry_if_exception(lambda error: _helps(error, repeatable)),
            reraise=True,
        )
        try:
            answer: Answer = retrying(attempt)
        except Again as again:
            raise _given_up(self._service, again, self._clock()) from again.__cause__
        return answer

    def _once(self, request: httpx.Request, budget: Budget, largest: int) -> Answer:
        try:
            response = self._http.send(request, stream=True, follow_redirects=False, auth=None)
            try:
                content = _content(response, budget, largest)
            finally:
                response.close()
        except (httpx.TransportError, httpx.DecodingError) as error:
            what = f"cannot be reached or broke off ({type(error).__name__})"
            raise Again(what, undone=isinstance(error, UNSENT)) from error
        return self._judged(response, content)

    def _judged(self, response: httpx.Response, content: bytes) -> Answer:
        status = response.status_code
        if status == TOO_MANY:
            at = self._named(response.headers) or self._after_limit(response.headers)
            msg = "wants fewer requests (HTTP 429)"
            raise Again(msg, at=at, held_back=True, undone=True)
        if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            msg = f"fails (HTTP {status})"
            later = self._named(response.headers)
            raise Again(msg, at=later, held_back=later is not None)
        body = _document(content)
        if body is None and response.is_success and content:
            msg = "answers with something that is no JSON"
            raise Again(msg)
        return Answer(status, body or {}, response.headers.get("location"))

    def _named(self, headers: httpx.Headers) -> datetime | None:
        """When it wants to be asked again, by our clock: it counts from its own."""
        now = self._clock()
        theirs = _date(headers.get("date", "")) or now
        at = retry_at(headers, theirs)
        return now + (at - theirs) if at is not None else None

    def _after_limit(self, headers: httpx.Headers) -> datetime:
        """Where a 429 does not say when: a daily limit ends with the day, another in a second."""
        now = self._clock()
        if "daily" in headers.get("x-ratelimit-type", "").lower():
            return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        return now + timedelta(seconds=1)

    def _wait(self, state: RetryCallState) -> float:
        again = _failure(state)
        named = (again.at - self._clock()).total_seconds() if again.at is not None else 0.0
        if again.held_back and self._apart:
            return max(named, 0.0) + random.uniform(0.0, self._apart)  # noqa: S311 - no secret
        return max(named, JITTER(state))


def _given_up(service: str, again: Again, now: datetime) -> LeapError:
    if again.held_back and again.at is not None:
        due_at = max(again.at, now + timedelta(seconds=1))
        return MustWaitError(
            f"{service} {again}: it is asked again at {due_at:%Y-%m-%d %H:%M:%S} UTC.", due_at
        )
    return TransientError(f"{service} {again}: try again later.")


def _helps(error: BaseException, repeatable: bool) -> bool:
    return isinstance(error, Again) and (repeatable or error.undone)


def _is_over(state: RetryCallState, budget: Budget) -> bool:
    return state.attempt_number >= MOST_TRIES or state.upcoming_sleep >= budget.left()


def _failure(state: RetryCallState) -> Again:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, Again)  # noqa: S101 - nothing else is retried
    return error


def _content(response: httpx.Response, budget: Budget, largest: int) -> bytes:
    """The body; one that drips or never ends is broken off."""
    found = bytearray()
    for chunk in response.iter_bytes():
        found += chunk
        if len(found) > largest:
            msg = f"answers with more than {largest} bytes"
            raise Again(msg)
        if budget.left() <= 0:
            msg = "answers too slowly"
            raise Again(msg)
    return bytes(found)


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _document(content: bytes) -> Body | None:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
