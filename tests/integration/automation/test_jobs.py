"""Jobs as people change them: what a plan allows, what is noted, whose they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leap_pipeline.domain.due_times import crontab_of, interval_of
from leap_pipeline.domain.permissions import Rights, Role
from leap_pipeline.errors import InputError, NotFound, QuotaExceeded, StaleChange, UserActionError
from leap_pipeline.services import jobs
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.credentials import Editor
from tests.support.at_once import race
from tests.support.automation import Desk, make_desk
from tests.support.jobs import enable_it

ADMIN = Editor(Actor(None, "admin"), Rights(Role.ADMIN))
NIGHTLY = crontab_of("0 2 * * *")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def editor(desk: Desk) -> Editor:
    return Editor(Actor(desk.user_id, "owner@example.org"), Rights())


def create(desk: Desk, name: str = "nightly", by: Editor | None = None, **values: Any) -> int:
    given = {"job_type": "sync_and_process", **(values or NIGHTLY)}
    beyond = bool(given.pop("beyond_plan", False))
    with desk.database.tenant(desk.user_id) as session:
        row = jobs.create_job(session, by or editor(desk), beyond_plan=beyond, name=name, **given)
        return row.id


def change(desk: Desk, job: int, by: Editor | None = None, **values: Any) -> None:
    with desk.database.tenant(desk.user_id) as session:
        jobs.update_job(session, by or editor(desk), job, **values)


def test_a_job_is_made_changed_switched_and_deleted(desk: Desk) -> None:
    job = create(desk, **NIGHTLY, timezone="Europe/Berlin", description="Every night")
    with desk.database.tenant(desk.user_id) as session:
        view = jobs.view_job(session, job, NOW, times=2)
    assert (view.schedule, view.timezone, view.enabled, view.problem) == (
        "0 2 * * * Europe/Berlin",
        "Europe/Berlin",
        True,
        None,
    )
    first = datetime(2026, 11, 24, 1, tzinfo=UTC)
    assert view.next == (first, first + timedelta(days=1))
    assert view.dagster_name.endswith(f"_{job}")
    change(desk, job, **interval_of("6 hours"), source_ids=[])
    row = desk.row(job)
    assert (row.crontab_minute, row.interval_every) == (None, 6)
    with desk.database.tenant(desk.user_id) as session:
        jobs.disable_job(session, editor(desk), job)
        assert jobs.view_job(session, job, NOW).next == ()
        jobs.enable_job(session, editor(desk), job)
        jobs.delete_job(session, editor(desk), job)
    assert desk.jobs() == []
    noted = desk.sql(
        "SELECT action, actor_id FROM audit_log WHERE owner_id = :u AND subject_type = 'job'"
        " ORDER BY id",
        u=desk.user_id,
    )
    actions = ["create", "update", "update", "update", "delete"]
    assert noted == [(f"job.{action}", desk.user_id) for action in actions]


def test_what_cannot_be_scheduled_is_refused_with_its_field(desk: Desk) -> None:
    for values, named in (
        (crontab_of("61 * * * *"), "crontab_minute"),
        ({"schedule_type": "weekly"}, "schedule_type"),
        ({**NIGHTLY, "timezone": "Mars/Base"}, "timezone"),
        ({**NIGHTLY, "job_type": "explode"}, "job_type"),
        ({**NIGHTLY, "source_ids": [0]}, "source_ids"),
        ({**NIGHTLY, "source_ids": [999_999]}, "999999"),
        ({**NIGHTLY, "template_id": 999_999}, "999999"),
        ({**NIGHTLY, "armed": 1}, "armed"),
    ):
        with pytest.raises(InputError, match=named):
            create(desk, **values)
    with pytest.raises(InputError, match="name"):
        create(desk, name=" ")
    job = create(desk)
    with pytest.raises(InputError):
        create(desk)  # the name is taken
    with pytest.raises(InputError, match="crontab_hour"):
        change(desk, job, crontab_hour="25")
    assert desk.row(job).crontab_hour == "2"


def test_a_change_of_what_somebody_else_changed_is_refused(desk: Desk) -> None:
    job = create(desk)
    seen = desk.row(job).updated_at
    change(desk, job, description="one")
    with pytest.raises(StaleChange):
        change(desk, job, unchanged_since=seen, description="two")


def test_another_tenants_job_is_not_there(desk: Desk) -> None:
    job = create(desk)
    stranger = make_desk(desk.database, "other@example.org")
    with desk.database.tenant(stranger.user_id) as session:
        for touch in (
            lambda: jobs.view_job(session, job, NOW),
            lambda: jobs.update_job(session, editor(stranger), job, name="mine"),
            lambda: jobs.delete_job(session, editor(stranger), job),
            lambda: jobs.run_job(session, editor(stranger), job),
            lambda: jobs.job_history(session, job),
            lambda: jobs.next_times(session, job, 1, NOW),
        ):
            with pytest.raises(NotFound):
                touch()
        assert jobs.list_jobs(session, NOW) == []
    with desk.database.system() as session:
        assert len(jobs.list_jobs(session, NOW)) == 1
        assert jobs.list_jobs(session, NOW, of=stranger.user_id) == []


def test_a_plan_without_automations_has_none(desk: Desk) -> None:
    desk.plan("Free")
    for enabled in (True, False):
        with pytest.raises(QuotaExceeded, match="no automations"):
            create(desk, **NIGHTLY, enabled=enabled)
    desk.plan("Free", custom_max_automation_jobs=1)
    create(desk)


def test_only_so_many_are_switched_on(desk: Desk) -> None:
    desk.plan("Plus")
    for number in range(3):
        create(desk, f"job {number}")
    with pytest.raises(QuotaExceeded, match="has 3 automations"):
        create(desk, "one more")
    spare = create(desk, "spare", **NIGHTLY, enabled=False)
    with pytest.raises(QuotaExceeded, match="has 3 automations"):
        change(desk, spare, enabled=True)
    change(desk, spare, description="still off")
    first = desk.jobs()[0].id
    change(desk, first, enabled=False)
    change(desk, spare, enabled=True)
    desk.plan("Enterprise")
    change(desk, first, enabled=True)
    with desk.database.system() as session:
        assert [view.problem for view in jobs.list_jobs(session, NOW)] == [None] * 4
    desk.plan("Plus")
    with desk.database.system() as session:
        problems = [view.problem for view in jobs.list_jobs(session, NOW)]
    assert problems[:3] == [None] * 3
    assert "3 automations" in (problems[3] or "")


def test_of_many_switched_on_at_once_as_many_as_the_plan_has_get_through(desk: Desk) -> None:
    desk.plan("Plus", custom_max_automation_jobs=2)
    spare = [create(desk, f"job {n}", **NIGHTLY, enabled=False) for n in range(4)]
    outcomes = race(desk.database, enable_it, [(desk.user_id, job) for job in spare])
    assert sorted(outcomes) == ["QuotaExceeded"] * 2 + ["ok"] * 2
    assert sum(bool(job.enabled) for job in desk.jobs()) == 2


def test_the_real_gap_counts_and_not_its_look(desk: Desk) -> None:
    desk.plan("Plus")  # 12 h
    for values in (
        crontab_of("0 23,0 * * *"),
        crontab_of("0 */12,1 * * *"),
        interval_of("11 hours"),
        interval_of("45 seconds"),
    ):
        with pytest.raises(QuotaExceeded, match="12 h apart"):
            create(desk, **values)
    # A day of 23 hours makes no daily job one of every 23.
    desk.plan("Plus", custom_min_automation_interval_hours=24)
    daily = create(desk, **NIGHTLY, timezone="America/New_York")
    change(desk, daily, **interval_of("1 day"))
    with pytest.raises(QuotaExceeded, match="1 h after"):
        change(desk, daily, **crontab_of("0 1,2 * * *"))
    assert desk.row(daily).schedule_type == "interval"
    desk.plan("Plus", custom_min_automation_interval_hours=1)
    change(desk, daily, **crontab_of("0 * * * *"))
    with pytest.raises(QuotaExceeded, match="30 min after"):
        change(desk, daily, **crontab_of("0,30 * * * *"))


def test_an_admin_may_set_a_closer_schedule(desk: Desk) -> None:
    desk.plan("Plus")
    often = interval_of("45 seconds")
    with pytest.raises(UserActionError, match="admin"):
        create(desk, **often, beyond_plan=True)
    job = create(desk, by=ADMIN, **often, beyond_plan=True)
    change(desk, job, name="renamed")
    change(desk, job, enabled=False)
    with pytest.raises(QuotaExceeded, match="45 s after"):
        change(desk, job, enabled=True)
    change(desk, job, by=ADMIN, enabled=True, beyond_plan=True)
    noted = desk.sql("SELECT actor FROM audit_log WHERE owner_id = :u ORDER BY id", u=desk.user_id)
    assert [row[0] for row in noted].count("admin") == 2


def test_a_broken_row_says_why_it_is_never_due(desk: Desk) -> None:
    desk.job("61 2 * * *")
    with desk.database.system() as session:
        view = jobs.list_jobs(session, NOW)[0]
    assert view.next == ()
    assert "crontab_minute" in (view.problem or "")
