"""Ends of runs that their workers could not write, and runs whose work was taken from them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leap_pipeline.domain.planner import PREPARE_ASSETS, Asset
from leap_pipeline.services import steering
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.liveness import WorkLock, firing_key
from leap_pipeline.services.outcomes import Standing, run_ended, void_runs
from leap_pipeline.services.reconcile import CANCELLED_THERE, Ended
from leap_pipeline.services.work import Work
from tests.support.bench import ATTEMPTS, Bench, FakeEngine, die, do

NOW = datetime.now(UTC)
LATER = NOW + timedelta(minutes=5)
KILLED = Ended(reason="Run worker process 4711 unexpectedly exited")
CANCELLED = Ended(cancelled=True)


@pytest.fixture(autouse=True)
def fresh_clock() -> None:
    """A long suite imports a module many minutes before it runs its tests."""
    global NOW, LATER
    NOW = datetime.now(UTC)
    LATER = NOW + timedelta(minutes=5)


def ends(bench: Bench, work: Work, how: Ended) -> int | None:
    token = (work.run_id, work.generation - 1)
    return run_ended(bench.database, work_run(work), token, how, now=LATER, max_attempts=ATTEMPTS)


def work_run(work: Work) -> str:
    return f"dagster-{work.generation}"


def start(bench: Bench, recording: int) -> Work:
    """Claimed by the run of Dagster that was asked for."""
    bench.request(recording)
    return claim(bench, recording)


def claim(bench: Bench, recording: int) -> Work:
    row = bench.run(recording)
    return bench.claim(recording, dagster_run_id=f"dagster-{row.generation + 1}")


def test_a_killed_worker_is_put_back_at_once_and_in_the_end_fails_with_the_cause(
    bench: Bench,
) -> None:
    recording = bench.recording()
    work = start(bench, recording)
    for death in range(1, ATTEMPTS + 1):
        work.begin(Asset.RAW_VIDEO)
        die(work)
        assert ends(bench, work, KILLED) == work.run_id
        if death < ATTEMPTS:
            work = claim(bench, recording)
    found = bench.picture(recording)
    assert found.status == found.projected == "FAILED"
    assert found.failed[1] == (
        "its worker died 3 times in a row (Run worker process 4711 unexpectedly exited): see the "
        "log of the run, then retry"
    )


def test_a_run_cancelled_in_dagster_ends_its_row_and_puts_its_stage_back(bench: Bench) -> None:
    recording = bench.recording()
    work = start(bench, recording)
    do(work, Asset.RAW_VIDEO)
    work.begin(Asset.TRIMMED_VIDEO)
    die(work)
    assert ends(bench, work, CANCELLED) == work.run_id
    found = bench.picture(recording)
    assert found.stages["TRIM"] == "PENDING"
    assert found.status == found.projected == "DOWNLOADED"
    assert (bench.run(recording).state, bench.run(recording).reason) == (
        "cancelled",
        CANCELLED_THERE,
    )
    assert bench.reconcile(LATER).launches == []


def test_reconcile_asks_dagster_whether_a_dead_worker_was_cancelled(bench: Bench) -> None:
    work = start(bench, bench.recording())
    work.begin(Asset.RAW_VIDEO)
    die(work)
    bench.reconcile(LATER, engine=FakeEngine(ended_all=CANCELLED))
    assert bench.run(work.recording_id).state == "cancelled"


def test_a_run_that_ends_while_its_worker_lives_is_left_to_it(bench: Bench) -> None:
    work = start(bench, bench.recording())
    work.begin(Asset.RAW_VIDEO)
    before = bench.picture(work.recording_id)
    for how in (KILLED, CANCELLED, Ended()):
        assert ends(bench, work, how) is None
    assert bench.picture(work.recording_id) == before
    work.close()


def test_a_superseded_run_and_the_loser_of_a_lock_mark_nothing(bench: Bench) -> None:
    recording = bench.recording()
    old = start(bench, recording)
    die(old)
    bench.reconcile(LATER)
    new = claim(bench, recording)
    before = bench.picture(recording)
    for how in (KILLED, CANCELLED, Ended()):
        assert ends(bench, old, how) is None
        loser = ("a run that never got the lock", None)
        assert run_ended(bench.database, *loser, how, now=LATER, max_attempts=1) is None
    assert bench.picture(recording) == before
    do(new)
    new.close()
    assert bench.picture(recording).status == "PROCESSED"


def test_a_launch_that_never_begins_is_not_asked_for_for_ever(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    reason = "No module named 'assets'"
    engine = FakeEngine(lost_all=Ended(reason=reason))
    asked = 0
    for turn in range(10):
        report = bench.reconcile(LATER + turn * timedelta(minutes=5), engine=engine)
        asked += len(report.launches)
    assert asked == ATTEMPTS
    found = bench.picture(recording)
    assert found.status == found.projected == "FAILED"
    assert found.failed[:2] == (
        "DOWNLOAD" if "DOWNLOAD" in (found.failed[0] or "") else "TRIM",
        f"its run failed 3 times before its work began: {reason}",
    )


def test_a_launch_of_which_no_run_was_made_is_no_death(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    for turn in range(5):
        report = bench.reconcile(LATER + turn * timedelta(minutes=5), lost=True)
        assert len(report.launches) == 1
    assert bench.run(recording).attempts == 0


def test_a_launch_cancelled_in_dagsters_queue_is_cancelled(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    (launch,) = bench.reconcile(NOW).launches
    token = (launch.run_id, launch.generation)
    changed = run_ended(bench.database, "any", token, CANCELLED, now=NOW, max_attempts=ATTEMPTS)
    assert changed == launch.run_id
    assert bench.run(recording).state == "cancelled"


def standing(work: Work) -> Standing:
    return Standing(work_run(work), (work.run_id, work.generation - 1), NOW)


def test_the_run_of_cancelled_work_is_void_after_a_moment(bench: Bench) -> None:
    work = start(bench, bench.recording())
    mine = standing(work)
    assert void_runs(bench.database, [mine], now=LATER) == []
    with bench.database.system() as session:
        steering.cancel(session, work.recording_id, actor=SYSTEM)
    assert void_runs(bench.database, [mine], now=datetime.now(UTC)) == []
    assert void_runs(bench.database, [mine], now=LATER) == [mine.dagster_run_id]
    by_hand = Standing(mine.dagster_run_id, None, NOW)
    assert void_runs(bench.database, [by_hand], now=LATER) == [mine.dagster_run_id]
    work.close()


def test_a_launch_that_was_replaced_is_void_at_once(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    (launch,) = bench.reconcile(NOW).launches
    queued = Standing("first", (launch.run_id, launch.generation))
    assert void_runs(bench.database, [queued], now=NOW) == []
    bench.reconcile(LATER, lost=True)
    assert void_runs(bench.database, [queued], now=NOW) == ["first"]


def test_runs_that_people_queued_themselves_are_left_alone(bench: Bench) -> None:
    assert void_runs(bench.database, [Standing("theirs")], now=LATER) == []
    assert void_runs(bench.database, [Standing("gone", (10**9, 1))], now=NOW) == ["gone"]


def test_a_run_that_never_comes_to_claim_its_work_is_dead(bench: Bench) -> None:
    """Its worker died together with the code server that would have noticed."""
    by_hand = Standing("theirs", None, NOW)
    assert void_runs(bench.database, [by_hand], now=NOW + timedelta(seconds=90)) == []
    assert void_runs(bench.database, [by_hand], now=LATER) == ["theirs"]
    work = bench.claim(bench.recording(), dagster_run_id="theirs")
    assert void_runs(bench.database, [by_hand], now=LATER) == []
    die(work)
    bench.reconcile(LATER)
    assert void_runs(bench.database, [by_hand], now=LATER) == ["theirs"]


def test_the_tick_of_a_job_is_dead_without_the_lock_of_its_firing(bench: Bench) -> None:
    tick = Standing("tick", None, NOW, firing=7)
    assert void_runs(bench.database, [tick], now=NOW) == []
    assert void_runs(bench.database, [tick], now=LATER) == ["tick"]
    lock = WorkLock(bench.database.lock_connection(), *firing_key(7))
    assert lock.acquire(0)
    assert void_runs(bench.database, [tick], now=LATER) == []
    lock.release()


def test_what_said_it_was_in_progress_without_a_run_is_put_back(bench: Bench) -> None:
    recording = bench.recording()
    bench.set(recording, download_status="IN_PROGRESS")
    busy = start(bench, bench.recording())
    busy.begin(PREPARE_ASSETS[0])
    assert bench.picture(recording).status == "DOWNLOADING"
    assert bench.reconcile(NOW).orphans == [recording]
    assert bench.picture(recording).status == "INITIALIZED"
    assert bench.picture(busy.recording_id).status == "DOWNLOADING"
    busy.close()
