"""A list so late that a video was sent again: noticed once both are shown, and for a person."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest

from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.states import StepState
from leap_pipeline.errors import UserActionError
from leap_pipeline.publishing.uploader import Video
from leap_pipeline.services import published
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.processing_looks import LookReport, look_due
from leap_pipeline.services.processing_rows import acknowledge
from tests.support.published_truth import at_platform, differences
from tests.support.studio import Y
from tests.support.studio_fakes import Fakes
from tests.support.youtube import faults as youtube_faults

EDITOR = Editor(SYSTEM, Rights())


def look(fakes: Fakes) -> LookReport:
    """A tick of the sensor, whose outcomes are stored."""
    studio = fakes.studio
    with studio.accounts() as accounts:
        report = look_due(
            studio.database, accounts.publisher, now=fakes.clock(), deadline=time.monotonic() + 30
        )
    acknowledge(studio.database, [(each.upload_id, each.looks) for each in report.outcomes])
    assert report.failed == {}
    return report


def sent_twice(fakes: Fakes, *, lag: float, processing: float = 300) -> tuple[str, str]:
    """The addresses of the first video, and of the one that is stored; all times in minutes."""
    world = fakes.youtube.world
    world.lag, world.processing_time = timedelta(minutes=lag), timedelta(minutes=processing)
    world.seconds = 1990.0
    fakes.youtube.fail(youtube_faults.gone_after(after=5))
    assert fakes.publish_until_done(Y, runs=4).state == "done"
    first, second = sorted(fakes.youtube.videos(), key=lambda each: each.made_at)
    meta = fakes.studio.bench.target_row(fakes.studio.recording, Y).target_meta or {}
    assert meta["video_id"] == second.id
    return _address(first.id), _address(second.id)


def _address(video_id: str) -> str:
    return f"https://www.youtube.com/watch?v={video_id}"


def searches(fakes: Fakes) -> int:
    return fakes.youtube.ledger.count("playlistItems.list")


def held(fakes: Fakes) -> dict[str, Any] | None:
    """The facts of the hold."""
    row = fakes.studio.is_held(Y)
    if row is None:
        return None
    assert row.kind == "doubtful_upload"
    assert "more than once" in row.reason
    return row.facts


def test_what_is_shown_by_the_first_look_is_noticed_by_it(fakes: Fakes) -> None:
    first, second = sent_twice(fakes, lag=50)
    fakes.later(minutes=10)
    assert len(look(fakes).doubled) == 1
    assert held(fakes) == {"published": second, "others": [first]}
    with pytest.raises(UserActionError, match="more than once"):
        fakes.studio.request(Y)
    with pytest.raises(UserActionError, match="retract it before"):
        settle(fakes, None)


@pytest.mark.parametrize("processing", [1, 300])
def test_what_is_shown_later_is_noticed_after_an_hour(fakes: Fakes, processing: float) -> None:
    first, second = sent_twice(fakes, lag=60, processing=processing)
    fakes.later(minutes=2)
    before = searches(fakes)
    report = look(fakes)
    assert (len(report.looked), report.doubled) == (1, [])
    assert len(report.outcomes) == (processing == 1)
    assert searches(fakes) == before + 1
    fakes.later(minutes=30)
    assert len(look(fakes).looked) == (processing != 1)
    assert searches(fakes) == before + 1
    assert held(fakes) is None
    fakes.later(minutes=40)
    assert len(look(fakes).doubled) == 1
    assert held(fakes) == {"published": second, "others": [first]}
    fakes.later(hours=6)
    assert look(fakes).doubled == []
    fakes.later(hours=6)
    assert look(fakes).looked == []
    assert searches(fakes) == before + 2


def test_what_was_sent_again_for_good_reason_is_there_once(fakes: Fakes) -> None:
    fakes.youtube.world.seconds = 1990.0
    fakes.youtube.fail(youtube_faults.gone("session.put", after=2))
    assert fakes.publish(Y).state == "done"
    before = searches(fakes)
    for _ in range(3):
        fakes.later(hours=1)
        assert look(fakes).doubled == []
    assert held(fakes) is None
    assert searches(fakes) == before + 1  # both were due at the first look
    assert differences(fakes.studio, Y, at_platform(fakes, Y)) == []


def test_what_was_sent_once_is_not_searched_for(fakes: Fakes) -> None:
    assert fakes.publish(Y).state == "done"
    before = searches(fakes)
    fakes.later(minutes=2)
    assert len(look(fakes).outcomes) == 1
    assert searches(fakes) == before


def settle(fakes: Fakes, video: Video | None) -> None:
    with fakes.studio.database.system() as session:
        published.settle_doubt(session, fakes.studio.recording, Y, video, fakes.clock(), EDITOR)


def test_a_person_may_keep_the_first_one(fakes: Fakes) -> None:
    first, second = sent_twice(fakes, lag=50)
    fakes.later(minutes=10)
    look(fakes)
    fakes.youtube.world.videos[second.rpartition("=")[2]].deleted = True
    settle(fakes, Video(first.rpartition("=")[2], first))
    assert fakes.studio.holds() == []
    with fakes.studio.database.system() as session:
        published.request_update(session, fakes.studio.recording, Y, EDITOR)
    assert fakes.publish(Y).state == "done"
    assert {row.state for row in fakes.studio.steps(Y).values()} == {StepState.DONE}
    assert differences(fakes.studio, Y, at_platform(fakes, Y)) == []
    fakes.later(hours=2)
    assert look(fakes).doubled == []
