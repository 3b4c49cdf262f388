"""Holds in the database: what they stop, what they leave as it is, and how they end."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import func, select

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.runs import RecordingHold
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.planner import PREPARE_ASSETS, Asset
from leap_pipeline.domain.states import Phase, Platform, Stage
from leap_pipeline.errors import IllegalMove, InputError, NotFound, UserActionError
from leap_pipeline.services import steering
from leap_pipeline.services.audit import SYSTEM, Actor
from leap_pipeline.services.holds import hold, live_holds, release
from leap_pipeline.services.users import add_user
from tests.support.bench import Bench, do

ADA = Actor(None, "Ada")


def place(bench: Bench, recording: int, kind: HoldKind = HoldKind.PAUSE, **given: object) -> int:
    with bench.database.tenant(bench.user_id) as session:
        return hold(session, recording, kind, "wait for the dean", actor=ADA, **given)  # type: ignore[arg-type]


def let_go(bench: Bench, hold_id: int) -> None:
    with bench.database.tenant(bench.user_id) as session:
        release(session, hold_id, ADA)


def held(bench: Bench, recording: int) -> list[tuple[str, str | None, str]]:
    with bench.database.system() as session:
        return [(row.kind, row.target_type, row.reason) for row in live_holds(session, recording)]


def published(bench: Bench) -> int:
    """A prepared recording with both targets to be published."""
    recording = bench.recording(download_status="COMPLETED")
    for platform in Platform:
        bench.target(recording, platform, "NOT_UPLOADED")
    return recording


def test_a_held_recording_is_refused_with_reason_and_facts_and_keeps_its_status(
    bench: Bench,
) -> None:
    recording = bench.recording()
    before = bench.picture(recording)
    place(bench, recording, facts={"minutes": 3})
    sentence = (
        f"Recording {recording} cannot be run: "
        r"it is held by a pause: wait for the dean \(minutes 3\)\."
    )
    with pytest.raises(UserActionError, match=sentence):
        bench.request(recording)
    assert bench.picture(recording) == before


def test_released_it_goes_on(bench: Bench) -> None:
    recording = bench.recording()
    hold_id = place(bench, recording)
    let_go(bench, hold_id)
    assert held(bench, recording) == []
    work = bench.start(recording)
    assert do(work) == list(PREPARE_ASSETS)
    work.close()
    with pytest.raises(IllegalMove, match=f"hold {hold_id} cannot go from released to released"):
        let_go(bench, hold_id)


def test_a_hold_on_one_target_leaves_the_other_and_the_preparing_alone(bench: Bench) -> None:
    recording = published(bench)
    place(bench, recording, HoldKind.APPROVAL, platform=Platform.VK)
    with pytest.raises(UserActionError, match="held for approval: wait for the dean"):
        bench.request(recording, phase=Phase.PUBLISH, platform=Platform.VK)
    youtube = bench.request(recording, phase=Phase.PUBLISH, platform=Platform.YOUTUBE)
    assert youtube.plan.selection == (Asset.YOUTUBE_UPLOAD,)
    assert bench.request(recording).plan.selection == PREPARE_ASSETS[1:]


def test_a_hold_stops_a_worker_at_its_next_step(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    assert do(work, Asset.RAW_VIDEO) == [Asset.RAW_VIDEO]
    place(bench, recording)
    assert work.begin(Asset.TRIMMED_VIDEO).left_out == "it is held by a pause: wait for the dean"
    work.close()
    run = bench.run(recording)
    assert (run.state, run.reason) == ("cancelled", "it is held by a pause: wait for the dean")
    assert bench.picture(recording).status == "DOWNLOADED"


def test_a_queued_run_that_is_held_is_not_launched(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    place(bench, recording)
    assert bench.reconcile().launches == []
    assert bench.run(recording).state == "cancelled"


def ask_again(bench: Bench, recording: int) -> tuple[int, ...]:
    with bench.database.system() as session:
        (held, *_) = live_holds(session, recording)
        return steering.release(session, held.id, SYSTEM)


def test_a_release_asks_again_for_the_run_that_the_hold_had_ended(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    place(bench, recording)
    work.close()
    assert bench.run(recording).state == "cancelled"
    (again,) = ask_again(bench, recording)
    run = bench.run(recording)
    assert (run.id, run.state, run.selection) == (again, "queued", list(PREPARE_ASSETS[1:]))
    assert run.requested_by == "system, by a release"


def test_a_release_asks_for_nothing_that_ended_for_another_reason(bench: Bench) -> None:
    cancelled, untouched = bench.recording(), bench.recording()
    bench.request(cancelled)
    with bench.database.system() as session:
        steering.cancel(session, cancelled, actor=SYSTEM)
    for recording in (cancelled, untouched):
        place(bench, recording)
        assert ask_again(bench, recording) == ()


def test_a_release_of_what_may_not_go_on_for_another_reason_asks_for_nothing(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    place(bench, recording)
    bench.reconcile()
    bench.set(recording, deleted=True)
    assert ask_again(bench, recording) == ()
    assert bench.run(recording).state == "cancelled"


def test_a_forced_run_by_hand_resets_nothing_of_what_is_held(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work)
    work.close()
    place(bench, recording)
    before = bench.picture(recording)
    forced = bench.claim(recording, force=Stage.TRIM)
    assert forced.begin(Asset.TRIMMED_VIDEO).left_out == "it is held by a pause: wait for the dean"
    forced.close()
    after = bench.picture(recording)
    assert (after.status, after.stages) == (before.status, before.stages)


def test_holding_twice_is_one_hold_with_the_latest_reason(bench: Bench) -> None:
    recording = bench.recording()
    first = place(bench, recording)
    with bench.database.tenant(bench.user_id) as session:
        again = hold(session, recording, HoldKind.PAUSE, "no, longer", facts={"n": 1}, actor=ADA)
    assert again == first
    assert held(bench, recording) == [("pause", None, "no, longer")]
    let_go(bench, first)
    assert place(bench, recording) != first


def test_holding_at_once_from_many_sides_is_one_hold(bench: Bench) -> None:
    recording, seen = bench.recording(), []
    start = threading.Barrier(8)

    def ask() -> None:
        start.wait()
        seen.append(place(bench, recording))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(seen), len(set(seen))) == (8, 1)


def test_holds_of_different_kinds_and_targets_stand_side_by_side(bench: Bench) -> None:
    recording = published(bench)
    wanted = [
        (HoldKind.QUALITY, None),
        (HoldKind.QUALITY, Platform.VK),
        (HoldKind.DOUBTFUL_UPLOAD, Platform.VK),
        (HoldKind.DOUBTFUL_UPLOAD, Platform.YOUTUBE),
    ]
    for kind, platform in wanted:
        place(bench, recording, kind, platform=platform)
    found = held(bench, recording)
    assert [(kind, target) for kind, target, _ in found] == wanted


@pytest.mark.parametrize(
    ("kind", "reason", "sentence"),
    [
        (HoldKind.PAUSE, "  ", "A hold needs a reason"),
        (HoldKind.DOUBTFUL_UPLOAD, "why", "A doubtful upload needs its target"),
    ],
)
def test_a_hold_that_says_too_little_is_refused(
    bench: Bench, kind: HoldKind, reason: str, sentence: str
) -> None:
    recording = bench.recording()
    with (
        pytest.raises(InputError, match=sentence),
        bench.database.tenant(bench.user_id) as session,
    ):
        hold(session, recording, kind, reason, actor=ADA)
    assert held(bench, recording) == []


def test_another_tenants_recording_and_hold_are_not_there(bench: Bench) -> None:
    recording = bench.recording()
    hold_id = place(bench, recording)
    with bench.database.system() as session:
        stranger = add_user(session, "stranger@example.org", "Stranger").id
    with (
        pytest.raises(InputError, match=f"There is no recording {recording}"),
        bench.database.tenant(stranger) as session,
    ):
        hold(session, recording, HoldKind.QUALITY, "mine now", actor=ADA)
    with (
        pytest.raises(NotFound, match=f"There is no hold {hold_id}"),
        bench.database.tenant(stranger) as session,
    ):
        release(session, hold_id, ADA)
    assert len(held(bench, recording)) == 1


def test_who_held_and_who_released_is_kept(bench: Bench) -> None:
    recording = bench.recording()
    hold_id = place(bench, recording)
    let_go(bench, hold_id)
    with bench.database.system() as session:
        row = session.get_one(RecordingHold, hold_id)
        assert (row.held_by, row.released_by) == ("Ada", "Ada")
        assert row.released_at is not None
        statement = (
            select(AuditEntry.action)
            .where(AuditEntry.subject_id == str(recording), AuditEntry.owner_id == bench.user_id)
            .order_by(AuditEntry.id)
        )
        assert session.scalars(statement).all() == ["recording.hold", "recording.release"]


def test_a_refused_move_releases_nothing(bench: Bench) -> None:
    hold_id = place(bench, bench.recording())
    let_go(bench, hold_id)
    with bench.database.system() as session:
        before = session.get_one(RecordingHold, hold_id).released_at
    with pytest.raises(IllegalMove):
        let_go(bench, hold_id)
    with bench.database.system() as session:
        assert session.get_one(RecordingHold, hold_id).released_at == before
        assert session.scalar(select(func.count()).select_from(RecordingHold)) == 1
