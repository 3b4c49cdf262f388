"""Sessions that end before their video is confirmed: found, or sent again, and never twice."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
import pytest

from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.domain.states import Platform
from leap_pipeline.services.upload_rows import UploadRows
from tests.support.dying import assert_once, die_while_sending, is_bytes, sent
from tests.support.studio import SIZE, Died, V, Y, lecture
from tests.support.studio_fakes import Fakes
from tests.support.youtube import faults as youtube_faults

BOTH = pytest.mark.parametrize("platform", [Y, V])


def stored(fakes: Fakes, platform: Platform) -> UploadSession:
    row = fakes.studio.upload(platform)
    assert row is not None
    return row


@BOTH
def test_that_the_last_bytes_go_out_is_stored_before_they_do(
    fakes: Fakes, platform: Platform
) -> None:
    seen: list[datetime | None] = []

    def look(request: httpx.Request) -> None:
        if is_bytes(request):
            seen.append(stored(fakes, platform).closing_at)

    fakes.network.watch = look
    assert fakes.publish(platform).state == "done"
    *before, last = seen
    assert last is not None
    assert before == [None] * (5 if platform is Y else 0)


def test_it_is_stored_once_however_often_they_go_out(fakes: Fakes) -> None:
    die_while_sending(fakes, Y, 6)
    closing_at = stored(fakes, Y).closing_at
    assert closing_at == fakes.clock()
    fakes.later(hours=1)
    fakes.youtube.fail(youtube_faults.cut(1000))
    assert fakes.publish(Y).state == "done"
    assert stored(fakes, Y).closing_at == closing_at
    assert_once(fakes, Y)


def test_a_session_that_is_gone_before_the_last_bytes_is_replaced_at_once(fakes: Fakes) -> None:
    fakes.youtube.fail(youtube_faults.gone("session.put", after=2))
    assert fakes.publish(Y).state == "done"
    assert_once(fakes, Y)
    calls = [each.call for each in fakes.youtube.ledger.entries]
    assert fakes.youtube.ledger.count("videos.insert") == 2
    between = calls[calls.index("videos.insert") : len(calls) - calls[::-1].index("videos.insert")]
    assert "playlistItems.list" not in between
    assert stored(fakes, Y).generation == 2
    assert sent(fakes, Y) < 2 * SIZE


def test_a_session_that_goes_away_each_time_is_not_opened_for_ever(fakes: Fakes) -> None:
    for _ in range(9):
        fakes.youtube.fail(youtube_faults.gone("session.put"))
    ended = fakes.publish(Y)
    assert ended.state == "failed"
    assert "begins over and over" in str(ended.error)
    assert fakes.youtube.ledger.count("videos.insert") <= 3
    fakes.youtube.faults.clear()
    fakes.studio.request(Y)
    assert fakes.publish_until_done(Y).state == "done"
    assert_once(fakes, Y)


def test_after_the_last_bytes_two_looks_must_find_nothing(fakes: Fakes) -> None:
    fakes.youtube.fail(youtube_faults.gone("session.put", after=5))
    ended = fakes.publish(Y)
    assert ended.state == "waiting"
    row = stored(fakes, Y)
    assert (row.state, row.absences, row.session) == ("lost", 1, None)
    assert timedelta(minutes=40) <= ended.due_at - fakes.clock() <= timedelta(minutes=44)

    fakes.later(minutes=30)  # somebody starts it too early
    before = fakes.requests(Y)
    assert fakes.publish(Y).state == "waiting"
    assert fakes.requests(Y) == before
    fakes.clock.set(ended.due_at)
    assert fakes.youtube.ledger.count("videos.insert") == 1

    assert fakes.publish(Y).state == "done"
    assert_once(fakes, Y)
    first, second = fakes.youtube.ledger.of("videos.insert")
    looks = [each.at for each in fakes.youtube.ledger.of("playlistItems.list")]
    looks = [at for at in looks if first.at <= at <= second.at]
    assert looks[-1] - looks[0] >= timedelta(minutes=40)
    row = stored(fakes, Y)
    assert (row.generation, row.absences) == (2, 0)
    assert sent(fakes, Y) < 2 * SIZE


@pytest.mark.parametrize("lag", [0, 8, 38])
def test_a_session_that_went_away_with_the_last_byte_left_its_video(fakes: Fakes, lag: int) -> None:
    fakes.youtube.world.lag = timedelta(minutes=lag)
    fakes.youtube.fail(youtube_faults.gone_after(after=5))
    assert fakes.publish(Y).state == ("waiting" if lag else "done")
    fakes.publish_until_done(Y)
    assert_once(fakes, Y)
    assert sent(fakes, Y) == SIZE


def test_a_file_made_anew_while_the_last_bytes_may_be_on_their_way_is_looked_for(
    fakes: Fakes,
) -> None:
    die_while_sending(fakes, Y, 6)
    fakes.studio.write(fakes.studio.paths.video, lecture(SIZE + 99, seed=7))
    assert fakes.publish(Y).state == "waiting"
    assert len(fakes.youtube.ledger.did("cancelled")) == 1
    assert fakes.publish_until_done(Y).state == "done"
    assert_once(fakes, Y)


def test_an_address_of_vk_that_ended_is_replaced_and_its_draft_deleted(fakes: Fakes) -> None:
    die_while_sending(fakes, V)
    fakes.later(hours=25)
    first = fakes.publish(V)
    assert first.state == "waiting"
    assert timedelta(minutes=5) <= first.due_at - fakes.clock() <= timedelta(minutes=9)
    assert fakes.publish_until_done(V).state == "done"
    assert_once(fakes, V)
    assert fakes.vk.world.drafts() == []
    assert fakes.vk.ledger.count("video.save") == 2


def test_an_address_of_vk_that_ended_unused_is_replaced_at_once(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_rows: UploadRows, _at: datetime) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(UploadRows, "closing", die)
        with pytest.raises(Died):
            fakes.publish(V)
    fakes.later(hours=25)
    assert fakes.publish(V).state == "done"
    assert_once(fakes, V)
    assert fakes.vk.world.drafts() == []
    assert fakes.vk.ledger.count("video.save") == 2
