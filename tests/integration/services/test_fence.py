"""A worker that was replaced commits nothing, whatever it was doing and whatever it missed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from leap_pipeline.domain.planner import PREPARE_ASSETS, Asset
from leap_pipeline.errors import LeapError, Superseded
from leap_pipeline.services import liveness, reconcile
from leap_pipeline.services.work import Artifact, Begun, Work
from tests.support.bench import Bench, do, finish
from tests.support.homes import wait_for

ROOT = Path(__file__).parents[3]


def replaced(bench: Bench, recording: int) -> Work:
    """Another worker takes the recording over, from one that still believes that it has it."""
    bench.cut_locks()
    assert len(bench.reconcile().put_back) == 1
    return bench.claim(recording)


def half_way(bench: Bench, recording: int) -> tuple[Work, Begun]:
    """A worker in the middle of the trimmed video which does not know that it lost its lock."""
    work = bench.start(recording)
    do(work, Asset.RAW_VIDEO)
    return work, work.begin(Asset.TRIMMED_VIDEO)


def _complete(work: Work, begun: Begun, folder: Path) -> None:
    work.complete(
        Asset.TRIMMED_VIDEO,
        begun,
        [Artifact(folder / "made", "trimmed_video", work.paths.video)],
        columns={"display_name": "written by the dead"},
        stage_meta={"no_speech": True},
    )


WRITES: list[Callable[[Work, Begun, Path], object]] = [
    _complete,
    lambda work, begun, _: work.fail(Asset.TRIMMED_VIDEO, begun, "broken"),
    lambda work, _begun, _: work.begin(Asset.AUDIO),
    lambda work, _begun, _: work.progress()(0.5),
]


@pytest.mark.parametrize("write", WRITES, ids=["complete", "fail", "begin", "progress"])
@pytest.mark.parametrize("knows", [True, False])
def test_a_replaced_worker_changes_nothing(
    bench: Bench, write: Callable[[Work, Begun, Path], object], knows: bool
) -> None:
    recording = bench.recording()
    old, begun = half_way(bench, recording)
    folder = bench.storage.root / ".scratch" / "elsewhere"  # out of the reach of the sweep
    folder.mkdir(parents=True)
    (folder / "made").write_text("by the dead", encoding="utf-8")
    new = replaced(bench, recording)
    do(new, Asset.TRIMMED_VIDEO)
    if knows:
        old.lock.lost.set()
    else:
        old.lock.lost.clear()
    before, files, row = bench.picture(recording), bench.files(), bench.row(recording)
    with pytest.raises(Superseded, match=rf"(of|over) recording {recording}"):
        write(old, begun, folder)
    old.close()
    assert bench.picture(recording) == before
    assert bench.files() == files
    assert bench.row(recording).display_name == row.display_name
    assert "by the dead" not in bench.files().values()
    assert do(new) == list(PREPARE_ASSETS[2:])
    new.close()
    assert bench.picture(recording).status == "PROCESSED"


def test_a_replaced_worker_finds_its_scratch_gone(bench: Bench) -> None:
    """Between the check of its token and the rename lies an instant; the file is gone then."""
    recording = bench.recording()
    old, _ = half_way(bench, recording)
    with old.scratch(Asset.TRIMMED_VIDEO) as folder:
        made = folder / "made"
        made.write_text("by the dead", encoding="utf-8")
        new = replaced(bench, recording)
        assert not made.exists()
        with pytest.raises(FileNotFoundError):
            bench.storage.put(made, old.paths.video)
    do(new)
    new.close()
    assert "by the dead" not in bench.files().values()


def test_whatever_it_stumbles_over_a_replaced_worker_marks_nothing(bench: Bench) -> None:
    recording = bench.recording()
    old, begun = half_way(bench, recording)
    new = replaced(bench, recording)
    do(new)
    new.close()
    old.lock.lost.clear()
    before = bench.picture(recording)
    with pytest.raises(Superseded):
        old.fail(Asset.TRIMMED_VIDEO, begun, "its file vanished")
    old.close()
    assert bench.picture(recording) == before


def test_a_lost_lock_stops_the_worker_within_seconds(bench: Bench) -> None:
    recording = bench.recording()
    work, _ = half_way(bench, recording)
    work.check()
    bench.cut_locks()
    begun = time.monotonic()
    wait_for(work.lock.lost.is_set, seconds=10, what="the loss of the lock")
    with pytest.raises(Superseded, match="lost its lock, so it stops"):
        work.check()
    assert time.monotonic() - begun < liveness.PING_SECONDS + 2
    work.close()
    assert bench.run(recording).state == "running"  # the outcome belongs to whoever takes over
    assert bench.reconcile().put_back == [work.run_id]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconcile, "LOCK_WAIT_SECONDS", 0.3)


@pytest.mark.usefixtures("impatient")
def test_an_open_transaction_keeps_others_out_until_it_ends(bench: Bench) -> None:
    """While a worker is past its fence nobody can take the recording over."""
    recording = bench.recording()
    work, begun = half_way(bench, recording)
    with work.fenced():
        bench.cut_locks()
        report = bench.reconcile()
        assert (report.put_back, report.passed_over) == ([], [work.run_id])
    assert bench.reconcile().put_back == [work.run_id]
    work.lock.lost.clear()
    with pytest.raises(Superseded):
        finish(work, Asset.TRIMMED_VIDEO, begun)
    work.close()


@pytest.mark.usefixtures("impatient")
def test_one_recording_that_is_held_does_not_hold_up_the_others(bench: Bench) -> None:
    held, other = bench.recording(), bench.recording()
    first, second = bench.start(held), bench.start(other)
    bench.cut_locks()
    with first.fenced():
        report = bench.reconcile()
    assert report.passed_over == [first.run_id]
    assert report.put_back == [second.run_id]
    assert [launch.recording_id for launch in report.launches] == [other]
    for work in (first, second):
        work.close()


def test_a_transaction_frozen_past_its_fence_is_ended_by_the_server(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "FROZEN_SECONDS", 1)
    recording = bench.recording()
    work, _ = half_way(bench, recording)

    def commit_late() -> None:
        with work.fenced() as session:
            time.sleep(1.5)
            session.execute(text("SELECT 1"))

    with pytest.raises(LeapError, match=r"broke: try again"):
        commit_late()
    work.lock.release()
    assert bench.reconcile().put_back == [work.run_id]


WORKER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from sqlalchemy.engine import make_url
    from leap_pipeline.db.engine import Database
    from leap_pipeline.domain.planner import Asset
    from leap_pipeline.domain.states import Phase
    from leap_pipeline.errors import Superseded
    from leap_pipeline.services.claim import claim
    from leap_pipeline.storage.local import LocalStorage
    from tests.support.bench import finish
    from tests.support.postgres import urls_of

    url, root, recording, asset = sys.argv[1:]
    database = Database(urls_of(make_url(url)))
    work = claim(database, LocalStorage(Path(root)), int(recording), phase=Phase.PREPARE)
    begun = work.begin(Asset(asset))
    with work.scratch(Asset(asset)) as folder:
        (folder / "half").write_text("half of it")
        print("begun", flush=True)
        sys.stdin.readline()
        try:
            finish(work, Asset(asset), begun, "by the child")
        except Superseded as gone:
            print(f"superseded: {gone}", flush=True)
        else:
            print("finished", flush=True)
    work.close()
    print("closed", flush=True)
""")


@contextmanager
def child(bench: Bench, recording: int, asset: Asset) -> Iterator[subprocess.Popen[str]]:
    """A worker process that has begun an asset and goes on when it reads a line."""
    url = bench.database.urls.application.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, url, str(bench.storage.root), str(recording), str(asset)],
        cwd=ROOT,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            yield process
        finally:
            process.kill()


def test_a_killed_worker_is_put_back_and_its_work_done_once_more(bench: Bench) -> None:
    recording = bench.recording()
    bench.request(recording)
    with child(bench, recording, Asset.RAW_VIDEO) as process:
        assert bench.picture(recording).status == "DOWNLOADING"
        assert bench.reconcile().put_back == []  # it lives
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_for(lambda: bool(bench.reconcile().put_back), seconds=10, what="putting it back")
    found = bench.picture(recording)
    assert (found.status, found.download) == ("INITIALIZED", "PENDING")
    assert bench.files() == {}
    work = bench.claim(recording)
    assert list((bench.storage.root / ".scratch").iterdir()) == []
    assert do(work) == list(PREPARE_ASSETS)
    work.close()
    assert bench.picture(recording).status == "PROCESSED"


def test_a_worker_that_was_frozen_and_wakes_writes_nothing(bench: Bench) -> None:
    recording = bench.recording()
    with child(bench, recording, Asset.RAW_VIDEO) as process:
        process.send_signal(signal.SIGSTOP)
        new = replaced(bench, recording)
        do(new)
        new.close()
        before, files = bench.picture(recording), bench.files()
        process.send_signal(signal.SIGCONT)
        said, _ = process.communicate("go on\n", timeout=30)
    assert "finished" not in said
    assert bench.picture(recording) == before
    assert bench.files() == files
    assert "by the child" not in files.values()


def test_a_worker_frozen_for_long_loses_its_lock_by_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL 14 and later: the server lets go of a lock whose worker stopped pinging."""
    monkeypatch.setattr(liveness, "FROZEN_SECONDS", 1)
    monkeypatch.setattr(liveness, "PING_SECONDS", 60.0)
    recording = bench.recording()
    work, _ = half_way(bench, recording)
    wait_for(lambda: bool(bench.reconcile().put_back), seconds=10, what="putting it back")
    work.close()
