"""What Dagster knows of its runs, against a real instance; and what the sensors make of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.storage.runs.schema import RunsTable
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from sqlalchemy import update

from leap_pipeline.orchestration.definitions import defs
from leap_pipeline.orchestration.engine import DagsterRuns
from leap_pipeline.orchestration.health import ASSET, CHECK, health_sensor
from leap_pipeline.orchestration.launching import launch_sensor
from leap_pipeline.orchestration.outcomes import write_outcome
from leap_pipeline.orchestration.sensors import reconcile_sensor
from leap_pipeline.services import steering
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.reconcile import Asked, Ended
from resources.leap import GENERATION_TAG, RECORDING_TAG, ROW_TAG
from tests.support.bench import Bench

NOW = datetime.now(UTC)
LOCATION = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("leap"), "__repository__")


@pytest.fixture(autouse=True)
def fresh_clock() -> None:
    """A long suite imports a module many minutes before it runs its tests."""
    global NOW
    NOW = datetime.now(UTC)


@dg.op
def breaks() -> None:
    msg = "no disk is left"
    raise OSError(msg)


@dg.job
def broken() -> None:
    breaks()


class Runs:
    """Runs in every state, made as Dagster makes them."""

    def __init__(self, dagster: dg.DagsterInstance) -> None:
        self.dagster = dagster
        self.engine = DagsterRuns(dagster)

    def make(self, row: int, generation: int = 1, *events: dg.DagsterEventType) -> str:
        tags = {ROW_TAG: str(row), GENERATION_TAG: str(generation), RECORDING_TAG: "1"}
        run = self.dagster.create_run_for_job(
            broken,
            status=dg.DagsterRunStatus.QUEUED,
            tags=tags,
            remote_job_origin=RemoteJobOrigin(LOCATION, "broken"),
        )
        for kind in events:
            event = dg.DagsterEvent(
                event_type_value=kind.value, job_name="broken", message="killed by signal 9"
            )
            self.dagster.report_dagster_event(event, run.run_id)
        return run.run_id

    def lost(self, *rows: int) -> dict[int, Ended]:
        return self.engine.lost([Asked(row, 1, NOW) for row in rows])

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        run = self.dagster.get_run_by_id(run_id)
        assert run is not None
        return run.status


@pytest.fixture
def runs(dagster: dg.DagsterInstance) -> Runs:
    return Runs(dagster)


def test_what_became_of_launches(runs: Runs) -> None:
    kinds = dg.DagsterEventType
    runs.make(1)
    runs.make(2, 1, kinds.RUN_START)
    runs.make(3, 1, kinds.RUN_START, kinds.RUN_FAILURE)
    runs.make(4, 1, kinds.RUN_CANCELED)
    runs.make(5, 1, kinds.RUN_SUCCESS)
    runs.make(6, 2)
    assert runs.lost(1, 2, 3, 4, 5, 6, 7) == {
        3: Ended(reason="killed by signal 9"),
        4: Ended(cancelled=True),
        5: Ended(),
        6: Ended(),
        7: Ended(),
    }


def test_the_cause_of_a_failure_is_the_steps_own(runs: Runs) -> None:
    result = broken.execute_in_process(instance=runs.dagster, raise_on_error=False)
    run = runs.dagster.get_run_by_id(result.run_id)
    assert run is not None
    assert runs.engine.why(run) == "no disk is left"
    assert runs.engine.ended([]) == {}
    assert runs.engine.ended([run.run_id]) == {run.run_id: Ended(reason="no disk is left")}


def test_runs_that_stand_are_told_with_their_tokens_and_ended(runs: Runs) -> None:
    queued = runs.make(1)
    begun = runs.make(2, 3, dg.DagsterEventType.RUN_START)
    runs.make(3, 1, dg.DagsterEventType.RUN_SUCCESS)
    standing = {each.dagster_run_id: each for each in runs.engine.standing()}
    assert set(standing) == {queued, begun}
    assert (standing[queued].token, standing[queued].begun_at) == ((1, 1), None)
    assert standing[begun].token == (2, 3)
    assert standing[begun].begun_at is not None
    runs.engine.end([queued, begun])
    assert runs.status(queued) is dg.DagsterRunStatus.CANCELED
    assert runs.status(begun) is dg.DagsterRunStatus.CANCELING


def test_a_run_begins_when_it_leaves_the_queue_however_long_it_was_there(runs: Runs) -> None:
    """One that Dagster is only just starting was once ended for the time it had waited."""
    runs.make(1, 1, dg.DagsterEventType.RUN_STARTING)
    storage = runs.dagster.run_storage
    assert isinstance(storage, SqlRunStorage)
    with storage.connect() as connection:
        long_ago = (NOW - timedelta(hours=1)).replace(tzinfo=None)
        connection.execute(update(RunsTable).values(create_timestamp=long_ago))
    (standing,) = runs.engine.standing()
    assert standing.begun_at is not None
    assert standing.begun_at >= NOW


def launch_tick(dagster: dg.DagsterInstance) -> dg.SensorResult:
    with dg.build_sensor_context(instance=dagster) as context:
        result = launch_sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_a_life_in_the_sensors(runs: Runs, bench: Bench) -> None:
    """Launched, cancelled by a command, ended in Dagster; asked again, failed there, put back."""
    recording = bench.recording()
    bench.request(recording)
    result = launch_tick(runs.dagster)
    (request,), (added,) = result.run_requests or [], result.dynamic_partitions_requests or []
    assert request.partition_key == f"{bench.slug:06d}-{recording}"
    assert list(added.partition_keys) == [request.partition_key]
    row = bench.run(recording)
    queued = runs.make(row.id, row.generation)
    with bench.database.system() as session:
        steering.cancel(session, recording, actor=SYSTEM)
    with dg.build_sensor_context(instance=runs.dagster) as context:
        said = reconcile_sensor(context)
    assert isinstance(said, dg.SkipReason)
    assert queued in (said.skip_message or "")
    assert runs.status(queued) is dg.DagsterRunStatus.CANCELED

    bench.request(recording)
    row = bench.run(recording)
    failed = runs.make(row.id, row.generation, dg.DagsterEventType.RUN_FAILURE)
    run = runs.dagster.get_run_by_id(failed)
    assert run is not None
    assert "killed by signal 9" in write_outcome(runs.dagster, run)
    again = bench.run(recording)
    assert (again.state, again.generation, again.attempts) == ("queued", row.generation + 1, 1)
    assert "nothing to write" in write_outcome(runs.dagster, run)


def test_health_is_told_when_it_changes_and_costs_no_run(runs: Runs, bench: Bench) -> None:
    def tick(cursor: str | None) -> dg.SensorResult | dg.SkipReason:
        with dg.build_sensor_context(instance=runs.dagster, cursor=cursor) as context:
            result = health_sensor(context)
        assert isinstance(result, dg.SensorResult | dg.SkipReason)
        return result

    first = tick(None)
    assert isinstance(first, dg.SensorResult)
    (told,) = first.asset_events
    assert isinstance(told, dg.AssetCheckEvaluation)
    assert (told.asset_key, told.check_name, told.passed) == (dg.AssetKey(ASSET), CHECK, True)
    assert isinstance(tick(first.cursor), dg.SkipReason)
    bench.recording(next_look_at=datetime(2026, 1, 1, tzinfo=UTC))
    second = tick(first.cursor)
    assert isinstance(second, dg.SensorResult)
    (told,) = second.asset_events
    assert isinstance(told, dg.AssetCheckEvaluation)
    assert not told.passed
    assert "should have been looked for" in str(told.metadata["not looked at"].value)


def test_the_check_can_be_executed_by_hand(runs: Runs, bench: Bench) -> None:
    assert bench.user_id
    job = dg.define_asset_job("by_hand", selection=dg.AssetSelection.checks_for_assets(ASSET))
    resolved = dg.Definitions.merge(defs, dg.Definitions(jobs=[job])).resolve_job_def("by_hand")
    (answer,) = resolved.execute_in_process(instance=runs.dagster).get_asset_check_evaluations()
    assert answer.passed


def test_the_order_of_launches_is_kept_in_their_requests(bench: Bench, runs: Runs) -> None:
    recordings = [bench.recording() for _ in range(3)]
    for recording in recordings:
        bench.request(recording)
    requests = launch_tick(runs.dagster).run_requests or []
    assert [each.tags[RECORDING_TAG] for each in requests] == [str(each) for each in recordings]
    assert len({each.run_key for each in requests}) == 3
    assert all(each.job_name == "prepare" for each in requests)
