"""Jobs as a page lists them, and schedules before they are saved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from leap_pipeline.domain.due_times import crontab_of, interval_of
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.errors import InputError, NotFound, StaleChange
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.job_lists import (
    JobPage,
    Planned,
    is_job_running,
    job_page,
    plan_schedule,
)
from leap_pipeline.services.jobs import list_jobs, run_job, update_job
from tests.support.automation import Desk, make_desk

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OWNER = Editor(Actor(None, "owner"), Rights())


def page(desk: Desk, **asked: Any) -> JobPage:
    with desk.database.tenant(desk.user_id) as session:
        return job_page(session, desk.user_id, NOW, **asked)


def planned(desk: Desk, columns: dict[str, Any], **asked: Any) -> Planned:
    with desk.database.tenant(desk.user_id) as session:
        return plan_schedule(session, desk.user_id, columns, NOW, **asked)


def test_a_page_says_of_each_job_what_a_look_at_it_alone_does(desk: Desk) -> None:
    desk.plan("Plus", custom_max_automation_jobs=2)
    for number in range(5):
        desk.job(f"{number} 2 * * *", name=f"job {number}", enabled=number != 1)
    desk.job("99 2 * * *", name="unreadable")
    found = page(desk)
    with desk.database.tenant(desk.user_id) as session:
        alone = {view.name: view for view in list_jobs(session, NOW)}
    for line in found.items:
        view = alone[line.row.name]
        due = (line.next,) if line.next is not None else ()
        assert (due, line.problem) == (view.next, view.problem), line.row.name
    assert found.items[1].next is None
    assert found.enabled == 5
    assert "older than this one" in (found.items[4].problem or "")
    first = page(desk, limit=2)
    assert [line.row.name for line in first.items] == ["job 0", "job 1"]
    assert [line.row.name for line in page(desk, limit=2, after=first.after).items] == [
        "job 2",
        "job 3",
    ]


def test_a_page_costs_the_same_few_statements_however_many_jobs(desk: Desk) -> None:
    def cost() -> int:
        said: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if " FROM " in statement:
                said.append(statement)

        engine = desk.database._engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            page(desk)
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(said)

    desk.plan("Plus")
    desk.job("0 2 * * *", name="one")
    few = cost()
    for number in range(15):
        desk.job(f"{number} 3 * * *", name=f"job {number}")
    assert cost() == few <= 6


def test_a_job_that_is_fired_is_said_to_run(desk: Desk) -> None:
    desk.plan("Plus")
    job = desk.job("0 2 * * *")
    assert not page(desk).items[0].is_running
    with desk.database.tenant(desk.user_id) as session:
        run_job(session, OWNER, job, dry_run=True)
        assert is_job_running(session, job)
    assert page(desk).items[0].is_running


def test_a_schedule_tells_its_next_times_before_it_is_saved(desk: Desk) -> None:
    desk.plan("Plus")
    found = planned(desk, {**crontab_of("0 6 * * 1-5"), "timezone": "Europe/Berlin"})
    first = datetime(2026, 11, 24, 5, tzinfo=UTC)
    days = (0, 1, 2, 3, 6)
    assert found.next == tuple(first + timedelta(days=each) for each in days)
    assert found.refusal is None
    assert planned(desk, interval_of("13 hours")).next[0] == NOW + timedelta(hours=13)
    with pytest.raises(InputError, match="crontab_hour"):
        planned(desk, crontab_of("0 25 * * *"))
    assert desk.jobs() == []


def test_what_the_plan_does_not_take_is_said_before(desk: Desk) -> None:
    desk.plan("Plus", custom_max_automation_jobs=1)
    often, daily = interval_of("1 hours"), interval_of("1 days")
    assert "at least 12 h apart" in (planned(desk, often).refusal or "")
    assert planned(desk, often, beyond_plan=True).refusal is None
    assert planned(desk, often, enabled=False).refusal is None
    job = desk.job(every="1 hours")
    assert "and 1 are" in (planned(desk, daily).refusal or "")
    assert planned(desk, daily, job_id=job).refusal is None
    # What an admin allowed once stays, as long as nobody changes it; counted from its own anchor.
    kept = planned(desk, {**often, "timezone": None}, job_id=job)
    assert kept.refusal is None
    assert kept.next[0] == NOW + timedelta(hours=1)
    desk.plan("Free", custom_max_automation_jobs=0)
    assert "has no automations" in (planned(desk, daily, enabled=False).refusal or "")


def test_another_tenants_jobs_are_not_there(desk: Desk) -> None:
    job = desk.job("0 2 * * *")
    stranger = make_desk(desk.database, "other@example.org")
    assert page(stranger).items == ()
    with pytest.raises(NotFound):
        planned(stranger, crontab_of("0 2 * * *"), job_id=job)


def test_an_edit_is_stale_by_what_people_edit_and_not_by_a_run(desk: Desk) -> None:
    desk.plan("Plus")
    job = desk.job("0 2 * * *")
    seen = {"name": desk.row(job).name, "crontab_hour": "2", "source_ids": []}
    desk.sql("UPDATE automation_jobs SET last_run_at = now() WHERE id = :job", job=job)
    with desk.database.tenant(desk.user_id) as session:
        update_job(session, OWNER, job, unchanged=seen, name="mine")
        with pytest.raises(StaleChange):
            update_job(session, OWNER, job, unchanged=seen, name="theirs")
    assert desk.row(job).name == "mine"
