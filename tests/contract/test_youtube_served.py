"""The fake of YouTube in a process of its own: real sockets, and a client that is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from leap_pipeline.progress import ignore
from leap_pipeline.publishing.uploader import Found, Kept, Upload
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from tests.support.callbacks import unheard
from tests.support.youtube import faults
from tests.support.youtube.desk import MARKER, SENT, Spent, Tokens, video
from tests.support.youtube.serve import Remote, process
from tests.support.youtube.world import UNIT
from tests.support.zoom.clock import Clock


@pytest.fixture(scope="module")
def remote() -> Iterator[Remote]:
    with process() as served:
        yield served


def _publisher(remote: Remote, http: httpx.Client, channel: str) -> YouTubePublisher:
    tokens = Tokens(lambda: remote.add_grant(channel))
    return YouTubePublisher(
        http,
        tokens,
        Spent(Clock()),
        root_url=remote.root_url,
        chunk=2 * UNIT,
        sleep=lambda _s: None,
    )


def test_a_killed_client_goes_on_in_another_process(remote: Remote, tmp_path: Path) -> None:
    channel, _ = remote.add_channel()
    file = video(tmp_path, 9 * UNIT + 77)
    since = len(remote.ledger())
    with httpx.Client() as http:
        publisher = _publisher(remote, http, channel)
        opened = publisher.open(file, SENT, MARKER)
        upload = Upload(MARKER, file.size, channel, opened.session, datetime.now(UTC))
        remote.fail(faults.Fault("slow", ("session.put",), after=2, delay=60))
        child = os.fork()
        if child == 0:
            try:
                with httpx.Client() as own:
                    _publisher(remote, own, channel).send(upload, file, 0, ignore, unheard)
            finally:
                os._exit(0)
        deadline = time.monotonic() + 20
        while not any(each["kept"] == 4 * UNIT for each in remote.ledger(since)):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        verdict = publisher.ask(upload)
        assert verdict == Kept(4 * UNIT)
        found = publisher.send(upload, file, 4 * UNIT, ignore, unheard)
    (made,) = [each for each in remote.state()["videos"] if each["channel"] == channel]
    assert (made["id"], made["sha256"], made["size"]) == (found.video_id, file.sha256, file.size)


@pytest.mark.parametrize("kind", ["cut", "lost", "status"])
def test_faults_break_real_connections(remote: Remote, tmp_path: Path, kind: str) -> None:
    channel, _ = remote.add_channel()
    file = video(tmp_path, 5 * UNIT + 1)
    with httpx.Client() as http:
        publisher = _publisher(remote, http, channel)
        opened = publisher.open(file, SENT, MARKER)
        upload = Upload(MARKER, file.size, channel, opened.session, datetime.now(UTC))
        remote.fail(faults.Fault(kind, ("session.put",), after=1, at=UNIT + 5))  # type: ignore[arg-type]
        publisher.send(upload, file, 0, ignore, unheard)
        assert isinstance(publisher.ask(upload), Found)
    (made,) = [each for each in remote.state()["videos"] if each["channel"] == channel]
    assert made["sha256"] == file.sha256


def test_its_clock_is_moved_from_outside(remote: Remote, tmp_path: Path) -> None:
    channel, _ = remote.add_channel()
    file = video(tmp_path, 100)
    with httpx.Client() as http:
        publisher = _publisher(remote, http, channel)
        opened = publisher.open(file, SENT, MARKER)
        upload = Upload(MARKER, file.size, channel, opened.session, datetime.now(UTC))
        found = publisher.send(upload, file, 0, ignore, unheard)
        assert publisher.processing(found).state == "processing"
        remote.advance(timedelta(minutes=5))
        done = publisher.processing(found)
    assert (done.state, done.seconds) == ("processed", 60.0)
