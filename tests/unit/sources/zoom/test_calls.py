"""Trying again: when, how long, and when no more. Every wait is a clock's that moves at once."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_pipeline.errors import MustWaitError, TransientError
from leap_pipeline.sources.zoom.client import LARGEST_ANSWER, Who, Window
from leap_pipeline.web.calls import MOST_TRIES
from leap_pipeline.web.retry import retry_at
from tests.support.zoom.clock import START, Clock
from tests.support.zoom_calls import Answering, Asking, asking, page

WINDOW = Window(date(2026, 3, 1), date(2026, 3, 2))
BROKEN = (
    httpx.ConnectError("no route"),
    httpx.ReadTimeout("slow"),
    httpx.RemoteProtocolError("cut"),
    httpx.Response(500),
    httpx.Response(503, text="<html>"),
    httpx.Response(200, text="<html>login</html>"),
    httpx.Response(200, json=["a list"]),
    httpx.Response(200, content=b"[" * 100_000),
    httpx.Response(200, content=b"{", headers={"content-type": "application/json"}),
)


def listed(asked: Asking) -> list[str]:
    return [each.uuid for each in asked.client.recordings(WINDOW, Who.user())]


def limited(**headers: str) -> httpx.Response:
    return httpx.Response(429, headers={k.replace("_", "-"): v for k, v in headers.items()})


def again(answer: Answering) -> Asking:
    """The answer over and over; a response can be read once only."""

    def fresh(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx.Response)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    return asking(*[fresh] * 100)


@pytest.mark.parametrize("failure", BROKEN, ids=range(len(BROKEN)))
def test_what_passes_is_tried_again(failure: Answering) -> None:
    asked = asking(failure, page("a"))
    assert listed(asked) == ["a"]
    assert len(asked.clock.slept) == 1
    assert 0 <= asked.clock.slept[0] <= 1
    assert asked.gate.passed == ["medium"] * 2  # each try is a request of its own


@pytest.mark.parametrize("failure", BROKEN, ids=range(len(BROKEN)))
def test_what_stays_is_given_up_after_a_minute(failure: Answering) -> None:
    asked = again(failure)
    with pytest.raises(TransientError, match=r"^Zoom .*: try again later"):
        listed(asked)
    assert asked.clock() - START <= timedelta(seconds=60)
    assert 4 <= len(asked.script.requests) <= MOST_TRIES


def test_the_waits_grow_and_differ() -> None:
    waits = []
    for _ in range(30):
        asked = again(httpx.Response(500))
        with pytest.raises(TransientError):
            listed(asked)
        waits.append(asked.clock.slept)
    assert len({each[0] for each in waits}) > 20  # full jitter: nobody knocks together
    for number, most in enumerate((1, 2, 4)):
        assert all(each[number] <= most for each in waits)
    assert max(each[2] for each in waits) > 1


def test_no_secret_is_in_what_is_given_up_with() -> None:
    asked = again(httpx.ConnectError("https://api.zoom.test/?access_token=canary"))
    with pytest.raises(TransientError) as caught:
        listed(asked)
    assert str(caught.value) == (
        "Zoom cannot be reached or broke off (ConnectError): try again later."
    )


def in_20_s() -> datetime:
    return START + timedelta(seconds=20)


@pytest.mark.parametrize(
    "answer",
    [
        limited(retry_after="20"),
        limited(retry_after=format_datetime(in_20_s(), usegmt=True)),
        limited(retry_after=in_20_s().strftime("%Y-%m-%dT%H:%M:%SZ")),
        limited(retry_after="2026-03-02T10:00:20+01:00"),
        limited(x_ratelimit_reset=str(int(in_20_s().timestamp())), x_ratelimit_type="QPS"),
        httpx.Response(503, headers={"retry-after": "20"}),
    ],
    ids=["seconds", "http date", "iso date", "iso date elsewhere", "reset", "503"],
)
def test_zoom_says_when(answer: httpx.Response) -> None:
    asked = asking(answer, page("a"))
    assert listed(asked) == ["a"]
    assert asked.clock.slept == [20]
    assert asked.gate.blocks == [("medium", in_20_s())]


def test_zoom_counts_by_its_own_clock() -> None:
    theirs = START + timedelta(hours=3)
    at = theirs + timedelta(seconds=20)
    answer = limited(
        date=format_datetime(theirs, usegmt=True), x_ratelimit_reset=str(int(at.timestamp()))
    )
    asked = asking(answer, page("a"))
    assert listed(asked) == ["a"]
    assert asked.clock.slept == [20]


@pytest.mark.parametrize("said", ["", "soon", "-5", "9" * 30, "0001-01-01T00:00:00+10:00"])
def test_a_limit_that_says_nothing_sensible_is_tried_again_soon(said: str) -> None:
    asked = asking(limited(retry_after=said), page("a"))
    assert listed(asked) == ["a"]
    assert 0.5 <= asked.clock.slept[0] <= 1


@pytest.mark.parametrize(
    ("answer", "due_at"),
    [
        (limited(retry_after="61"), START + timedelta(seconds=61)),
        (
            limited(retry_after="2026-03-03T00:00:00Z", x_ratelimit_type="Daily-limit"),
            datetime(2026, 3, 3, tzinfo=UTC),
        ),
        (limited(x_ratelimit_type="Daily-limit"), datetime(2026, 3, 3, tzinfo=UTC)),
        (limited(retry_after="2099-01-01T00:00:00Z"), START + timedelta(days=2)),
        (httpx.Response(503, headers={"retry-after": "3600"}), START + timedelta(hours=1)),
    ],
    ids=["61 s", "daily", "daily without a time", "absurd", "maintenance"],
)
def test_what_is_too_far_off_must_wait(answer: httpx.Response, due_at: datetime) -> None:
    asked = asking(answer)
    with pytest.raises(MustWaitError, match="it is asked again at 2026-03-0") as caught:
        listed(asked)
    assert caught.value.due_at == due_at
    assert asked.clock.slept == []
    assert asked.gate.blocks == [("medium", due_at)]


def test_limits_in_a_row_are_waited_for_a_minute_in_all() -> None:
    asked = again(limited(retry_after="25"))
    with pytest.raises(MustWaitError) as caught:
        listed(asked)
    assert asked.clock.slept == [25, 25]
    assert caught.value.due_at == START + timedelta(seconds=75)


def test_a_renewed_token_brings_no_second_minute() -> None:
    ended = httpx.Response(401, json={"code": 124})
    asked = asking(limited(retry_after="40"), ended, limited(retry_after="40"))
    with pytest.raises(MustWaitError):
        listed(asked)
    assert asked.clock.slept == [40]


def test_waiting_for_ones_turn_does_not_count() -> None:
    asked = asking(httpx.Response(500), httpx.Response(500), page("a"))
    asked.gate.delay = 50
    assert listed(asked) == ["a"]


def test_a_gate_that_is_shut_ends_the_call() -> None:
    asked = asking()

    asked.gate.shut_until = in_20_s()
    with pytest.raises(MustWaitError, match="shut"):
        listed(asked)
    assert asked.clock.slept == []


class Drip(httpx.SyncByteStream):
    """A body that comes in pieces, each after some seconds."""

    def __init__(self, clock: Clock, pieces: int, seconds: float, size: int = 1) -> None:
        self.clock, self.pieces, self.seconds, self.size = clock, pieces, seconds, size
        self.sent = 0
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.pieces):
            self.clock.sleep(self.seconds)
            self.sent += self.size
            yield b" " * self.size

    def close(self) -> None:
        self.closed = True


def test_a_body_that_drips_is_broken_off() -> None:
    asked = asking()
    drip = Drip(asked.clock, 10_000, 5)
    asked.script.answers = [httpx.Response(200, stream=drip)]
    with pytest.raises(TransientError, match="answers too slowly"):
        listed(asked)
    assert asked.clock() - START <= timedelta(seconds=60)
    assert drip.closed


def test_a_body_that_never_ends_is_broken_off() -> None:
    asked = asking()
    drips = [Drip(asked.clock, 1_000, 0, 1024 * 1024) for _ in range(MOST_TRIES)]
    asked.script.answers = [httpx.Response(200, stream=each) for each in drips]
    with pytest.raises(TransientError, match=f"more than {LARGEST_ANSWER} bytes"):
        listed(asked)
    used = [each for each in drips if each.sent]
    assert max(each.sent for each in used) <= LARGEST_ANSWER + 2 * 1024 * 1024
    assert all(each.closed for each in used)


def test_a_body_that_unpacks_to_too_much_is_broken_off() -> None:
    packed = gzip.compress(b" " * (LARGEST_ANSWER + 1), 1)
    bomb = httpx.Response(
        200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(packed)
    )
    asked = asking(bomb, page("a"))
    assert listed(asked) == ["a"]


MOMENTS = st.integers(0, 365 * 86_400 * 1000).map(lambda ms: START + timedelta(milliseconds=ms))


@settings(deadline=None)
@given(MOMENTS, MOMENTS)
def test_every_form_of_a_moment_means_the_same(now: datetime, moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    most = timedelta(days=2)
    expected = min(max(moment, now), now + most)
    for text in (
        format_datetime(moment, usegmt=True),
        moment.isoformat(),
        moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    ):
        assert retry_at({"retry-after": text}, now) == expected
    assert retry_at({"x-ratelimit-reset": str(int(moment.timestamp()))}, now) == expected


@settings(deadline=None)
@given(MOMENTS, st.integers(0, 10**6))
def test_seconds_count_from_now(now: datetime, seconds: int) -> None:
    found = retry_at({"retry-after": str(seconds)}, now)
    assert found == now + min(timedelta(seconds=seconds), timedelta(days=2))


@settings(deadline=None)
@given(MOMENTS, st.text(max_size=30), st.text(max_size=30))
def test_nothing_that_a_server_says_crashes_or_is_believed_too_long(
    now: datetime, after: str, reset: str
) -> None:
    found = retry_at({"retry-after": after, "x-ratelimit-reset": reset}, now)
    assert found is None or now <= found <= now + timedelta(days=2)
