"""Rows as Dagster's definitions; the dispatcher; firings whose worker is gone."""

from __future__ import annotations

import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.models.users import User
from leap_pipeline.orchestration.automation.asking import FIRING_TAG, OWNER_TAG, request_of
from leap_pipeline.orchestration.automation.definitions import definitions_of
from leap_pipeline.orchestration.automation.dispatcher import (
    DISPATCHER,
    FINGERPRINT_TAG,
    gone_of,
)
from leap_pipeline.orchestration.automation.rows import load_rows, read_fingerprint
from leap_pipeline.orchestration.automation.tick import automation_tick
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.automation_rows import FiredBy
from leap_pipeline.services.firing_care import Suspect
from leap_pipeline.services.firings import Claimed, begin, claim, run_now
from leap_pipeline.services.liveness import WorkLock, firing_key, living
from leap_pipeline.settings import Settings
from resources.leap import JOB_TAG
from tests.support.bench import Bench
from tests.support.clockwork import name_of, schedule

NOW = datetime.now(UTC) - timedelta(minutes=1)
LONG_AGO = NOW - timedelta(hours=3)
AWAY = "postgresql://nobody@127.0.0.1:1/away"


@pytest.fixture(autouse=True)
def fresh_clock() -> None:
    """A long suite imports a module many minutes before it runs its tests."""
    global NOW, LONG_AGO
    NOW = datetime.now(UTC) - timedelta(minutes=1)  # every clock of its own has looked by now
    LONG_AGO = NOW - timedelta(hours=3)


def add_job(session: Session, bench: Bench, title: str, when: str, **values: Any) -> int:
    job = AutomationJob(
        user_id=bench.user_id,
        name=title,
        **{
            "job_type": "process_recordings",
            "source_ids": [],
            "anchored_at": LONG_AGO,
            "armed_at": LONG_AGO,
            **schedule(when),
            **values,
        },
    )
    session.add(job)
    session.flush()
    return job.id


def loaded(settings: Settings, **changes: Any) -> dg.RepositoryDefinition:
    found = load_rows(settings.model_copy(update=changes))
    return definitions_of(found, NOW).get_repository_def()


def test_every_enabled_job_has_a_clock(bench: Bench, home: Settings) -> None:
    with bench.database.system() as session:
        session.execute(
            update(User).where(User.id == bench.user_id).values(timezone="Asia/Tashkent")
        )
        source = InputSource(user_id=bench.user_id, name="Zoom [1]", source_type="ZOOM")
        session.add(source)
        session.flush()
        crontab = add_job(session, bench, "Night", "5 2 * * 1", source_ids=[source.id])
        berlin = add_job(session, bench, "Berlin", "*/5 * * * *", timezone="Europe/Berlin")
        interval = add_job(session, bench, "Often", "90 minutes")
        add_job(session, bench, "Off", "1 1 * * *", enabled=False)
        add_job(session, bench, "Broken", "61 1 * * *")
    repository = loaded(home)
    schedules = {each.name: each for each in repository.schedule_defs}
    sensors = {each.name: each for each in repository.sensor_defs}
    assert schedules.keys() == {name_of(each, bench.slug) for each in (crontab, berlin)}
    assert sensors.keys() == {name_of(interval, bench.slug), DISPATCHER}
    night = schedules[name_of(crontab, bench.slug)]
    assert (night.cron_schedule, night.execution_timezone) == ("5 2 * * 1", "Asia/Tashkent")
    assert schedules[name_of(berlin, bench.slug)].execution_timezone == "Europe/Berlin"
    assert night.tags == {JOB_TAG: str(crontab), OWNER_TAG: bench.user_id}
    assert night.metadata["title"].value == "Night"
    assert night.metadata["owner"].value == "owner@example.org"
    assert night.metadata["sources"].value == "Zoom [1]"
    assert "Zoom [1]" in (night.description or "")
    (times,) = [each for name, each in night.metadata.items() if name.startswith("next times")]
    assert str(times.value).count(",") == 4
    clocks: list[Any] = [*schedules.values(), *sensors.values()]
    assert {each.default_status.value for each in clocks} == {"RUNNING"}
    assert {each.job_name for each in clocks} == {"automation_tick"}


def test_no_more_are_mirrored_than_the_setting_says(bench: Bench, home: Settings) -> None:
    with bench.database.system() as session:
        first, second, _third = (
            add_job(session, bench, f"Job {number}", "1 1 * * *") for number in range(3)
        )
    names = {each.name for each in loaded(home, mirrored_jobs=2).schedule_defs}
    assert names == {name_of(first, bench.slug), name_of(second, bench.slug)}


def test_the_fingerprint_is_that_of_what_is_shown(bench: Bench, home: Settings) -> None:
    with bench.database.system() as session:
        job_id = add_job(session, bench, "Night", "5 2 * * 1")

    def fingerprint() -> str:
        with bench.database.system() as session:
            return read_fingerprint(session, home.mirrored_jobs)

    before = fingerprint()
    assert load_rows(home).fingerprint == before
    (dispatcher,) = [each for each in loaded(home).sensor_defs if each.name == DISPATCHER]
    assert dispatcher.tags == {FINGERPRINT_TAG: before}
    unseen: dict[str, Any] = {"last_run_status": "done", "last_run_at": NOW}
    for changed, values in ((False, unseen), (True, {"name": "Noon"}), (True, {"enabled": False})):
        with bench.database.system() as session:
            session.execute(
                update(AutomationJob).where(AutomationJob.id == job_id).values(**values)
            )
        assert (fingerprint() != before) is changed
        before = fingerprint()


def test_a_database_that_is_away_does_not_take_the_jobs_away(bench: Bench, home: Settings) -> None:
    with bench.database.system() as session:
        job_id = add_job(session, bench, "Night", "5 2 * * 1")
    fresh = load_rows(home)
    kept = home.home / "run" / "automation_jobs.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    away = home.model_copy(update={"database_url": AWAY})
    stale = load_rows(away)
    assert (stale.rows, stale.fingerprint) == (fresh.rows, fresh.fingerprint)
    assert stale.stale is not None
    names = [each.name for each in definitions_of(stale, NOW).get_repository_def().schedule_defs]
    assert names == [name_of(job_id, bench.slug)]


def test_with_nothing_kept_an_away_database_leaves_the_fixed_parts(tmp_path: Path) -> None:
    found = load_rows(Settings(home=tmp_path, database_url=AWAY))
    repository = definitions_of(found, NOW).get_repository_def()
    assert [each.name for each in repository.sensor_defs] == [DISPATCHER]


def evaluate(dagster: dg.DagsterInstance, home: Settings, cursor: str | None = None) -> Any:
    """One turn of the dispatcher; its run requests and its cursor."""
    (sensor,) = [each for each in loaded(home).sensor_defs if each.name == DISPATCHER]
    context = dg.build_sensor_context(instance=dagster, cursor=cursor)
    return sensor.evaluate_tick(context)


def test_the_dispatcher_takes_what_was_missed_once(
    dagster: dg.DagsterInstance, bench: Bench, home: Settings
) -> None:
    with bench.database.system() as session:
        job_id = add_job(session, bench, "Hourly", "1 hours")
    turn = evaluate(dagster, home)
    (request,) = turn.run_requests
    with bench.database.system() as session:
        (firing,) = session.query(AutomationFiring).all()
    assert request.tags[JOB_TAG] == str(job_id)
    assert request.tags[FIRING_TAG] == str(firing.id)
    assert request.tags[OWNER_TAG] == bench.user_id
    assert (firing.fired_by, firing.due_at, firing.missed) == ("dispatcher", NOW, 2)
    again = evaluate(dagster, home, turn.cursor)
    assert not again.run_requests
    assert again.skip_message


def test_the_dispatcher_asks_for_what_a_person_fired(
    dagster: dg.DagsterInstance, bench: Bench, home: Settings
) -> None:
    with bench.database.system() as session:
        job_id = add_job(session, bench, "Off", "1 hours", enabled=False)
        firing_id = run_now(session, job_id, dry_run=True, actor=SYSTEM)
    (request,) = evaluate(dagster, home).run_requests
    assert request.tags[FIRING_TAG] == str(firing_id)
    assert request.run_key == f"{firing_id}:0"


def begun(bench: Bench, dagster: dg.DagsterInstance) -> tuple[Claimed, dg.DagsterRun]:
    """A firing with a run that has begun it two minutes ago, which somebody's worker does."""
    with bench.database.system() as session:
        job_id = add_job(session, bench, "Hourly", "1 hours")
        found = claim(session, job_id, NOW, FiredBy.SENSOR)
    assert isinstance(found, Claimed)
    run = dagster.create_run_for_job(automation_tick, tags=dict(request_of(found).tags))
    with bench.database.system() as session:
        assert begin(session, found.firing_id, run.run_id)
        past = datetime.now(UTC) - timedelta(minutes=2)
        session.execute(update(AutomationFiring).values(started_at=past))
    return found, run


def test_a_firing_whose_worker_lives_is_left_alone(
    dagster: dg.DagsterInstance, bench: Bench, home: Settings
) -> None:
    found, _run = begun(bench, dagster)
    with closing(bench.database.lock_connection()) as connection:
        lock = WorkLock(connection, *firing_key(found.firing_id))
        assert lock.acquire(0)
        assert not evaluate(dagster, home).run_requests
        lock.release()


def test_a_firing_whose_worker_is_gone_is_asked_for_again(
    dagster: dg.DagsterInstance, bench: Bench, home: Settings
) -> None:
    found, run = begun(bench, dagster)
    turn = evaluate(dagster, home)
    (request,) = turn.run_requests
    assert request.run_key == f"{found.firing_id}:1"
    left = dagster.get_run_by_id(run.run_id)
    assert left is not None
    assert left.status is dg.DagsterRunStatus.FAILURE
    # It cares for them now and then only.
    with bench.database.system() as session:
        long_since = update(AutomationFiring).values(requested_at=NOW - timedelta(hours=1))
        session.execute(long_since)
    assert not evaluate(dagster, home, turn.cursor).run_requests


def test_a_run_that_waits_for_its_turn_is_not_lost(
    dagster: dg.DagsterInstance, bench: Bench
) -> None:
    with bench.database.system() as session:
        job_id = add_job(session, bench, "Hourly", "1 hours")
        found = claim(session, job_id, NOW, FiredBy.SENSOR)
        assert isinstance(found, Claimed)
        alive = living(session)
    suspect = [Suspect(found.firing_id, None, 0)]
    assert gone_of(dagster, suspect, alive, NOW) == [found.firing_id], "no run at all"
    waiting = dagster.create_run_for_job(automation_tick, tags=dict(request_of(found).tags))
    assert gone_of(dagster, suspect, alive, NOW) == []
    dagster.report_run_failed(waiting)
    assert gone_of(dagster, suspect, alive, NOW) == [found.firing_id]
