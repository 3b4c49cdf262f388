"""What stands beside a video and cannot be had now: it waits on its own, and not for ever."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from leap_pipeline.db.models.publishing import TargetStep
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.planner import UPLOADS
from leap_pipeline.domain.states import Phase, Platform
from leap_pipeline.domain.wanted import GIVE_UP_AFTER
from leap_pipeline.errors import DataError, MustWaitError, TransientError
from leap_pipeline.services import publish_run, published
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.later import SPREAD
from leap_pipeline.services.preview import load_preview
from leap_pipeline.services.step_rows import Desk
from leap_pipeline.services.target_steps import (
    CAPTIONS,
    COLLECTION,
    THUMBNAIL,
    Decoration,
    decorate,
)
from tests.support.bench import die as killed
from tests.support.published_truth import at_platform, differences
from tests.support.studio import Died, V, Y
from tests.support.studio_fakes import Fakes
from tests.support.vk import faults as vk_faults
from tests.support.youtube import faults as youtube_faults

BOTH = pytest.mark.parametrize("platform", [Y, V])
EDITOR = Editor(SYSTEM, Rights())
CALLS = {Y: "thumbnails.set", V: "video.getThumbUploadUrl"}
ODD = "YouTube's answer is none that LEAP knows."
FULL, AWAY = "The quota is gone.", "YouTube answered HTTP 503: try again later."


def break_thumbnails(fakes: Fakes, platform: Platform) -> None:
    if platform is Y:
        fakes.youtube.fail(youtube_faults.refusal(CALLS[Y], status=503, times=None))
    else:
        fakes.vk.fail(vk_faults.server_error(CALLS[V], times=None))


def ask(fakes: Fakes, platform: Platform) -> None:
    with fakes.studio.database.system() as session:
        published.request_update(session, fakes.studio.recording, platform, EDITOR)


def states(fakes: Fakes, platform: Platform) -> dict[str, str]:
    return {kind: row.state for kind, row in fakes.studio.steps(platform).items()}


class Trying:
    """A worker that decorates the published video of YouTube."""

    def __init__(self, fakes: Fakes, *dice: float) -> None:
        ask(fakes, Y)
        self.fakes, given = fakes, iter(dice)
        studio = fakes.studio
        self.work = studio.bench.claim(studio.recording, phase=Phase.PUBLISH, platform=Y)
        self.desk = Desk(
            self.work, Y, fakes.clock, lambda low, high: low + next(given, 0.0) * (high - low)
        )

    def due(self, *decorations: Decoration) -> datetime | None:
        """When it goes on."""
        try:
            decorate(self.desk, decorations, {})
        except MustWaitError as wait:
            return wait.due_at
        return None

    def rows(self) -> dict[str, tuple[str, str | None]]:
        return {kind: (row.state, row.reason) for kind, row in self.fakes.studio.steps(Y).items()}


@pytest.fixture
def trying(fakes: Fakes) -> Iterator[Callable[..., Trying]]:
    """Workers at a video that is published, with nothing beside it."""
    fakes.publish(Y)
    made: list[Trying] = []

    def make(*dice: float) -> Trying:
        made.append(Trying(fakes, *dice))
        with fakes.studio.database.system() as session:
            session.execute(delete(TargetStep))
        return made[-1]

    yield make
    for each in made:
        each.work.close()


def raising(error: Exception) -> Callable[[str | None], str | None]:
    def act(_known: str | None) -> str | None:
        raise error

    return act


def test_what_was_turned_away_together_does_not_come_back_together(
    fakes: Fakes, trying: Callable[..., Trying]
) -> None:
    opens = fakes.clock() + timedelta(hours=3)
    waiting = Decoration(THUMBNAIL, "x", raising(MustWaitError(FULL, opens)))
    faltering = Decoration(CAPTIONS, "y", raising(TransientError(AWAY)), "ru")
    worker = trying(0.0, 0.25, 0.5, 0.75)
    assert worker.due(waiting) == opens
    assert worker.due(waiting) == opens + SPREAD / 4
    assert worker.due(waiting, faltering) == fakes.clock() + timedelta(minutes=5) + SPREAD * 0.75
    assert worker.rows() == {THUMBNAIL: ("pending", FULL), CAPTIONS: ("pending", AWAY)}


@pytest.mark.parametrize("named", [False, True])
def test_a_step_is_given_up_after_a_day(
    fakes: Fakes, trying: Callable[..., Trying], named: bool
) -> None:
    """Also where a platform names a moment each time: that it is just about to work."""
    begun, worker, gaps = fakes.clock(), trying(), []

    def falter(_known: str | None) -> str | None:
        raise MustWaitError(AWAY, fakes.later(seconds=1)) if named else TransientError(AWAY)

    while (due := worker.due(Decoration(THUMBNAIL, "x", falter))) is not None:
        gaps.append(due - fakes.clock())
        fakes.clock.set(due)
    assert gaps[0] == timedelta(minutes=5)
    assert gaps[:-1] == sorted(gaps[:-1])
    assert GIVE_UP_AFTER <= fakes.clock() - begun < GIVE_UP_AFTER + timedelta(minutes=1)
    state, reason = worker.rows()[THUMBNAIL]
    assert state == "failed"
    assert reason == f"{AWAY} That went on for a day: see whether it works again, then update."


def test_an_answer_that_nobody_foresaw_stops_no_other_step(trying: Callable[..., Trying]) -> None:
    worker, odd = trying(), Decoration(COLLECTION, "x", raising(DataError(ODD)))
    assert worker.due(odd, Decoration(CAPTIONS, "y", lambda _known: "track")) is None
    assert worker.rows() == {COLLECTION: ("failed", ODD), CAPTIONS: ("done", None)}


@BOTH
def test_a_death_after_the_receipt_leaves_something_to_do(
    fakes: Fakes, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_given: Any, **_named: Any) -> None:
        raise Died

    monkeypatch.setattr(publish_run, "decorate", die)
    with pytest.raises(Died):
        fakes.publish(platform)
    monkeypatch.undo()
    studio = fakes.studio
    work = studio.bench.claim(studio.recording, phase=Phase.PUBLISH, platform=platform)
    assert work.begin(UPLOADS[platform]).left_out is None
    killed(work)
    assert fakes.publish(platform).state == "done"
    assert differences(studio, platform, at_platform(fakes, platform)) == []


def test_a_video_is_changed_by_the_account_that_uploaded_it(fakes: Fakes) -> None:
    """Also where its file is gone from here."""
    fakes.publish(Y)
    studio = fakes.studio
    stranger = fakes.youtube.add_grant(fakes.youtube.add_channel())
    studio.use(Y, studio.account(Y, stranger, "stranger"))
    studio.bench.configure(studio.recording, metadata_config={"title_template": "Другое"})
    studio.bench.set(studio.recording, processed_video_path=None)
    ask(fakes, Y)
    assert fakes.publish(Y).state == "done"
    assert fakes.video(Y).snippet["title"] == "Другое"


@BOTH
def test_a_step_that_cannot_be_done_now_waits_alone(fakes: Fakes, platform: Platform) -> None:
    break_thumbnails(fakes, platform)
    outcome = fakes.publish(platform)
    assert outcome.state == "waiting"
    found = states(fakes, platform)
    assert found.pop(THUMBNAIL) == "pending"
    assert "pending" not in found.values()
    assert fakes.studio.bench.picture(fakes.studio.recording).targets[platform] == "UPLOADED"
    (fakes.youtube if platform is Y else fakes.vk).faults.clear()
    fakes.clock.set(outcome.due_at)
    assert fakes.publish(platform).state == "done"
    assert differences(fakes.studio, platform, at_platform(fakes, platform)) == []


@BOTH
def test_after_an_update_nothing_differs(fakes: Fakes, platform: Platform) -> None:
    fakes.publish(platform)
    studio = fakes.studio
    studio.bench.configure(
        studio.recording, metadata_config={"title_template": "Другое: {display_name}"}
    )

    def differing() -> list[Any]:
        with studio.database.tenant(studio.bench.user_id) as session:
            there = load_preview(
                session, studio.bench.storage, studio.recording, platform, fakes.clock()
            ).there
        assert there is not None
        return [each.field for each in there.changes]

    assert differing() == ["title"]
    before = studio.bench.target_row(studio.recording, platform).target_meta or {}
    ask(fakes, platform)
    assert fakes.publish(platform).state == "done"
    assert differing() == []
    after = studio.bench.target_row(studio.recording, platform).target_meta or {}
    assert after["sent"]["title"] == "Другое: Лекция 0"
    assert {**after, "sent": None} == {**before, "sent": None}
