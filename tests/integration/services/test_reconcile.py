"""Reconcile puts back the dead, wakes what is due and launches what is queued; nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.planner import PREPARE_ASSETS, Asset
from leap_pipeline.domain.states import Phase, Platform
from leap_pipeline.errors import Superseded
from leap_pipeline.services import reconcile as reconciling
from leap_pipeline.services.claim import Token
from leap_pipeline.services.launching import launch_now
from leap_pipeline.services.work import Work
from tests.support.bench import ATTEMPTS, Bench, Report, die, do

NOW = datetime.now(UTC)
LATER = NOW + reconciling.LAUNCH_PATIENCE + timedelta(minutes=1)


@pytest.fixture(autouse=True)
def fresh_clock() -> None:
    """A long suite imports a module many minutes before it runs its tests."""
    global NOW, LATER
    NOW = datetime.now(UTC)
    LATER = NOW + reconciling.LAUNCH_PATIENCE + timedelta(minutes=1)


def launched(bench: Bench, report: Report) -> Work:
    """What Dagster would do with the one launch of a report."""
    (launch,) = report.launches
    return bench.claim(launch.recording_id, Token(launch.run_id, launch.generation))


def test_with_nothing_to_do_nothing_is_done(bench: Bench) -> None:
    bench.recording()
    assert bench.reconcile() == Report()


def test_a_queued_row_is_launched_once(bench: Bench) -> None:
    recording = bench.recording()
    requested = bench.request(recording)
    (launch,) = bench.reconcile(NOW).launches
    assert (launch.run_id, launch.generation) == (requested.run_id, requested.generation)
    assert launch.partition == f"{bench.slug:06d}-{recording}"
    assert (launch.user_id, launch.phase, launch.platform) == (
        bench.user_id,
        Phase.PREPARE,
        None,
    )
    assert launch.selection == PREPARE_ASSETS
    assert launch.run_key.startswith(f"{recording}:prepare:")
    assert bench.run(recording).requested_at == NOW
    assert bench.reconcile(NOW, lost=True) == Report()


def test_a_dead_worker_is_put_back_and_its_run_launched_anew(bench: Bench) -> None:
    recording = bench.recording()
    dead = bench.start(recording)
    do(dead, Asset.RAW_VIDEO)
    dead.begin(Asset.TRIMMED_VIDEO)
    die(dead)
    report = bench.reconcile()
    assert report.put_back == [dead.run_id]
    assert report.launches[0].generation == dead.generation + 1
    assert report.launches[0].selection == PREPARE_ASSETS[1:]
    found = bench.picture(recording)
    assert found.stages["TRIM"] == "PENDING"
    assert found.status == found.projected == "DOWNLOADED"
    with pytest.raises(Superseded):
        bench.claim(recording, Token(dead.run_id, dead.generation))
    work = launched(bench, report)
    do(work)
    work.close()
    assert bench.picture(recording).status == "PROCESSED"


def test_a_living_worker_is_left_alone(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    for asset in (Asset.RAW_VIDEO, Asset.TRIMMED_VIDEO):
        begun = work.begin(asset)
        before = bench.picture(recording)
        assert bench.reconcile(LATER, lost=True) == Report()
        assert bench.picture(recording) == before
        work.complete(asset, begun)
    work.close()


def test_a_row_whose_worker_lives_is_not_put_back_even_when_asked_to(bench: Bench) -> None:
    """Between looking for the dead and burying one, somebody else may have taken it up."""
    work = bench.start(bench.recording())
    before = bench.picture(work.recording_id)
    assert not reconciling.put_back_if_dead(bench.database, work.run_id, max_attempts=1)
    assert bench.picture(work.recording_id) == before
    die(work)
    assert reconciling.put_back_if_dead(bench.database, work.run_id, max_attempts=ATTEMPTS)


def test_the_lock_of_one_recording_says_nothing_of_another(bench: Bench) -> None:
    dead, living = bench.start(bench.recording()), bench.start(bench.recording())
    die(dead)
    report = bench.reconcile()
    assert report.put_back == [dead.run_id]
    assert bench.run(living.recording_id).state == "running"
    living.close()


def test_the_lock_of_a_target_says_nothing_of_the_prepare_phase(bench: Bench) -> None:
    recording = bench.recording()
    prepare = bench.start(recording)
    publish = bench.claim(recording, phase=Phase.PUBLISH, platform=Platform.VK)
    die(prepare)
    assert bench.reconcile().put_back == [prepare.run_id]
    publish.close()


def test_a_waiting_row_wakes_when_it_is_due_and_not_before(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    work.begin(Asset.RAW_VIDEO)
    work.wait_until(NOW + timedelta(hours=1), "the quota resets in an hour")
    work.close()
    assert bench.reconcile(NOW + timedelta(minutes=59)) == Report()
    report = bench.reconcile(NOW + timedelta(minutes=60))
    assert report.woken == [work.run_id]
    run = bench.run(recording)
    assert (run.state, run.due_at, run.generation) == ("queued", None, work.generation + 1)
    work = launched(bench, report)
    assert do(work) == list(PREPARE_ASSETS)
    work.close()


def test_waiting_often_is_no_death(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    for _ in range(ATTEMPTS + 1):
        work.begin(Asset.RAW_VIDEO)
        work.wait_until(NOW, "not yet")
        work.close()
        work = launched(bench, bench.reconcile(LATER))
    work.begin(Asset.RAW_VIDEO)
    die(work)
    assert bench.reconcile(LATER).put_back == [work.run_id]
    assert bench.run(recording).state == "queued"


def test_a_lost_launch_is_asked_for_again_with_a_new_token(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    (first,) = bench.reconcile(NOW).launches
    assert bench.reconcile(NOW + timedelta(seconds=29), lost=True) == Report()
    (second,) = bench.reconcile(LATER, lost=True).launches
    assert second.generation == first.generation + 1
    assert second.run_key != first.run_key
    with pytest.raises(Superseded):
        bench.claim(recording, Token(first.run_id, first.generation))
    bench.claim(recording, Token(second.run_id, second.generation)).close()


def test_a_launch_that_still_stands_in_the_queue_is_not_asked_for_again(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    (launch,) = bench.reconcile(NOW).launches
    assert bench.reconcile(LATER, lost=False) == Report()
    run = bench.run(recording)
    assert (run.generation, run.requested_at) == (launch.generation, LATER)


def test_a_long_queue_does_not_starve_a_new_row(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconciling, "BATCH", 2)
    for _ in range(3):
        bench.request(bench.recording())
    for _ in range(2):
        bench.reconcile(NOW)
    newest = bench.recording()
    bench.request(newest)
    (launch,) = bench.reconcile(LATER).launches
    assert launch.recording_id == newest


def test_a_queued_row_with_nothing_to_do_ends(bench: Bench) -> None:
    recording = bench.recording(download_status="COMPLETED")
    bench.request(recording)
    bench.permit(can_process_video=False, can_transcribe=False)
    assert bench.reconcile().ended == [bench.run(recording).id]
    assert bench.run(recording).state == "done"
    assert set(bench.picture(recording).stages.values()) == {"SKIPPED"}
    assert bench.picture(recording).status == "PROCESSED"


def test_a_queued_row_of_a_deleted_recording_is_cancelled_with_the_reason(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    bench.set(recording, deleted=True)
    assert bench.reconcile().ended == [bench.run(recording).id]
    run = bench.run(recording)
    assert (run.state, run.reason) == ("cancelled", "the recording is deleted; restore it first")


def test_one_wrong_configuration_fails_its_recording_and_holds_up_no_other(bench: Bench) -> None:
    wrong, right = bench.recording(), bench.recording()
    for recording in (wrong, right):
        bench.request(recording)
    bench.configure(wrong, video={"padding": -1})
    report = bench.reconcile()
    assert report.ended == [bench.run(wrong).id]
    assert [launch.recording_id for launch in report.launches] == [right]
    assert bench.run(wrong).state == "failed"
    found = bench.picture(wrong)
    assert found.status == found.projected == "FAILED"
    assert "video.padding" in (found.failed[1] or "")
    bench.configure(wrong)
    assert bench.request(wrong).plan.selection == PREPARE_ASSETS


@pytest.mark.parametrize("finished", range(3))
def test_a_step_is_failed_after_so_many_deaths_over_it(bench: Bench, finished: int) -> None:
    """Deaths count over one step: what was finished before them does not matter."""
    recording = bench.recording()
    bench.request(recording)
    work = bench.claim(recording)
    if finished:
        do(work, *PREPARE_ASSETS[:finished])
    for death in range(1, ATTEMPTS + 1):
        work.begin(PREPARE_ASSETS[finished])
        die(work)
        report = bench.reconcile()
        assert report.put_back == [work.run_id]
        if death < ATTEMPTS:
            work = launched(bench, report)
    assert report.launches == []
    found = bench.picture(recording)
    assert found.runs[0][0] == "failed"
    assert found.status == found.projected == "FAILED"
    stage, reason, _ = found.failed
    assert stage == ("DOWNLOAD" if finished == 0 else "TRIM")
    assert reason == "its worker died 3 times in a row: see the log of the run, then retry"


def test_a_finished_step_starts_the_count_anew(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    work = bench.claim(recording)
    for asset in PREPARE_ASSETS[:3]:
        for _ in range(ATTEMPTS - 1):
            work.begin(asset)
            die(work)
            work = launched(bench, bench.reconcile())
        do(work, asset)
    work.close()
    assert bench.picture(recording).stages["TRIM"] == "COMPLETED"


def test_workers_that_die_before_they_begin_end_in_a_failure_too(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    work = bench.claim(recording)
    for _ in range(ATTEMPTS - 1):
        die(work)
        work = launched(bench, bench.reconcile())
    die(work)
    bench.reconcile()
    found = bench.picture(recording)
    assert found.status == found.projected == "FAILED"
    assert bench.run(recording).state == "failed"


def test_a_row_that_vanished_is_no_trouble(bench: Bench) -> None:
    with bench.database.system() as session:
        assert session.get(RecordingRun, 1) is None
    assert launch_now(bench.database, 1, NOW) is None
    assert not reconciling.put_back_if_dead(bench.database, 1, max_attempts=1)


def test_a_launch_for_this_very_process_waits_for_none_on_its_way(bench: Bench) -> None:
    recording = bench.recording()
    requested = bench.request(recording)
    assert requested.run_id is not None
    (dagsters,) = bench.reconcile(NOW).launches
    ours = launch_now(bench.database, requested.run_id, NOW)
    assert ours is not None
    assert ours.generation == dagsters.generation + 1
    bench.claim(recording, Token(ours.run_id, ours.generation)).close()


def test_a_pass_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconciling, "BATCH", 2)
    recordings = [bench.recording() for _ in range(5)]
    for recording in recordings:
        bench.request(recording)
    with bench.database.system() as session:
        session.execute(update(RecordingRun).values(state="running"))
    assert len(bench.reconcile().put_back) == 2
    assert len(bench.reconcile().put_back) == 2
    assert len(bench.reconcile().put_back) == 1
