"""Uploads to the fake of YouTube: one video, whole, whatever goes wrong on the way."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from leap_pipeline.errors import MustWaitError, TransientError, UserActionError
from leap_pipeline.progress import ignore
from leap_pipeline.publishing.uploader import (
    Absent,
    Doubtful,
    Found,
    Gone,
    Kept,
    SessionGone,
    Upload,
    VideoFile,
)
from leap_pipeline.publishing.youtube.publisher import YouTubePublisher
from leap_pipeline.publishing.youtube.quota import QuotaCall
from leap_pipeline.redaction import redact
from leap_pipeline.web.errors import CredentialRefused
from tests.support.callbacks import unheard
from tests.support.youtube import faults
from tests.support.youtube.desk import MARKER, SENT, Desk, video
from tests.support.youtube.faults import Fault
from tests.support.youtube.world import UNIT

SIZE = 5 * UNIT + 1234


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def file(tmp_path: Path) -> VideoFile:
    return video(tmp_path, SIZE)


def _begun(desk: Desk, file: VideoFile) -> Upload:
    opened = desk.publisher().open(file, SENT, MARKER)
    return desk.upload(opened, file)


def _is_whole(desk: Desk, file: VideoFile) -> bool:
    (made,) = desk.fake.videos()
    return (made.size, made.sha256) == (file.size, file.sha256)


def _sent_twice(desk: Desk) -> int:
    return desk.fake.ledger.received() - SIZE


def test_a_video_arrives_whole_with_what_was_said_of_it(desk: Desk, file: VideoFile) -> None:
    publisher = desk.publisher()
    opened = publisher.open(file, SENT, MARKER)
    assert opened.account == desk.channel.id
    assert desk.fake.ledger.received() == 0
    told: list[float] = []
    found = publisher.send(desk.upload(opened, file), file, 0, told.append, unheard)
    (made,) = desk.fake.videos()
    assert _is_whole(desk, file)
    assert found.video_id == made.id
    assert found.url.endswith(made.id)
    assert made.snippet["tags"] == [*SENT.tags, f"leap-{MARKER}"]
    assert made.snippet["title"] == SENT.title
    assert made.status == {
        "privacyStatus": "unlisted",
        "selfDeclaredMadeForKids": False,
        "embeddable": True,
    }
    assert _sent_twice(desk) == 0
    assert told[0] == 0.0
    assert desk.fake.ledger.refused() == []
    assert desk.quota.calls == {QuotaCall.CHANNEL: 1, QuotaCall.VIDEO_INSERT: 1}


def test_the_session_is_a_secret(desk: Desk, file: VideoFile) -> None:

    opened = desk.publisher().open(file, SENT, MARKER)
    upload = desk.upload(opened, file)
    uri = opened.session["uri"]
    assert uri not in repr(opened) + repr(upload)
    assert "upload_id" not in redact(f"it broke at {uri}")


@pytest.mark.parametrize("chunks", [1, 2, 8], ids="{} units a chunk".format)
def test_chunks_of_any_size_arrive(tmp_path: Path, chunks: int) -> None:
    for size in (1, UNIT - 1, UNIT, 2 * UNIT, 2 * UNIT + 1):
        desk = Desk(chunk=chunks * UNIT)
        file = video(tmp_path, size)
        desk.publisher().send(_begun(desk, file), file, 0, ignore, unheard)
        assert _is_whole(desk, file)
        assert desk.fake.ledger.refused() == []


CUTS = [0, 1, UNIT // 2, UNIT - 1]


@pytest.mark.parametrize(
    "fault",
    [
        *(pytest.param(lambda at=at: faults.cut(at), id=f"cut after {at} bytes") for at in CUTS),
        pytest.param(lambda: faults.lost("session.put"), id="reply lost"),
        pytest.param(lambda: faults.lost("session.put", times=3), id="three replies lost"),
        pytest.param(lambda: faults.less(0), id="nothing of a chunk kept"),
        pytest.param(lambda: faults.refusal("session.put", status=500), id="500"),
        pytest.param(lambda: faults.refusal("session.put", status=503, at=UNIT), id="503 at end"),
        pytest.param(lambda: faults.refusal("session.put", status=429, retry_after=7), id="429"),
        pytest.param(
            lambda: faults.refusal("session.put", status=403, reason="userRateLimitExceeded"),
            id="too many requests",
        ),
        pytest.param(
            lambda: faults.refusal("session.put", status=401, reason="authError", at=UNIT // 2),
            id="401 half-way",
        ),
        pytest.param(lambda: faults.slow("session.put", delay=30), id="slow"),
    ],
)
@pytest.mark.parametrize("after", [0, 2, 5], ids=["first", "middle", "last"])
def test_a_fault_costs_one_chunk_at_most(
    desk: Desk, file: VideoFile, fault: Callable[[], Fault], after: int
) -> None:
    upload = _begun(desk, file)
    planned = desk.fake.fail(fault())
    planned.after = after
    times = planned.times or 1
    desk.publisher().send(upload, file, 0, ignore, unheard)
    assert planned.hits >= 1
    assert _is_whole(desk, file)
    assert _sent_twice(desk) <= UNIT * times
    assert desk.fake.ledger.refused() == []


@pytest.mark.parametrize("at", [*CUTS, UNIT, SIZE - 1, SIZE])
def test_a_dead_worker_goes_on_where_it_stopped(tmp_path: Path, file: VideoFile, at: int) -> None:
    desk = Desk(chunk=8 * UNIT)
    upload = _begun(desk, file)
    kind = faults.lost("session.put", times=None) if at == SIZE else faults.cut(at, times=None)
    desk.fake.fail(kind)
    desk.fake.fail(Fault("early_loss", ("session.probe",), times=None))
    with pytest.raises(TransientError):
        desk.publisher().send(upload, file, 0, ignore, unheard)
    desk.fake.faults.clear()
    verdict = desk.publisher().ask(upload)
    if at == SIZE:
        assert isinstance(verdict, Found)
    else:
        assert verdict == Kept(at // UNIT * UNIT)
        desk.publisher().send(upload, file, at // UNIT * UNIT, ignore, unheard)
    assert _is_whole(desk, file)
    assert _sent_twice(desk) <= SIZE


def test_any_storm_ends_with_one_whole_video(tmp_path: Path) -> None:
    dice = random.Random(5)
    for seed in range(40):
        desk = Desk(chunk=dice.choice([1, 2, 4]) * UNIT)
        file = video(tmp_path, dice.randint(1, 8 * UNIT), seed)
        upload = _begun(desk, file)
        for _ in range(dice.randint(1, 6)):
            at, after = dice.randint(0, 4 * UNIT), dice.randint(0, 4)
            desk.fake.fail(
                dice.choice(
                    [
                        faults.cut(at, after=after),
                        faults.less(at, after=after),
                        faults.lost("session.put", "session.probe", after=after),
                        faults.refusal("session.put", status=502, at=at, after=after),
                        faults.refusal("session.probe", status=500, after=after),
                    ]
                )
            )
        desk.publisher().send(upload, file, 0, ignore, unheard)
        assert _is_whole(desk, file), seed
        assert desk.fake.ledger.refused() == [], seed


def test_a_session_that_is_gone_is_told(desk: Desk, file: VideoFile) -> None:
    upload = _begun(desk, file)
    desk.fake.fail(faults.gone("session.put", after=1))
    with pytest.raises(SessionGone):
        desk.publisher().send(upload, file, 0, ignore, unheard)
    assert desk.publisher().ask(upload) == Gone()
    assert desk.publisher().search(upload) == Absent()


@pytest.mark.parametrize(("chunks", "before"), [(1, 5), (2, 2), (8, 0)])
def test_it_is_told_before_the_chunk_with_the_last_byte(
    file: VideoFile, chunks: int, before: int
) -> None:
    desk = Desk(chunk=chunks * UNIT)
    upload, seen = _begun(desk, file), list[int]()

    def closing() -> None:
        seen.append(desk.fake.ledger.count("session.put"))

    desk.publisher().send(upload, file, 0, ignore, closing)
    assert seen == [before]
    assert desk.fake.ledger.count("session.put") == before + 1


@pytest.mark.parametrize("after", range(5))
def test_it_is_not_told_of_a_session_that_ended_before(
    desk: Desk, file: VideoFile, after: int
) -> None:
    upload, seen = _begun(desk, file), list[str]()
    desk.fake.fail(faults.gone("session.put", after=after))
    with pytest.raises(SessionGone):
        desk.publisher().send(upload, file, 0, ignore, lambda: seen.append("closing"))
    assert seen == []


def test_what_cannot_be_written_down_is_not_sent(desk: Desk, file: VideoFile) -> None:
    def closing() -> None:
        raise Stop

    upload = _begun(desk, file)
    with pytest.raises(Stop):
        desk.publisher().send(upload, file, 0, ignore, closing)
    assert desk.publisher().ask(upload) == Kept(5 * UNIT)
    desk.publisher().send(upload, file, 5 * UNIT, ignore, unheard)
    assert _is_whole(desk, file)
    assert _sent_twice(desk) == 0


def test_a_video_whose_session_and_answer_are_lost_is_found(desk: Desk, file: VideoFile) -> None:
    desk.fake.world.lag = timedelta(minutes=3)
    upload = _begun(desk, file)
    desk.fake.fail(faults.gone_after(after=5))
    with pytest.raises(SessionGone):
        desk.publisher().send(upload, file, 0, ignore, unheard)
    assert _is_whole(desk, file)
    assert desk.publisher().search(upload) == Absent()
    desk.clock.advance(timedelta(minutes=5))
    found = desk.publisher().search(upload)
    assert isinstance(found, Found)
    assert found.video.video_id == desk.fake.videos()[0].id


def test_the_search_ends_a_day_before_its_session(tmp_path: Path, desk: Desk) -> None:
    file = video(tmp_path, 10)
    for number in range(110):
        opened = desk.publisher().open(file, SENT, f"{number:020}")
        desk.publisher().send(desk.upload(opened, file), file, 0, ignore, unheard)
        desk.clock.advance(timedelta(hours=1))
        desk.fake.project().spent.clear()
    upload = _begun(desk, file)
    before = desk.fake.ledger.count("playlistItems.list")
    assert desk.publisher().search(upload) == Absent()
    # 50 a page, newest first: the second page is older than a day.
    assert desk.fake.ledger.count("playlistItems.list") - before == 2
    assert desk.quota.calls[QuotaCall.SEARCH_VIDEOS] == 2
    oldest = Upload(f"{0:020}", 10, desk.channel.id, None, desk.clock() - timedelta(hours=110))
    assert isinstance(desk.publisher().search(oldest), Found)


def test_two_videos_of_one_marker_are_for_a_person(desk: Desk, file: VideoFile) -> None:
    for _ in range(2):
        upload = _begun(desk, file)
        desk.publisher().send(upload, file, 0, ignore, unheard)
    verdict = desk.publisher().search(upload)
    assert isinstance(verdict, Doubtful)
    assert len(verdict.facts["videos"]) == 2


def test_another_channel_proves_nothing(desk: Desk, file: VideoFile) -> None:
    upload = _begun(desk, file)
    other = desk.fake.add_channel("Another")
    publisher = desk.publisher(desk.tokens_of(other))
    for verdict in (publisher.ask(upload), publisher.search(upload)):
        assert isinstance(verdict, Doubtful)
        assert set(verdict.facts.values()) == {desk.channel.id, other.id}


@pytest.mark.parametrize("status", [400, 404, 410, 412, 499])
def test_a_probe_that_is_refused_tells_that_the_session_has_ended(
    desk: Desk, file: VideoFile, status: int
) -> None:
    upload = _begun(desk, file)
    desk.fake.fail(faults.refusal("session.probe", status=status, reason="invalid"))
    assert desk.publisher().ask(upload) == Gone()


def test_a_discarded_session_takes_nothing_more(desk: Desk, file: VideoFile) -> None:
    upload = _begun(desk, file)
    assert desk.publisher().discard(upload) is False
    assert desk.publisher().ask(upload) == Gone()
    assert desk.publisher().discard(upload) is False


class Stop(Exception):
    """The worker's claim is void."""


def test_progress_stops_an_upload(tmp_path: Path) -> None:
    desk = Desk()
    file = video(tmp_path, SIZE)
    upload = _begun(desk, file)

    def stop(fraction: float) -> None:
        raise Stop

    with pytest.raises(Stop):
        desk.publisher().send(upload, file, 0, stop, unheard)
    assert desk.fake.ledger.received() == 0


@pytest.mark.parametrize("size", [5, SIZE + 1])
def test_a_file_that_changed_meanwhile_is_not_sent(desk: Desk, file: VideoFile, size: int) -> None:
    upload = _begun(desk, file)
    file.path.write_bytes(bytes(size))
    with pytest.raises(TransientError, match="changed meanwhile"):
        desk.publisher().send(upload, file, 0, ignore, unheard)
    assert desk.fake.ledger.received() == 0


def test_a_file_that_ends_while_it_is_sent_is_not_sent_further(desk: Desk, file: VideoFile) -> None:
    upload = _begun(desk, file)

    def shorten() -> None:
        file.path.write_bytes(b"short")

    with pytest.raises(TransientError, match="changed meanwhile"):
        desk.publisher().send(upload, file, 0, ignore, shorten)
    assert desk.fake.videos() == []


def test_a_revoked_account_is_told_half_way(desk: Desk, file: VideoFile) -> None:
    upload = _begun(desk, file)
    desk.fake.fail(
        faults.refusal(
            "session.put", "session.probe", status=401, reason="authError", after=2, times=None
        )
    )
    with pytest.raises(CredentialRefused, match="connect the account again"):
        desk.publisher().send(upload, file, 0, ignore, unheard)


def test_a_token_that_ends_half_way_is_renewed_once(tmp_path: Path) -> None:
    desk = Desk()
    desk.tokens.make = lambda: desk.fake.add_grant(desk.channel, lives=timedelta(seconds=50))
    file = video(tmp_path, SIZE)
    upload = _begun(desk, file)
    desk.fake.fail(Fault("slow", ("session.put",), after=1, delay=60.0))
    desk.publisher().send(upload, file, 0, ignore, unheard)
    assert _is_whole(desk, file)
    assert desk.tokens.renewed == 1
    assert desk.fake.ledger.count("videos.insert") == 1


def test_quota_that_is_gone_waits_for_its_reset(desk: Desk, file: VideoFile) -> None:
    desk.fake.project().inserts = 0
    with pytest.raises(MustWaitError) as wait:
        desk.publisher().open(file, SENT, MARKER)
    assert wait.value.due_at == desk.quota.reset
    assert desk.quota.refusals == [QuotaCall.VIDEO_INSERT]
    desk.quota.full = frozenset({QuotaCall.VIDEO_INSERT})
    before = desk.fake.ledger.count("videos.insert")
    with pytest.raises(MustWaitError):
        desk.publisher().open(file, SENT, MARKER)
    assert desk.fake.ledger.count("videos.insert") == before


def test_the_channels_own_cap_waits_a_day(desk: Desk, file: VideoFile) -> None:
    desk.fake.fail(faults.refusal("videos.insert", status=400, reason="uploadLimitExceeded"))
    with pytest.raises(MustWaitError, match="no more videos today") as wait:
        desk.publisher().open(file, SENT, MARKER)
    assert wait.value.due_at == desk.clock() + timedelta(hours=24)


def test_opening_is_never_repeated_on_a_guess(desk: Desk, file: VideoFile) -> None:
    desk.fake.fail(faults.lost("videos.insert"))
    with pytest.raises(TransientError):
        desk.publisher().open(file, SENT, MARKER)
    assert desk.fake.ledger.count("videos.insert") == 1
    desk.fake.fail(faults.refusal("videos.insert", status=403, reason="rateLimitExceeded"))
    desk.publisher().open(file, SENT, MARKER)
    assert desk.fake.ledger.count("videos.insert") == 3


def test_an_account_without_a_channel_is_told(desk: Desk, file: VideoFile) -> None:
    with pytest.raises(UserActionError, match="no YouTube channel"):
        desk.publisher(desk.tokens_of(None)).open(file, SENT, MARKER)


def test_a_minute_without_a_byte_is_enough(desk: Desk, file: VideoFile) -> None:
    upload = _begun(desk, file)
    desk.fake.fail(faults.less(0, times=None))
    began = desk.clock()
    with pytest.raises(TransientError, match="takes the bytes and says that it has none"):
        desk.publisher().send(upload, file, 0, ignore, unheard)
    assert desk.clock() - began <= timedelta(minutes=1)


def test_an_upload_that_waits_can_be_stopped(tmp_path: Path, desk: Desk) -> None:
    file = video(tmp_path, SIZE)
    upload = _begun(desk, file)
    planned = desk.fake.fail(
        faults.refusal("session.put", status=503, retry_after=50, after=1, times=None)
    )
    publisher = YouTubePublisher(
        desk.http, desk.tokens, desk.quota, chunk=UNIT, clock=desk.clock, sleep=time.sleep
    )

    def stop(fraction: float) -> None:
        if planned.hits:
            raise Stop

    began = time.monotonic()
    with pytest.raises(Stop):
        publisher.send(upload, file, 0, stop, unheard)
    assert time.monotonic() - began < 10
    assert desk.fake.videos() == []
