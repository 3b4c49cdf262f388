"""Claiming: one worker a piece of work, and only with a token that is up to date."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from leap_pipeline.domain.planner import PREPARE_ASSETS, Asset
from leap_pipeline.domain.states import Phase, Stage
from leap_pipeline.errors import AlreadyRunning, Superseded, TransientError
from leap_pipeline.services import claim as claiming
from leap_pipeline.services.claim import Token
from leap_pipeline.services.liveness import WorkLock, living, lock_class
from tests.support.bench import Bench, die, do
from tests.support.homes import wait_for

RACERS = 20


def nobody_lives(bench: Bench) -> None:
    """The server frees a lock a moment after its connection was closed."""

    def freed() -> bool:
        with bench.database.system() as session:
            return living(session) == set()

    wait_for(freed, seconds=10, what="the locks to go")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "LOCK_WAIT_SECONDS", 0.0)


def test_a_claim_takes_the_row_and_a_new_token(bench: Bench) -> None:
    recording = bench.recording()
    requested = bench.request(recording)
    assert requested.run_id is not None
    work = bench.claim(
        recording, Token(requested.run_id, requested.generation), dagster_run_id="abc"
    )
    run = bench.run(recording)
    assert (run.state, run.generation, run.attempts) == ("running", 2, 1)
    assert (run.dagster_run_id, run.reason) == ("abc", None)
    assert run.started_at is not None
    assert (work.run_id, work.generation) == (run.id, run.generation)
    with bench.database.system() as session:
        assert living(session) == {(lock_class(Phase.PREPARE, None), recording)}
    work.close()
    nobody_lives(bench)


@pytest.mark.usefixtures("impatient")
def test_the_second_claimant_loses_and_marks_nothing(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    work.begin(Asset.RAW_VIDEO)
    before = bench.picture(recording)
    for token in (None, Token(work.run_id, work.generation), Token(work.run_id, 1)):
        with pytest.raises(AlreadyRunning, match="is being processed by another worker"):
            bench.claim(recording, token, force=Stage.TRIM)
    assert bench.picture(recording) == before
    work.close()


def test_a_claimant_waits_a_moment_for_one_who_is_leaving(bench: Bench) -> None:
    recording = bench.recording()
    first = bench.start(recording)
    leaving = threading.Timer(0.3, first.close)
    leaving.start()
    second = bench.claim(recording)
    leaving.join()
    second.close()


def test_a_stale_token_is_superseded_and_marks_nothing(bench: Bench) -> None:
    recording = bench.recording()
    requested = bench.request(recording)
    assert requested.run_id is not None
    stale = [
        Token(requested.run_id, requested.generation - 1),
        Token(requested.run_id, requested.generation + 1),
        Token(requested.run_id + 1, requested.generation),
    ]
    before = bench.picture(recording)
    for token in stale:
        with pytest.raises(Superseded, match="is out of date: a newer one has it"):
            bench.claim(recording, token)
    assert bench.picture(recording) == before
    good = Token(requested.run_id, requested.generation)
    bench.claim(recording, good).close()
    with pytest.raises(Superseded):  # it ended: the token is used up
        bench.claim(recording, good)


def test_a_token_is_no_good_while_the_row_waits(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    work.wait_until(datetime.now(UTC) + timedelta(hours=1), "not yet")
    work.close()
    with pytest.raises(Superseded):
        bench.claim(recording, Token(work.run_id, work.generation))
    assert bench.run(recording).state == "waiting"


def test_a_dead_workers_row_is_taken_over(bench: Bench) -> None:
    recording = bench.recording()
    dead = bench.start(recording)
    do(dead, Asset.RAW_VIDEO)
    dead.begin(Asset.TRIMMED_VIDEO)
    die(dead)
    work = bench.claim(recording)
    assert work.run_id == dead.run_id
    assert work.generation > dead.generation
    found = bench.picture(recording)
    assert found.stages["TRIM"] == "PENDING"
    assert found.download == "COMPLETED"
    assert do(work) == list(PREPARE_ASSETS[1:])
    work.close()
    assert bench.run(recording).state == "done"


def test_what_a_dead_worker_left_in_scratch_is_swept_and_nobody_elses(bench: Bench) -> None:
    mine, other = bench.recording(), bench.recording()
    scratch = bench.storage.root / ".scratch"
    dead = bench.start(mine)
    (scratch / f"{mine}-prepare-{dead.run_id}-1-audio").mkdir(parents=True)
    (scratch / f"{mine}{other}-prepare-7-1-audio").mkdir()
    (scratch / f"{mine}-youtube-7-1-youtube_upload").mkdir()
    die(dead)
    bench.claim(mine).close()
    assert sorted(left.name for left in scratch.iterdir()) == sorted(
        [f"{mine}{other}-prepare-7-1-audio", f"{mine}-youtube-7-1-youtube_upload"]
    )


def test_a_run_by_hand_gets_a_row_of_its_own(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.claim(recording)
    assert do(work, Asset.RAW_VIDEO, Asset.TRIMMED_VIDEO) == [
        Asset.RAW_VIDEO,
        Asset.TRIMMED_VIDEO,
    ]
    work.close()
    run = bench.run(recording)
    assert (run.state, run.requested_by, run.selection) == ("done", "dagster", [])
    found = bench.picture(recording)
    assert found.stages["TRIM"] == "PENDING"  # its second half, the audio, was not asked for
    assert found.status == found.projected == "DOWNLOADED"


def test_a_run_by_hand_that_took_a_queued_row_gives_the_rest_of_it_back(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    work = bench.claim(recording)
    do(work, Asset.RAW_VIDEO)
    work.close()
    assert bench.picture(recording).runs[0][0] == "queued"
    launch = bench.reconcile().launches[0]
    assert launch.selection == PREPARE_ASSETS[1:]
    work = bench.claim(recording, Token(launch.run_id, launch.generation))
    do(work)
    work.close()
    assert [state for state, _, _ in bench.picture(recording).runs] == ["done"]


def test_a_run_by_hand_voids_the_launch_that_was_on_its_way(bench: Bench) -> None:
    recording = bench.recording()
    requested = bench.request(recording)
    assert requested.run_id is not None
    work = bench.claim(recording)
    do(work)
    work.close()
    with pytest.raises(Superseded):
        bench.claim(recording, Token(requested.run_id, requested.generation))
    assert bench.run(recording).state == "done"


def test_a_run_by_hand_can_force_a_stage(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    do(work)
    work.close()
    work = bench.claim(recording, force=Stage.EXTRACT_TOPICS)
    assert bench.picture(recording).stages["EXTRACT_TOPICS"] == "PENDING"
    assert do(work) == [Asset.TOPICS]
    work.close()
    assert bench.run(recording).forced_from == "EXTRACT_TOPICS"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("with_token", [True, False])
def test_of_twenty_claimants_exactly_one_wins(bench: Bench, with_token: bool) -> None:
    recording = bench.recording()
    requested = bench.request(recording)
    assert requested.run_id is not None
    token = Token(requested.run_id, requested.generation) if with_token else None
    start, winners, losers = threading.Barrier(RACERS), [], []

    def race() -> None:
        start.wait()
        try:
            winners.append(bench.claim(recording, token))
        except (AlreadyRunning, Superseded) as lost:
            losers.append(lost)

    threads = [threading.Thread(target=race) for _ in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(winners), len(losers)) == (1, RACERS - 1)
    assert bench.picture(recording).runs == (("running", requested.generation + 1, 1),)
    winners[0].close()


def test_the_lock_goes_where_its_claim_fails(bench: Bench) -> None:
    recording = bench.recording()
    with pytest.raises(Superseded):
        bench.claim(recording, Token(1, 1))
    nobody_lives(bench)


def test_a_connection_that_breaks_while_locking_is_a_passing_fault(bench: Bench) -> None:
    connection: psycopg.Connection = bench.database.lock_connection()
    lock = WorkLock(connection, lock_class(Phase.PREPARE, None), 1)
    connection.close()
    with pytest.raises(TransientError, match="try again"):
        lock.acquire(1.0)
    lock.release()
