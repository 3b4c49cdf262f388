"""The tick job on real rows: what its ops do, show and write; what happens when one fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.orchestration.automation.asking import FIRING_TAG, request_of
from leap_pipeline.orchestration.automation.tick import automation_tick
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.automation_rows import FiredBy
from leap_pipeline.services.firings import Claimed, claim, run_now
from tests.support.bench import Bench
from tests.support.clockwork import schedule

STEPS = ["open_firing", "match", "plan", "launch", "close_firing"]


def job_of(bench: Bench, **values: Any) -> int:
    """A job of every ten seconds, armed a minute ago."""
    past = datetime.now(UTC) - timedelta(minutes=1)
    with bench.database.system() as session:
        job = AutomationJob(
            user_id=bench.user_id,
            name=f"job {values}",
            job_type=values.pop("job_type", "process_recordings"),
            source_ids=values.pop("source_ids", []),
            anchored_at=past,
            armed_at=past,
            **schedule("10 seconds"),
            **values,
        )
        session.add(job)
        session.flush()
        return job.id


def ready_recording(bench: Bench) -> int:
    template = bench.template(None)
    return bench.recording(template_id=template, is_mapped=True)


def claimed(bench: Bench, job_id: int) -> Claimed:
    now = datetime.now(UTC)
    with bench.database.system() as session:
        anchor = session.get_one(AutomationJob, job_id).anchored_at
        due = anchor + (now - anchor) // timedelta(seconds=10) * timedelta(seconds=10)
        found = claim(session, job_id, due, FiredBy.SENSOR, now=now)
    assert isinstance(found, Claimed)
    return found


def tick(dagster: dg.DagsterInstance, tags: dict[str, str]) -> dg.ExecuteInProcessResult:
    return automation_tick.execute_in_process(instance=dagster, tags=tags, raise_on_error=False)


def firing(bench: Bench, firing_id: int) -> AutomationFiring:
    with bench.database.system() as session:
        return session.get_one(AutomationFiring, firing_id)


def done_steps(result: dg.ExecuteInProcessResult) -> list[str]:
    return [
        str(event.step_key)
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.STEP_SUCCESS
    ]


def test_a_firing_queues_what_is_left_to_do(dagster: dg.DagsterInstance, bench: Bench) -> None:
    ready = ready_recording(bench)
    one = claimed(bench, job_of(bench))
    result = tick(dagster, dict(request_of(one).tags))
    assert result.success
    assert done_steps(result) == STEPS
    ended = firing(bench, one.firing_id)
    assert (ended.state, ended.error, ended.dagster_run_id) == ("done", None, result.run_id)
    assert {name: ended.counts[name] for name in ("planned", "launched", "refused")} == {
        "planned": 1,
        "launched": 1,
        "refused": 0,
    }
    run = bench.run(ready)
    assert (run.state, run.requested_by) == ("queued", f"job:{one.job_id}")
    with bench.database.system() as session:
        job = session.get_one(AutomationJob, one.job_id)
        assert (job.last_run_status, job.last_run_error) == ("done", None)
        assert job.last_run_at == ended.started_at


def test_a_second_run_of_the_firing_ends_quietly(dagster: dg.DagsterInstance, bench: Bench) -> None:
    one = claimed(bench, job_of(bench))
    tags = dict(request_of(one).tags)
    first, second = tick(dagster, tags), tick(dagster, tags)
    assert second.success
    assert done_steps(second) == ["open_firing"]
    assert firing(bench, one.firing_id).dagster_run_id == first.run_id


def test_a_dry_run_tells_and_does_nothing(dagster: dg.DagsterInstance, bench: Bench) -> None:
    ready = ready_recording(bench)
    job_id = job_of(bench, enabled=False)
    with bench.database.system() as session:
        firing_id = run_now(session, job_id, dry_run=True, actor=SYSTEM)
    result = tick(dagster, {FIRING_TAG: str(firing_id)})
    assert result.success
    (launched,) = [
        event.step_output_data.metadata
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.STEP_OUTPUT and event.step_key == "launch"
    ]
    assert launched["would_launch"].value == [ready]
    ended = firing(bench, firing_id)
    assert (ended.state, ended.counts["planned"], ended.counts["launched"]) == ("done", 1, 0)
    with bench.database.system() as session:
        assert not session.query(RecordingRun).filter_by(recording_id=ready).count()
        assert session.get_one(AutomationJob, job_id).last_run_at is None


def test_a_broken_source_fails_the_run_after_the_others_did_their_part(
    dagster: dg.DagsterInstance, bench: Bench
) -> None:
    ready = ready_recording(bench)
    with bench.database.system() as session:
        sources = [
            InputSource(user_id=bench.user_id, name=name, source_type=kind, config={})
            for name, kind in (("No credential", "ZOOM"), ("Files", "LOCAL_FILE"))
        ]
        session.add_all(sources)
    one = claimed(bench, job_of(bench, job_type="sync_and_process"))
    result = tick(dagster, dict(request_of(one).tags))
    assert not result.success
    assert f"sync_source[source_{sources[0].id}]" in done_steps(result)
    ended = firing(bench, one.firing_id)
    assert ended.state == "failed"
    assert ended.error is not None
    assert ended.error.startswith("1 of 1 sources could not be synced: ")
    assert (ended.counts["sources"], ended.counts["sources_failed"]) == (1, 1)
    assert ended.counts["launched"] == 1
    assert bench.run(ready).state == "queued"


def test_an_op_that_breaks_ends_the_firing(
    dagster: dg.DagsterInstance, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_given: object) -> None:
        message = "boom"
        raise RuntimeError(message)

    monkeypatch.setattr("leap_pipeline.orchestration.automation.tick.to_do", broken)
    one = claimed(bench, job_of(bench))
    assert not tick(dagster, dict(request_of(one).tags)).success
    ended = firing(bench, one.firing_id)
    assert ended.state == "failed"
    assert ended.error == "plan failed (RuntimeError): see its run in Dagster."


def test_a_run_without_a_firing_says_so(dagster: dg.DagsterInstance, bench: Bench) -> None:
    result = tick(dagster, {})
    assert not result.success
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    assert "leap jobs run" in str(failed.step_failure_data)
