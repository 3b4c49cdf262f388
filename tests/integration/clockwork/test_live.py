"""Rows of `automation_jobs` in a living `leap up`: they show in Dagster, and they fire."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete

from leap_pipeline.db.models.automation import AutomationJob
from tests.support.clockwork import Clockwork, name_of, schedule, until

STEP = timedelta(seconds=10)
STEPS = ["open_firing", "match", "plan", "launch", "close_firing"]
RUN = """query Run($id: ID!) {
  runOrError(runId: $id) {
    ... on Run { status tags { key value } stepStats { stepKey status } }
  }
}"""
STOP = """mutation Stop($id: String!) { stopSensor(id: $id) { __typename } }"""
SENSOR = """query Sensor($name: String!) {
  sensorOrError(sensorSelector: {
    repositoryName: "__repository__", repositoryLocationName: "automation", sensorName: $name
  }) { ... on Sensor { sensorState { id status } } }
}"""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_rows_show_in_dagster_and_fire_though_parts_are_killed(leap: Clockwork) -> None:
    owner = leap.owner()
    ticking = leap.job(owner, "Every few seconds", "10 seconds")
    leap.up()
    until(lambda: name_of(ticking) in leap.clocks(), "the jobs of the start")

    # New rows, in a running system.
    nightly = leap.job(owner, "Nightly *lectures*", "30 2 * * *", timezone="Asia/Tashkent")
    switched, gone, moved = (
        leap.job(owner, title, when)
        for title, when in (("Off", "0 5 * * 1"), ("Gone", "0 6 * * *"), ("Moved", "2 hours"))
    )
    new = [name_of(each) for each in (nightly, switched, gone, moved)]
    until(lambda: all(name in leap.clocks() for name in new), "new rows")
    shown = leap.clocks()[name_of(nightly)]
    assert (shown["cronSchedule"], shown["executionTimezone"]) == ("30 2 * * *", "Asia/Tashkent")
    assert "Nightly *lectures*, of" in shown["description"]
    assert "owner@example.org" in shown["description"]
    assert shown["scheduleState"]["status"] == "RUNNING"

    # It fires on its grid, by a run whose ops can be seen.
    until(lambda: any(each.state == "done" for each in leap.firings(ticking)), "a firing")
    job = leap.firings(ticking)
    done = next(each for each in job if each.state == "done")
    with leap.database.system() as session:
        anchor = session.get_one(AutomationJob, ticking).anchored_at
    assert (done.due_at - anchor) % STEP == timedelta(0)
    assert done.dagster_run_id is not None
    run = leap.graphql(RUN, id=done.dagster_run_id)["runOrError"]
    tags = {each["key"]: each["value"] for each in run["tags"]}
    assert (tags["leap/job"], tags["leap/firing"]) == (str(ticking), str(done.id))
    assert tags["leap/owner"] == owner
    assert "leap/user" not in tags
    assert [each["stepKey"] for each in run["stepStats"]] == STEPS

    # Changed, switched off, deleted, made another kind, toggled where it must not be.
    leap.change(nightly, **schedule("45 3 * * *"))
    leap.change(switched, enabled=False)
    leap.change(moved, **schedule("0 7 * * *"))
    with leap.database.system() as session:
        session.execute(delete(AutomationJob).where(AutomationJob.id == gone))
    sensor = leap.graphql(SENSOR, name=name_of(ticking))["sensorOrError"]
    leap.graphql(STOP, id=sensor["sensorState"]["id"])

    def is_right() -> bool:
        found = leap.clocks()
        return (
            not {name_of(switched), name_of(gone)} & found.keys()
            and found[name_of(nightly)]["cronSchedule"] == "45 3 * * *"
            and found[name_of(moved)].get("cronSchedule") == "0 7 * * *"
            and found[name_of(moved)]["scheduleState"]["status"] == "RUNNING"
            and found[name_of(ticking)]["sensorState"]["status"] == "RUNNING"
        )

    until(is_right, "the changes")

    # Killed, and started again by the supervisor: nothing is lost, nothing fires twice.
    until(lambda: leap.firings(ticking)[-1].finished_at is not None, "the end of a firing")
    last = leap.firings(ticking)[-1].due_at
    leap.kill("dagster-daemon", "code-automation")
    until(
        lambda: any(each.due_at > last and each.state == "done" for each in leap.firings(ticking)),
        "a firing after the kill",
    )
    fired = leap.firings(ticking)
    assert len({each.due_at for each in fired}) == len(fired)
    assert {each.fired_by for each in fired} <= {"sensor", "dispatcher"}
    assert not [each.error for each in fired if each.state == "failed"]
