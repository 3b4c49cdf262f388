"""A file on its way to VK: its form, bounded memory, progress, and every way in which it ends."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from leap_pipeline.errors import DataError, LeapError, TransientError, UserActionError
from leap_pipeline.progress import ignore
from leap_pipeline.publishing.uploader import SessionGone, Upload, VideoFile
from leap_pipeline.publishing.vk.publisher import VkPublisher
from leap_pipeline.publishing.vk.upload import PIECE, FileForm
from tests.support.callbacks import unheard
from tests.support.vk import faults
from tests.support.vk.desk import Desk, lecture
from tests.support.vk.serve import serving


class Stopped(Exception):
    """What `progress` raises."""


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def file(tmp_path: Path) -> VideoFile:
    return lecture(tmp_path)


@pytest.fixture
def upload(desk: Desk, file: VideoFile) -> Upload:
    return desk.open(file)


def test_the_form_is_as_long_as_it_says(file: VideoFile) -> None:
    form = FileForm(file.path, file.size, "video_file", "video/mp4", ignore)
    assert sum(map(len, form)) == int(form.headers["Content-Length"])
    assert max(map(len, form)) == PIECE


def test_progress_goes_from_nothing_to_all(desk: Desk, file: VideoFile, upload: Upload) -> None:
    told: list[float] = []
    desk.publisher.send(upload, file, 0, told.append, unheard)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert told == sorted(told)
    assert len(told) == 1 + -(-file.size // PIECE)


def test_the_file_that_arrives_is_the_one_that_was_sent(
    desk: Desk, file: VideoFile, upload: Upload
) -> None:
    desk.publisher.send(upload, file, 0, ignore, unheard)
    (entry,) = desk.vk.ledger.of("upload")
    assert (entry.sha256, entry.size, entry.did) == (file.sha256, file.size, "stored")


def test_the_token_is_not_told_to_the_upload_server(
    desk: Desk, file: VideoFile, upload: Upload
) -> None:
    seen: list[httpx.Request] = []
    desk.http.event_hooks = {"request": [seen.append]}
    desk.publisher.send(upload, file, 0, ignore, unheard)
    (request,) = seen
    assert desk.token.value not in f"{request.url} {request.headers.raw}"


@pytest.mark.parametrize("at", [0.0, 0.3, 1.0])
def test_progress_stops_the_upload_and_nothing_is_published(
    desk: Desk, file: VideoFile, upload: Upload, at: float
) -> None:
    def stop(fraction: float) -> None:
        if fraction >= at:
            raise Stopped

    with pytest.raises(Stopped):
        desk.publisher.send(upload, file, 0, stop, unheard)
    assert desk.vk.world.whole() == []


def held_back(desk: Desk) -> threading.Event:
    """VK takes nothing of the next upload until the event is set."""
    go_on = threading.Event()
    desk.vk.sleep = lambda _seconds: assert_set(go_on)
    desk.vk.fail(faults.Fault("held back", ("upload",), delay=1))
    return go_on


def assert_set(event: threading.Event) -> None:
    assert event.wait(30)


def test_it_is_told_also_while_nothing_moves(desk: Desk, file: VideoFile, upload: Upload) -> None:
    told: list[tuple[float, str]] = []
    go_on = held_back(desk)

    def progress(fraction: float) -> None:
        told.append((fraction, threading.current_thread().name))
        if len(told) == 2:
            go_on.set()

    desk.publisher.send(upload, file, 0, progress, unheard)
    assert [fraction for fraction, _ in told[:3]] == [0.0, 0.0, 0.0]
    assert {name for _, name in told} == {threading.current_thread().name}


def test_progress_stops_an_upload_that_does_not_move(
    desk: Desk, file: VideoFile, upload: Upload
) -> None:
    go_on = held_back(desk)

    def stop(_fraction: float) -> None:
        go_on.set()
        raise Stopped

    with pytest.raises(Stopped):
        desk.publisher.send(upload, file, 0, stop, unheard)
    assert desk.vk.world.whole() == []
    assert all(thread.name != "vk-upload" for thread in threading.enumerate())


@pytest.mark.parametrize("change", [b"", b"a longer lecture"])
def test_a_file_that_changes_meanwhile_is_not_published(
    desk: Desk, file: VideoFile, upload: Upload, change: bytes
) -> None:
    file.path.write_bytes(file.path.read_bytes() + change if change else b"a shorter one")
    with pytest.raises(TransientError, match=r"l\.mp4 was changed meanwhile"):
        desk.publisher.send(upload, file, 0, ignore, unheard)
    assert desk.vk.world.whole() == []


@pytest.mark.parametrize("at", [0, 1, 300_000, 900_000])
def test_a_connection_that_breaks_is_asked_about_later_and_not_sent_again(
    desk: Desk, file: VideoFile, upload: Upload, at: int
) -> None:
    desk.vk.fail(faults.cut(at))
    with pytest.raises(TransientError, match="VK's upload server cannot be reached or broke off"):
        desk.publisher.send(upload, file, 0, ignore, unheard)
    assert desk.vk.ledger.count("upload") == 1


def test_a_lost_answer_is_asked_about_later_and_not_sent_again(
    desk: Desk, file: VideoFile, upload: Upload
) -> None:
    desk.vk.fail(faults.lost("upload"))
    with pytest.raises(TransientError):
        desk.publisher.send(upload, file, 0, ignore, unheard)
    assert desk.vk.ledger.count("upload") == 1


def test_where_nobody_answers_it_is_tried_again(
    desk: Desk, file: VideoFile, upload: Upload
) -> None:
    desk.vk.fail(faults.unreachable("upload", times=2))
    desk.publisher.send(upload, file, 0, ignore, unheard)
    assert len(desk.vk.world.whole()) == 1


def test_a_file_that_was_begun_is_not_sent_again_for_429(
    desk: Desk, file: VideoFile, upload: Upload
) -> None:
    desk.vk.fail(faults.too_many("upload", seconds=2, times=None))
    with pytest.raises(TransientError, match="took no more of the file"):
        desk.publisher.send(upload, file, 0, ignore, unheard)
    assert desk.vk.ledger.count("upload") == 1


def test_a_slow_upload_may_take_hours(desk: Desk, file: VideoFile, upload: Upload) -> None:
    desk.vk.fail(faults.slow(100))
    desk.publisher.send(upload, file, 0, ignore, unheard)
    assert desk.clock() - (upload.opened_at or desk.clock()) > timedelta(hours=2)


Ends = Callable[[Desk], None]


def expired(desk: Desk) -> None:
    desk.later(hours=25)


def fails(words: str, code: int, status: int = 200) -> Ends:
    def plan(desk: Desk) -> None:
        desk.vk.fail(faults.upload_error(words, code, status=status))

    return plan


@pytest.mark.parametrize(
    ("plan", "kind", "words"),
    [
        (expired, SessionGone, "does not know the address"),
        (lambda desk: desk.vk.end_addresses(), SessionGone, "address"),
        (fails("upload url expired", -1), SessionGone, "address"),
        (fails("Invalid signature", 104), SessionGone, "address"),
        (fails("Video not found", 50), SessionGone, "address"),
        (fails("", 0, 403), SessionGone, "address"),
        (fails("", 0, 404), SessionGone, "address"),
        (fails("too fast", -12), TransientError, "fewer uploads"),
        (fails("", 0, 413), UserActionError, "so large a video"),
        (fails("Unsupported format", 22), UserActionError, "VK: Unsupported format"),
        (fails("", 0, 503), TransientError, "HTTP 503"),
    ],
)
def test_every_refusal_of_a_file_is_one_of_its_kind(
    desk: Desk, file: VideoFile, upload: Upload, plan: Ends, kind: type[LeapError], words: str
) -> None:
    plan(desk)
    with pytest.raises(LeapError, match=words) as refused:
        desk.publisher.send(upload, file, 0, ignore, unheard)
    assert type(refused.value) is kind
    assert desk.vk.world.whole() == []


def test_of_an_old_address_whatever_is_refused_means_that_it_has_ended(
    desk: Desk, file: VideoFile
) -> None:
    desk.vk.rules.says_expiry = False
    upload = desk.open(file)
    desk.vk.fail(faults.upload_error("Nope", 1, times=None))
    with pytest.raises(UserActionError, match="VK: Nope"):
        desk.publisher.send(upload, file, 0, ignore, unheard)
    desk.later(hours=24)
    with pytest.raises(SessionGone):
        desk.publisher.send(upload, file, 0, ignore, unheard)


def test_an_answer_that_says_nothing_is_asked_about_later(
    desk: Desk, file: VideoFile, upload: Upload
) -> None:
    desk.vk.fail(faults.Fault("empty", ("upload",), status=200, body={}))
    with pytest.raises(TransientError, match="does not say what became of the video"):
        desk.publisher.send(upload, file, 0, ignore, unheard)


def test_a_video_that_lands_elsewhere_is_no_success(
    desk: Desk, file: VideoFile, upload: Upload
) -> None:
    desk.vk.fail(faults.Fault("other", ("upload",), status=200, body={"video_id": 5}))
    with pytest.raises(DataError, match="at video_id 5"):
        desk.publisher.send(upload, file, 0, ignore, unheard)


def test_an_address_that_is_not_safe_is_not_sent_to(
    desk: Desk, file: VideoFile, upload: Upload
) -> None:
    session = {"upload_url": "http://ovu.mycdn.me/upload.do?sig=1"}
    with pytest.raises(TransientError, match="not safe"):
        desk.publisher.send(replace(upload, session=session), file, 0, ignore, unheard)
    assert desk.vk.ledger.count("upload") == 0


def test_more_than_2_gb_needs_a_setting(desk: Desk, file: VideoFile, upload: Upload) -> None:
    large = replace(file, size=2 * 1024**3 + 1)
    for act in (
        lambda: desk.open(large),
        lambda: desk.publisher.send(upload, large, 0, ignore, unheard),
    ):
        with pytest.raises(UserActionError, match=r"2\.0 GB and VK takes 2 GB"):
            act()
    assert Desk(larger=True).open(large).video_id is not None


def test_nothing_is_resumed(desk: Desk, file: VideoFile, upload: Upload) -> None:
    with pytest.raises(DataError, match="resumes no upload"):
        desk.publisher.send(upload, file, 1, ignore, unheard)


def test_over_a_socket_memory_stays_bounded(desk: Desk, tmp_path: Path) -> None:
    file = lecture(tmp_path, bytes(24 * 1024 * 1024))
    with serving(desk.vk) as served, httpx.Client() as http:
        client = desk.client_for(http, served.api)
        publisher = VkPublisher(client, clock=desk.clock)
        desk.publisher, upload = publisher, desk.open(file)
        tracemalloc.start()
        try:
            publisher.send(upload, file, 0, ignore, unheard)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 6 * 1024 * 1024
    assert [video.name for video in desk.vk.world.whole()] == [
        f"{upload.owner_id}_{upload.video_id}"
    ]


def test_over_a_socket_a_refusal_half_way_is_heard(desk: Desk, tmp_path: Path) -> None:
    file = lecture(tmp_path, bytes(4 * 1024 * 1024))
    with serving(desk.vk) as served, httpx.Client() as http:
        desk.publisher = VkPublisher(desk.client_for(http, served.api), clock=desk.clock)
        upload = desk.open(file)
        desk.vk.end_addresses()
        with pytest.raises(SessionGone):
            desk.publisher.send(upload, file, 0, ignore, unheard)
        desk.vk.fail(faults.cut(1_000_000))
        with pytest.raises(TransientError):
            desk.publisher.send(desk.open(file), file, 0, ignore, unheard)
    assert desk.vk.world.whole() == []
