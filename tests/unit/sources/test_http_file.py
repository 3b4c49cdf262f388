"""Downloads over real sockets, with everything that can go wrong on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from leap_pipeline.errors import LeapError, MustWaitError, TransientError, UserActionError
from leap_pipeline.sources import http_file
from leap_pipeline.sources.http_file import download
from leap_pipeline.sources.http_file_requests import Link, NotServed, NotThere
from leap_pipeline.storage.partials import Partial
from tests.support.file_server import Asked, Fault, FileServer, Tokens
from tests.unit.sources.conftest import PIECE, SIZE, TUNING, Get

HTML = Fault(200, {"Content-Type": "text/html; charset=utf-8"}, b"<!DOCTYPE html><html>Sign in")


def nth(*faults: tuple[int, Fault]) -> Callable[[Asked], Fault | None]:
    """Faults of the requests of these numbers, the first being 0."""
    planned, count = dict(faults), iter(range(10**9))
    return lambda asked: planned.get(next(count))


def always(fault: Fault) -> Callable[[Asked], Fault]:
    return lambda asked: fault


def test_a_file_comes_in_pieces_over_one_connection(server: FileServer, get: Get) -> None:
    fetched = get()
    assert (fetched.size, fetched.fetched, fetched.resumed) == (SIZE, SIZE, 0)
    assert server.sent == SIZE
    assert len(server.asked) == SIZE // PIECE
    assert {each.headers["accept-encoding"] for each in server.asked} == {"identity"}
    assert [each.headers.get("if-range") for each in server.asked[1:]] == [
        server.validators(server.body)["ETag"]
    ] * (SIZE // PIECE - 1)


def test_what_is_whole_is_not_asked_for_again(server: FileServer, get: Get) -> None:
    get()
    asked = len(server.asked)
    again = get()
    assert (again.fetched, again.resumed, len(server.asked)) == (0, SIZE, asked)


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
def test_a_cut_connection_loses_nothing_that_came(
    server: FileServer, get: Get, reset: bool
) -> None:
    cuts = [(at, Fault(cut_after=at * 1000 + 7, reset=reset)) for at in range(1, 14)]
    server.plan = nth(*cuts)
    fetched = get()
    assert fetched.restarts == 0
    assert fetched.fetched == SIZE
    assert server.sent <= SIZE * 1.05 or reset


def test_without_an_etag_the_date_serves(server: FileServer, get: Get) -> None:
    server.etag, server.modified = False, time.time() - 3600
    server.plan = nth((2, Fault(cut_after=9)), (5, Fault(cut_after=9)))
    assert get().restarts == 0
    assert server.sent == SIZE
    assert server.asked[3].headers["if-range"].endswith("GMT")


@pytest.mark.parametrize("weak", [False, True], ids=["none", "weak"])
def test_without_a_validator_a_cut_means_from_the_beginning(
    server: FileServer, get: Get, weak: bool
) -> None:
    server.etag = server.weak = weak
    server.plan = nth((1, Fault(cut_after=SIZE // 2)), (2, Fault(cut_after=SIZE // 3)))
    fetched = get()
    assert fetched.restarts == 2
    assert server.sent <= PIECE + SIZE // 2 + SIZE // 3 + SIZE
    assert {each.headers.get("if-range") for each in server.asked} == {None}


def test_without_a_validator_a_changed_file_is_never_mixed(server: FileServer, get: Get) -> None:
    server.etag = False
    server.plan = nth((1, Fault(cut_after=SIZE // 2)), (2, Fault(change=True)))
    assert get().path.read_bytes() == server.versions[1]


def test_a_server_without_ranges_is_read_in_one_go(server: FileServer, get: Get) -> None:
    server.ranges = False
    server.plan = nth((0, Fault(cut_after=SIZE // 2)))
    fetched = get()
    assert (fetched.restarts, fetched.fetched) == (1, SIZE + SIZE // 2)


def test_a_server_that_names_no_length_is_read_to_its_end(server: FileServer, get: Get) -> None:
    server.ranges = server.length = False
    assert get().size == SIZE


def test_a_file_that_always_breaks_and_cannot_be_resumed_is_given_up(
    server: FileServer, get: Get
) -> None:
    server.etag = False
    server.plan = always(Fault(cut_after=SIZE // 2))
    with pytest.raises(TransientError, match="in one go, or changed, too often"):
        get(restarts=3)
    assert server.sent <= 6 * SIZE


@pytest.mark.parametrize("size", [SIZE, SIZE // 2, SIZE * 2], ids=["same", "shorter", "longer"])
def test_a_file_that_changes_is_fetched_anew(server: FileServer, get: Get, size: int) -> None:
    def plan(asked: Asked) -> None:
        if len(server.asked) == 9:
            server.change(size)

    server.plan = plan
    fetched = get()
    assert fetched.path.read_bytes() == server.versions[1]
    assert fetched.restarts == 1
    assert server.sent <= SIZE + size


def test_a_server_that_ignores_the_condition_is_found_out(server: FileServer, get: Get) -> None:
    """It answers 206 for another version, told by the ETag alone."""
    sent = 0

    def plan(asked: Asked) -> None:
        nonlocal sent
        sent += 1
        asked.headers.pop("if-range", None)
        if sent == 5:
            server.change()

    server.plan = plan
    assert get().path.read_bytes() == server.versions[1]


def test_other_bytes_than_asked_for_are_not_taken(server: FileServer, get: Get) -> None:
    wrong = {"Content-Range": f"bytes 0-{PIECE - 1}/{SIZE}"}
    server.plan = nth((3, Fault(headers=wrong)), (6, Fault(headers={"Content-Range": "bytes"})))
    assert get().restarts == 0


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refused_link_is_never_used_again(server: FileServer, get: Get, status: int) -> None:
    refused: list[str] = []

    def plan(asked: Asked) -> Fault | None:
        token = asked.headers["authorization"]
        assert token not in refused
        if len(server.asked) in (1, 6, 7, 15):
            refused.append(token)
            return Fault(status)
        return None

    server.plan = plan
    source = Tokens(server)
    assert get(source).fetched == SIZE
    assert (source.given, len(refused)) == (5, 4)


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [(401, NotServed, "refuses"), (403, NotServed, "refuses"), (404, NotThere, "is not there")],
)
def test_a_file_that_fresh_links_do_not_open_is_given_up(
    server: FileServer, get: Get, status: int, error: type[LeapError], told: str
) -> None:
    server.plan = always(Fault(status))
    with pytest.raises(error, match=told):
        get()
    assert len(server.asked) == 3


def test_a_source_that_repeats_itself_is_not_believed(server: FileServer, get: Get) -> None:
    server.plan = always(Fault(401))
    with pytest.raises(NotServed):
        get(Tokens(server, same=True))
    assert len(server.asked) == 1


def test_a_login_page_half_way_asks_for_a_fresh_link(server: FileServer, get: Get) -> None:
    server.plan = nth((0, HTML), (4, HTML))
    source = Tokens(server)
    get(source)
    assert source.given == 3


@pytest.mark.parametrize("kind", ["text/html", "video/mp4"])
def test_a_login_page_is_never_stored(server: FileServer, unfinished: Partial, kind: str) -> None:
    server.plan = always(replace(HTML, headers={"Content-Type": kind}))
    with pytest.raises(NotServed, match="sends a web page instead"):
        download(Tokens(server), unfinished, tuning=TUNING)
    assert unfinished.done.count == 0


@pytest.mark.parametrize(
    "wait",
    [
        lambda now: {"Retry-After": "1"},
        lambda now: {"Retry-After": f"{now + timedelta(seconds=1):%a, %d %b %Y %H:%M:%S GMT}"},
        lambda now: {"Retry-After": f"{now + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}"},
        lambda now: {"X-RateLimit-Reset": f"{now.timestamp() + 1:.0f}"},
        lambda now: {},
    ],
    ids=["seconds", "http-date", "iso-date", "reset", "none"],
)
def test_a_busy_server_is_waited_for(
    server: FileServer, get: Get, wait: Callable[[datetime], dict[str, str]]
) -> None:
    now = datetime.now(UTC)
    server.plan = nth((0, Fault(429, wait(now))), (3, Fault(503)), (4, Fault(500)))
    begun = time.monotonic()
    get()
    assert time.monotonic() - begun < 2.5


def test_a_longer_pause_is_for_another_run(server: FileServer, get: Get) -> None:
    server.plan = nth((5, Fault(429, {"Retry-After": "3600"})))
    with pytest.raises(MustWaitError) as raised:
        get()
    due = (raised.value.due_at - datetime.now(UTC)).total_seconds()
    assert 3500 < due <= 3600
    fetched = get()
    assert fetched.resumed == 5 * PIECE
    assert server.sent == SIZE


def test_a_storm_of_429_is_waited_out_elsewhere(server: FileServer, get: Get) -> None:
    server.plan = always(Fault(429))
    with pytest.raises(MustWaitError, match="busy"):
        get(patience=0.4)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(502), "answered 502"),
        (Fault(cut_after=0), "cut"),
        (Fault(cut_after=0, stall=30), "sent nothing"),
    ],
    ids=["5xx", "cut", "silent"],
)
def test_a_server_that_gives_nothing_is_left_after_a_while(
    server: FileServer, get: Get, fault: Fault, told: str
) -> None:
    server.plan = always(fault)
    begun = time.monotonic()
    with pytest.raises(TransientError, match=told):
        get(patience=0.6, read_seconds=0.2)
    assert time.monotonic() - begun < 2


def test_a_trickle_is_no_progress(server: FileServer, get: Get) -> None:
    server.rate = 2000
    with pytest.raises(TransientError, match="stands still"):
        get(patience=0.6, progress_bytes=PIECE)


def test_a_slow_link_finishes(server: FileServer, get: Get) -> None:
    """Its connections are left again and again, and nothing is fetched twice."""
    server.rate = 800_000
    fetched = get(slow_seconds=0.05, slow_bytes=SIZE, least_piece=SIZE, most_piece=SIZE)
    assert fetched.fetched == SIZE
    assert len(server.asked) > 4


@pytest.mark.parametrize("known", [True, False], ids=["told", "found-out"])
def test_a_file_over_the_limit_is_refused(server: FileServer, get: Get, known: bool) -> None:
    server.length, server.ranges = known, known
    with pytest.raises(UserActionError, match="LEAP_DOWNLOAD_MAX_BYTES"):
        get(most_bytes=SIZE // 2)
    assert server.sent <= SIZE


def test_a_disk_without_room_is_told_before_the_first_byte(
    server: FileServer, get: Get, unfinished: Partial, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_file, "KEPT_FREE", 10**18)
    with pytest.raises(UserActionError, match="free some space"):
        get()
    assert unfinished.done.count == 0


def test_room_is_asked_for_once_for_each_version(server: FileServer, unfinished: Partial) -> None:
    server.plan = nth((0, Fault()), (5, Fault(change=True)))
    asked: list[int] = []
    download(Tokens(server), unfinished, tuning=TUNING, admit=asked.append)
    assert asked == [SIZE, SIZE]


def test_an_empty_file_is_refused(server: FileServer, get: Get) -> None:
    server.change(0)
    with pytest.raises(UserActionError, match="is empty"):
        get()


def test_a_compressed_answer_is_refused(server: FileServer, get: Get) -> None:
    server.plan = always(Fault(headers={"Content-Encoding": "gzip"}))
    with pytest.raises(UserActionError, match="compressed"):
        get()


def test_another_file_at_the_source_is_begun_anew(
    server: FileServer, unfinished: Partial, get: Get
) -> None:
    """A better view under the same ETag and size, as a careless server might have it."""
    source = Tokens(server, identity="worse")
    server.plan = nth((5, Fault(429, {"Retry-After": "3600"})))
    with pytest.raises(MustWaitError):
        get(source)
    source.identity = "better"
    assert get(source).restarts == 1
    assert unfinished.version is not None
    assert unfinished.version.identity == "better"


def test_whoever_watches_can_stop_it_at_once(server: FileServer, unfinished: Partial) -> None:
    class Stopped(Exception):
        pass

    def progress(fraction: float) -> None:
        assert 0 <= fraction <= 1
        if fraction > 0.2:
            raise Stopped

    server.plan = lambda asked: Fault(cut_after=100, stall=30) if len(server.asked) > 8 else None
    begun = time.monotonic()
    with pytest.raises(Stopped):
        download(
            Tokens(server),
            unfinished,
            tuning=replace(TUNING, read_seconds=30, patience=60),
            progress=progress,
        )
    assert time.monotonic() - begun < 3


def test_more_connections_are_used_where_each_is_limited(server: FileServer, get: Get) -> None:
    server.rate = 300_000
    server.change(SIZE * 2)
    fetched = get(connections=4)
    assert fetched.connections > 1
    assert server.most_active > 1
    assert fetched.fetched == SIZE * 2


def test_one_connection_stays_alone_where_another_does_not_help(
    server: FileServer, get: Get
) -> None:
    shared = {"at": time.monotonic()}

    def plan(asked: Asked) -> None:
        """All connections share one rate: each piece waits for its turn."""
        with server.guard:
            shared["at"] = max(shared["at"], time.monotonic()) + PIECE / 500_000
            wait = shared["at"] - time.monotonic()
        time.sleep(max(wait, 0))

    server.plan = plan
    assert get(connections=4).fetched == SIZE
    assert server.most_active < 4  # a busy machine may make one more look worth it


def test_a_server_that_takes_one_connection_only_gets_one(server: FileServer, get: Get) -> None:
    server.rate = 300_000
    server.plan = lambda asked: Fault(503) if server.active > 1 else None
    assert get(connections=4, measure_seconds=0.05).fetched == SIZE


def test_parallel_pieces_survive_a_change(server: FileServer, get: Get) -> None:
    server.rate = 400_000

    def plan(asked: Asked) -> None:
        if len(server.asked) == 12:
            server.change()

    server.plan = plan
    fetched = get(connections=4, measure_seconds=0.05)
    assert fetched.path.read_bytes() == server.versions[1]
    assert fetched.fetched <= 2 * SIZE


def test_no_secret_is_in_a_link_or_an_error(server: FileServer, get: Get) -> None:
    link = Link(SecretStr("http://h/?sig=abc"), {"Authorization": SecretStr("Bearer abc")})
    assert "abc" not in repr(link)
    server.plan = always(Fault(400))
    with pytest.raises(UserActionError) as raised:
        get()
    assert "token" not in str(raised.value)
    assert str(server.server_address[1]) not in str(raised.value)
