"""Fifty workers, each a process of its own, go for one recording at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator

import pytest

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.planner import PREPARE_ASSETS
from leap_pipeline.services.claim import Token
from tests.support import postgres, racing
from tests.support.bench import Bench
from tests.support.postgres import TestServer
from tests.support.racing import PATIENCE, Race, runner
from tests.support.rules import check, install_witness, snapshot

RUNNERS = 50


@pytest.fixture(scope="module")
def shared_database(postgres_server: TestServer) -> Iterator[Database]:
    with postgres_server.database() as url:
        opened = Database(postgres.urls_of(url), pooled=True)
        install_witness(opened)
        yield opened
        opened.dispose()


@pytest.mark.parametrize("launched", [False, True], ids=["by hand", "one launch, fifty times"])
def test_fifty_runners_for_one_recording_one_wins(bench: Bench, launched: bool) -> None:
    recording = bench.recording()
    token = None
    if launched:
        requested = bench.request(recording)
        token = Token(requested.run_id or 0, requested.generation)
    race = Race(bench.database.urls, bench.storage.root, recording, token)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([racing.__name__])
    start, finished = context.Barrier(RUNNERS + 1), context.Event()
    told = context.Queue()
    given = (race, start, told, finished)
    runners = [context.Process(target=runner, args=given, daemon=True) for _ in range(RUNNERS)]
    for each in runners:
        each.start()
    start.wait(PATIENCE)
    outcomes = sorted(told.get(timeout=PATIENCE) for _ in range(RUNNERS))
    assert outcomes == ["AlreadyRunning"] * (RUNNERS - 1) + ["won"]
    found = snapshot(bench.database, recording)
    check(found)
    (run,) = found.runs
    assert (run["state"], run["generation"], run["attempts"]) == ("running", 2, 1)
    assert found.recording["status"] == "DOWNLOADING"
    assert {stage["status"] for stage in found.stages.values()} == {"PENDING"}
    finished.set()
    for each in runners:
        each.join(PATIENCE)
    assert {each.exitcode for each in runners} == {0}
    assert bench.picture(recording).status == "PROCESSED"
    assert len(bench.files()) == len(PREPARE_ASSETS)
