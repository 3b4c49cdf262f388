"""What stands beside a video and cannot be had now: it waits on its own, and not for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.states import Phase, Platform
from leap_pipeline.domain.wanted import GIVE_UP_AFTER
from leap_pipeline.errors import MustWaitError, TransientError
from leap_pipeline.services import published
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.later import SPREAD
from leap_pipeline.services.preview import load_preview
from leap_pipeline.services.published import Editor
from leap_pipeline.services.target_steps import CAPTIONS, THUMBNAIL, Decoration, Desk, decorate
from tests.support.published_truth import at_platform, differences
from tests.support.studio import V, Y
from tests.support.studio_fakes import Fakes
from tests.support.vk import faults as vk_faults
from tests.support.youtube import faults as youtube_faults

BOTH = pytest.mark.parametrize("platform", [Y, V])
EDITOR = Editor(SYSTEM, Rights())
CALLS = {Y: "thumbnails.set", V: "video.getThumbUploadUrl"}
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


def test_what_was_turned_away_together_does_not_come_back_together(fakes: Fakes) -> None:
    fakes.publish(Y)
    ask(fakes, Y)
    opens = fakes.clock() + timedelta(hours=3)

    def wait(_known: str | None) -> str | None:
        raise MustWaitError(FULL, opens)

    def falter(_known: str | None) -> str | None:
        raise TransientError(AWAY)

    dice = iter([0.0, 0.25, 0.5, 0.75])
    waiting, faltering = Decoration(THUMBNAIL, "x", wait), Decoration(CAPTIONS, "y", falter, "ru")
    work = fakes.studio.bench.claim(fakes.studio.recording, phase=Phase.PUBLISH, platform=Y)
    try:
        desk = Desk(work, Y, fakes.clock, lambda low, high: low + next(dice) * (high - low))
        due = []
        for wanted in ([waiting], [waiting], [waiting, faltering]):
            with pytest.raises(MustWaitError, match="it goes on later") as told:
                decorate(desk, wanted, {}, update=True)
            due.append(told.value.due_at)
    finally:
        work.close()
    assert due[:2] == [opens, opens + SPREAD / 4]
    assert due[2] == fakes.clock() + timedelta(minutes=5) + SPREAD * 0.75
    rows = fakes.studio.steps(Y)
    assert (rows[THUMBNAIL].state, rows[THUMBNAIL].reason) == ("pending", FULL)
    assert (rows[CAPTIONS].state, rows[CAPTIONS].reason) == ("pending", AWAY)


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


def test_a_step_is_given_up_after_a_day(fakes: Fakes) -> None:
    begun = fakes.clock()
    break_thumbnails(fakes, Y)
    runs = 0
    while (outcome := fakes.publish(Y)).state == "waiting":
        fakes.clock.set(max(fakes.clock(), outcome.due_at))
        runs += 1
        assert runs < 24
    assert outcome.state == "done"
    assert GIVE_UP_AFTER <= fakes.clock() - begun < GIVE_UP_AFTER + runs * 2 * SPREAD
    row = fakes.studio.steps(Y)[THUMBNAIL]
    assert row.state == "failed"
    assert "That went on for a day" in (row.reason or "")
    assert fakes.studio.bench.picture(fakes.studio.recording).targets[Y] == "UPLOADED"


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
