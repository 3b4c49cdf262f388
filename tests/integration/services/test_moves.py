"""Every pair of states of every stored machine, tried on the database."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.deletion import DELETION_MOVES, DeleteState
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.shapes.results import TargetMeta
from leap_pipeline.domain.states import (
    DOWNLOAD_MOVES,
    HOLD_MOVES,
    LIVE_RUN_STATES,
    RUN_MOVES,
    STAGE_MOVES,
    TARGET_MOVES,
    DownloadStatus,
    HoldState,
    Phase,
    Platform,
    RunState,
    Stage,
    StageStatus,
    TargetStatus,
)
from leap_pipeline.errors import DataError, IllegalMove
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.holds import hold
from leap_pipeline.services.moves import (
    move_deletion,
    move_download,
    move_hold,
    move_run,
    move_stage,
    move_target,
)
from leap_pipeline.services.projection import lock_recording
from leap_pipeline.services.runs import new_run
from tests.support import rules
from tests.support.bench import Bench, make_bench

Row = dict[str, Any]
LONG_AGO = "TIMESTAMPTZ '2020-01-01 00:00:00+00'"
WHY = "because\x00 of it"


@dataclass(frozen=True)
class Machine:
    """How one row of a machine is made, put into a state by force, and moved."""

    what: str
    table: str
    moves: Mapping[Any, Mapping[Any, str]]
    make: Callable[[Bench], int]
    force: str
    move: Callable[[Session, int, Any], None]


def _recording(bench: Bench) -> int:
    return bench.recording()


def _stage(bench: Bench) -> int:
    return bench.stage(bench.recording(), Stage.TRANSCRIBE).id


def _target(bench: Bench) -> int:
    recording = bench.recording()
    bench.target(recording, Platform.VK, "NOT_UPLOADED")
    with bench.database.system() as session:
        return lock_recording(session, recording).targets[Platform.VK].id


def _run(bench: Bench) -> int:
    recording = bench.recording()
    with bench.database.system() as session:
        return new_run(session, lock_recording(session, recording), Phase.PREPARE, None, "test").id


def _hold(bench: Bench) -> int:
    with bench.database.system() as session:
        return hold(session, bench.recording(), HoldKind.PAUSE, "wait", actor=SYSTEM)


def _of(session: Session, table: str, row: int) -> int:
    statement = text(f"SELECT recording_id FROM {table} WHERE id = :row")
    return int(session.execute(statement, {"row": row}).scalar_one())


MACHINES = {
    "stage": Machine(
        "stage TRANSCRIBE of recording {recording}",
        "processing_stages",
        STAGE_MOVES,
        _stage,
        "status = :state, completed_at = :old, skip_reason = 'old', stage_meta = '{}', "
        "failed = true, failed_reason = 'old', failed_at = :old",
        lambda session, row, wanted: move_stage(
            session, _of(session, "processing_stages", row), Stage.TRANSCRIBE, wanted, WHY
        ),
    ),
    "target": Machine(
        "target VK of recording {recording}",
        "output_targets",
        TARGET_MOVES,
        _target,
        "status = :state, uploaded_at = CASE WHEN :state <> 'NOT_UPLOADED' "
        "THEN :old END, target_meta = jsonb_build_object('video_id', 'abc'), "
        "failed = true, failed_reason = 'old', failed_at = :old",
        lambda session, row, wanted: move_target(
            session,
            _of(session, "output_targets", row),
            Platform.VK,
            wanted,
            reason=WHY,
            meta={"url": "https://vk.com/video1_2"},
        ),
    ),
    "download": Machine(
        "the download of recording {recording}",
        "recordings",
        DOWNLOAD_MOVES,
        _recording,
        "download_status = :state, downloaded_at = :old, failed = false, failed_reason = NULL, "
        "failed_at = NULL, failed_at_stage = NULL",
        lambda session, row, wanted: move_download(
            session, row, wanted, reason=WHY, values={"video_file_size": 7}
        ),
    ),
    "run": Machine(
        "run {row}",
        "recording_runs",
        RUN_MOVES,
        _run,
        "state = :state, progress = 0.5, finished_at = NULL",
        lambda session, row, wanted: move_run(session, row, wanted, {"reason": "said"}),
    ),
    "deletion": Machine(
        "the deletion of recording {row}",
        "recordings",
        DELETION_MOVES,
        _recording,
        "delete_state = :state",
        lambda session, row, wanted: move_deletion(session, row, wanted, {"deletion_reason": "x"}),
    ),
    "hold": Machine(
        "hold {row}",
        "recording_holds",
        HOLD_MOVES,
        _hold,
        "released_at = CASE WHEN :state = 'released' THEN :old END",
        lambda session, row, wanted: move_hold(session, row, wanted, by="Ada"),
    ),
}
PAIRS = [
    pytest.param(name, current, wanted, id=f"{name}: {current} to {wanted}")
    for name, machine in MACHINES.items()
    for current, wanted in itertools.product(machine.moves, machine.moves)
]


@pytest.fixture(scope="module")
def bench(shared_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One for all: each test forces its row into the state that it needs."""
    return make_bench(shared_database, tmp_path_factory.mktemp("storage"))


@pytest.fixture(scope="module")
def rows(bench: Bench) -> dict[str, int]:
    return {name: machine.make(bench) for name, machine in MACHINES.items()}


def _set(bench: Bench, machine: Machine, row: int, state: str) -> Row:
    """Force the row into a state, as it was left long ago."""
    values = machine.force.replace(":state", f"'{state}'").replace(":old", LONG_AGO)
    with bench.database.system() as session:
        statement = f"UPDATE {machine.table} SET {values}, updated_at = {LONG_AGO} WHERE id = {row}"
        session.execute(text(statement.replace(":", r"\:")))
    return _read(bench, machine, row)


def _read(bench: Bench, machine: Machine, row: int) -> Row:
    with bench.database.system() as session:
        statement = text(f"SELECT * FROM {machine.table} WHERE id = :row")
        return dict(session.execute(statement, {"row": row}).mappings().one())


@pytest.mark.parametrize(("name", "current", "wanted"), PAIRS)
def test_a_move_happens_exactly_where_the_table_has_it(
    bench: Bench, rows: dict[str, int], name: str, current: Any, wanted: Any
) -> None:
    machine, row = MACHINES[name], rows[name]
    before = _set(bench, machine, row, current)
    if wanted in machine.moves[current]:
        with bench.database.system() as session:
            machine.move(session, row, wanted)
        after = _read(bench, machine, row)
        assert after["updated_at"] > before["updated_at"]
        WRITTEN[name](before, after, wanted)
        return
    with pytest.raises(IllegalMove) as raised, bench.database.system() as session:
        machine.move(session, row, wanted)
    what = machine.what.format(recording=before.get("recording_id", row), row=row)
    refusal = f"{what} cannot go from {current} to {wanted}: {current} "
    leads = [f"{state} ({how})" for state, how in machine.moves[current].items()]
    why = f"leads only to {', '.join(leads)}" if leads else "is final"
    assert str(raised.value) == refusal + why
    assert _read(bench, machine, row) == before


def _failure(before: Row, after: Row, failed: bool) -> None:
    if failed:
        assert (after["failed"], after["failed_reason"]) == (True, "because of it")
        assert after["failed_at"] == after["updated_at"]
        assert after["retry_count"] == before["retry_count"] + 1
    else:
        assert not after["failed"]
        assert after["failed_at"] is after["failed_reason"] is None


def _stage_written(before: Row, after: Row, wanted: StageStatus) -> None:
    assert after["status"] == wanted
    completed = after["updated_at"] if wanted is StageStatus.COMPLETED else None
    assert after["completed_at"] == completed
    _failure(before, after, wanted is StageStatus.FAILED)
    skipped = wanted is StageStatus.SKIPPED
    assert after["skip_reason"] == ("because of it" if skipped else None)
    assert after["stage_meta"] == (None if skipped else {})


def _target_written(before: Row, after: Row, wanted: TargetStatus) -> None:
    assert after["status"] == wanted
    _failure(before, after, wanted is TargetStatus.FAILED)
    meta = TargetMeta.model_validate(after["target_meta"])
    if wanted is TargetStatus.NOT_UPLOADED:
        assert after["uploaded_at"] is meta.video_id is meta.url is None
        (was,) = meta.history
        assert (was.video_id, was.reason) == ("abc", "because of it")
        assert (was.uploaded_at, was.retracted_at) == (before["uploaded_at"], after["updated_at"])
        return
    assert (meta.video_id, meta.url) == ("abc", "https://vk.com/video1_2")
    assert after["uploaded_at"] == before["uploaded_at"]


def _download_written(before: Row, after: Row, wanted: DownloadStatus) -> None:
    assert (after["download_status"], after["video_file_size"]) == (wanted, 7)
    completed = after["updated_at"] if wanted is DownloadStatus.COMPLETED else None
    assert after["downloaded_at"] == completed
    failed = wanted is DownloadStatus.FAILED
    _failure(before, after, failed)
    assert after["failed_at_stage"] == ("DOWNLOAD" if failed else None)


def _run_written(_before: Row, after: Row, wanted: RunState) -> None:
    assert (after["state"], after["reason"]) == (wanted, "said")
    ended = wanted not in LIVE_RUN_STATES
    assert after["finished_at"] == (after["updated_at"] if ended else None)
    assert after["progress"] == (None if ended else 0.5)


def _deletion_written(_before: Row, after: Row, wanted: DeleteState) -> None:
    assert (after["delete_state"], after["deletion_reason"]) == (wanted, "x")


def _hold_written(_before: Row, after: Row, wanted: HoldState) -> None:
    assert wanted is HoldState.RELEASED
    assert (after["released_at"], after["released_by"]) == (after["updated_at"], "Ada")


WRITTEN: dict[str, Callable[[Row, Row, Any], None]] = {
    "stage": _stage_written,
    "target": _target_written,
    "download": _download_written,
    "run": _run_written,
    "deletion": _deletion_written,
    "hold": _hold_written,
}


def test_every_stored_machine_is_tried_here() -> None:
    """A subscription's state is stored nowhere: it follows from its dates."""
    assert set(MACHINES) == set(WRITTEN) == set(rules.MACHINES)
    tried = {id(machine.moves) for machine in MACHINES.values()}
    assert tried == {id(moves) for *_, moves in rules.MACHINES.values()}


def test_a_first_upload_gets_its_time_and_a_second_keeps_the_first_ones_history(
    bench: Bench,
) -> None:
    recording = bench.recording()
    bench.target(recording, Platform.YOUTUBE, "NOT_UPLOADED")
    table = MACHINES["target"]
    with bench.database.system() as session:
        row = lock_recording(session, recording).targets[Platform.YOUTUBE].id
    for number in (1, 2):
        with bench.database.system() as session:
            move_target(session, recording, Platform.YOUTUBE, TargetStatus.UPLOADING)
            meta = {"video_id": f"video {number}"}
            move_target(session, recording, Platform.YOUTUBE, TargetStatus.UPLOADED, meta=meta)
        there = _read(bench, table, row)
        assert there["uploaded_at"] == there["updated_at"]
        assert there["retry_count"] == 0
        with bench.database.system() as session:
            move_target(session, recording, Platform.YOUTUBE, TargetStatus.NOT_UPLOADED)
    history = TargetMeta.model_validate(_read(bench, table, row)["target_meta"]).history
    assert [each.video_id for each in history] == ["video 1", "video 2"]
    assert [each.reason for each in history] == [None, None]


def test_what_never_was_there_leaves_no_history(bench: Bench) -> None:
    recording = bench.recording()
    bench.target(recording, Platform.VK, "NOT_UPLOADED")
    with bench.database.system() as session:
        move_target(session, recording, Platform.VK, TargetStatus.UPLOADING)
        move_target(session, recording, Platform.VK, TargetStatus.NOT_UPLOADED)
        assert lock_recording(session, recording).targets[Platform.VK].target_meta is None


@pytest.mark.parametrize(
    ("move", "sentence"),
    [
        (lambda s: move_stage(s, 4711, Stage.TRIM, StageStatus.PENDING), "stage TRIM of recording"),
        (lambda s: move_target(s, 4711, Platform.VK, TargetStatus.FAILED), "target VK of recordi"),
        (lambda s: move_download(s, 4711, DownloadStatus.PENDING), "the download of recording 47"),
        (lambda s: move_run(s, 4711, RunState.DONE), "run 4711"),
        (lambda s: move_hold(s, 4711, HoldState.RELEASED, by="Ada"), "hold 4711"),
    ],
)
def test_what_is_not_there_cannot_be_moved(
    bench: Bench, move: Callable[[Session], None], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence) as raised, bench.database.system() as session:
        move(session)
    assert not isinstance(raised.value, IllegalMove)


def test_a_state_that_the_table_does_not_know_leads_nowhere(bench: Bench) -> None:
    recording = bench.recording()
    _set(bench, MACHINES["download"], recording, "UPLOADED")
    refused = pytest.raises(IllegalMove, match="UPLOADED is not one of its states")
    with refused, bench.database.system() as session:
        move_download(session, recording, DownloadStatus.PENDING)


def test_a_move_that_becomes_legal_while_it_is_refused_is_made(bench: Bench) -> None:
    """Between the UPDATE that finds nothing and the look at why, somebody else commits."""
    run = _run(bench)
    done: list[bool] = []
    with bench.database.system() as session:
        move_run(session, run, RunState.WAITING)
    with bench.database.system() as session:

        @event.listens_for(session, "do_orm_execute")
        def _meanwhile(state: Any) -> None:
            if state.is_select and not done:
                done.append(True)
                with bench.database.system() as other:
                    move_run(other, run, RunState.QUEUED)

        move_run(session, run, RunState.RUNNING)
    assert _read(bench, MACHINES["run"], run)["state"] == "running"


def test_a_download_counts_its_own_failures_only(bench: Bench) -> None:
    recording = bench.recording()
    counts = []
    with bench.database.system() as session:
        row = lock_recording(session, recording).recording
        row.failed_at_stage, row.retry_count = "TRIM", 5
        session.flush()
        for _ in range(3):
            move_download(session, recording, DownloadStatus.IN_PROGRESS)
            move_download(session, recording, DownloadStatus.FAILED, reason=WHY)
            counts.append(lock_recording(session, recording).recording.retry_count)
    assert counts == [1, 2, 3]


@pytest.mark.parametrize("name", MACHINES)
def test_raw_updates_set_updated_at_too(bench: Bench, rows: dict[str, int], name: str) -> None:
    machine, row = MACHINES[name], rows[name]
    before = _set(bench, machine, row, next(iter(machine.moves)))
    with bench.database.system() as session:
        session.execute(text(f"UPDATE {machine.table} SET id = id WHERE id = :row"), {"row": row})
    assert _read(bench, machine, row)["updated_at"] > before["updated_at"]
