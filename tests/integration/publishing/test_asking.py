"""Which uploads are asked for: by a person, and by themselves after preparing."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import lazyload

from leap_pipeline.db.models.bulk import BulkAction
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.bulk import BulkKind
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.permissions import NEW_USER
from leap_pipeline.domain.states import Phase, Platform, TargetStatus
from leap_pipeline.errors import UserActionError
from leap_pipeline.services import steering
from leap_pipeline.services.audit import SYSTEM, Actor
from leap_pipeline.services.bulk_actions import Choice, ask, carry_out_next
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.holds import hold
from leap_pipeline.services.moves import move_target
from leap_pipeline.services.targets import Asked, publish_by_itself, request_publishing
from tests.support.bench import Bench
from tests.support.studio_fakes import Fakes

Y, V = Platform.YOUTUBE, Platform.VK


@pytest.fixture
def prepared(fakes: Fakes, bench: Bench) -> int:
    """Ready for both platforms, and nothing is asked for yet."""
    recording = fakes.studio.recording
    bench.configure(recording, output_config={"auto_upload": True})
    return recording


def by_itself(bench: Bench, recording: int) -> dict[str, str]:
    with bench.database.system() as session:
        publish_by_itself(session, recording)
    return publish_runs(bench, recording)


def publish_runs(bench: Bench, recording: int) -> dict[str, str]:
    """The state of the newest run of each platform."""
    with bench.database.system() as session:
        rows = session.scalars(
            select(RecordingRun)
            .where(RecordingRun.recording_id == recording, RecordingRun.phase == Phase.PUBLISH)
            .order_by(RecordingRun.id)
            .options(lazyload("*"))
        )
        return {str(row.target_type): row.state for row in rows}


def by_hand(bench: Bench, recording: int) -> Asked:
    with bench.database.system() as session:
        return request_publishing(session, recording, requested_by="test")


def held(bench: Bench, recording: int, platform: Platform | None = None) -> int:
    with bench.database.system() as session:
        kind = HoldKind.APPROVAL
        return hold(session, recording, kind, "look first", platform=platform, actor=SYSTEM)


def test_what_is_held_is_published_when_it_is_released(bench: Bench, prepared: int) -> None:
    hold_id = held(bench, prepared)
    assert by_itself(bench, prepared) == {"YOUTUBE": "cancelled", "VK": "cancelled"}
    assert bench.row(prepared).status == "PROCESSED"
    assert by_itself(bench, prepared) == {"YOUTUBE": "cancelled", "VK": "cancelled"}
    with bench.database.system() as session:
        assert len(steering.release(session, hold_id, SYSTEM)) == 2
    assert publish_runs(bench, prepared) == {"YOUTUBE": "queued", "VK": "queued"}


def test_what_a_person_took_away_does_not_come_back_by_itself(bench: Bench, prepared: int) -> None:
    assert by_itself(bench, prepared) == {"YOUTUBE": "queued", "VK": "queued"}
    with bench.database.system() as session:
        steering.cancel(session, prepared, actor=SYSTEM)
        for wanted in (TargetStatus.UPLOADING, TargetStatus.UPLOADED):
            move_target(session, prepared, Y, wanted, meta={"video_id": "abc", "url": "https://y"})
        move_target(session, prepared, Y, TargetStatus.NOT_UPLOADED, reason="the wrong lecture")
    assert by_itself(bench, prepared) == {"YOUTUBE": "cancelled", "VK": "queued"}
    assert set(by_hand(bench, prepared).requested) == {Y, V}


def test_in_bulk_what_one_platform_does_counts_beside_what_another_refuses(
    bench: Bench, prepared: int
) -> None:
    held(bench, prepared, Y)
    editor = Editor(Actor(bench.user_id, "owner@example.org"), NEW_USER)
    choice = Choice(bench.user_id, ids=(prepared,))
    ask(bench.database, editor, choice, BulkKind.PUBLISH, {})
    while carry_out_next(bench.database):
        pass
    with bench.database.system() as session:
        row = session.scalars(select(BulkAction)).one()
    assert (row.done, row.changed, row.refused) == (1, 1, 1)
    assert row.refusals[0]["sentence"].startswith("YouTube: ")
    assert publish_runs(bench, prepared) == {"VK": "queued"}


def test_a_platform_that_is_refused_stops_no_other(bench: Bench, prepared: int) -> None:
    held(bench, prepared, Y)
    asked = by_hand(bench, prepared)
    assert list(asked.requested) == [V]
    assert "look first" in asked.refused[Y]
    held(bench, prepared, V)
    with pytest.raises(UserActionError, match="look first"):
        by_hand(bench, prepared)
