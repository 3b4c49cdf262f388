"""A firing is one row: claimed once, begun once, and what was missed runs once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leap_pipeline.domain.shapes.accounts import FiringCounts
from leap_pipeline.errors import AlreadyRunning, NotFound, QuotaExceeded
from leap_pipeline.services import firing_care, firings
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.firings import Begun, Claimed, NotDue, Refusal
from tests.support.at_once import race
from tests.support.automation import Desk
from tests.support.jobs import at, begin_it, claim_it

MONDAY_2 = at("2026-11-23T02:00:00+00:00")
NIGHTLY = "0 2 * * *"
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def claim(desk: Desk, job: int, due: datetime, now: datetime | None = None) -> Claimed | NotDue:
    with desk.database.system() as session:
        return firings.claim(session, job, due, "schedule", now=now or due + SECOND)


def claimed(desk: Desk, job: int, due: datetime, now: datetime | None = None) -> Claimed:
    found = claim(desk, job, due, now)
    assert isinstance(found, Claimed), found
    return found


def refused(desk: Desk, job: int, due: datetime, now: datetime | None = None) -> Refusal:
    found = claim(desk, job, due, now)
    assert isinstance(found, NotDue), found
    return found.code


def begin(desk: Desk, firing: int, run: str = "run", now: datetime | None = None) -> Begun | None:
    with desk.database.system() as session:
        return firings.begin(session, firing, run, now=now)


def finish(desk: Desk, firing: int, error: str | None = None, **given: Any) -> bool:
    with desk.database.system() as session:
        return firings.finish(session, firing, FiringCounts(planned=3), error, **given)


def run(desk: Desk, job: int, due: datetime, now: datetime | None = None) -> Claimed:
    """A whole firing."""
    found = claimed(desk, job, due, now)
    assert begin(desk, found.firing_id) is not None
    assert finish(desk, found.firing_id)
    return found


def due_jobs(desk: Desk, now: datetime, grace: timedelta = SECOND) -> list[tuple[int, datetime]]:
    with desk.database.system() as session:
        return firings.due_jobs(session, now, grace)


def lose(desk: Desk, now: datetime) -> tuple[list[int], list[int]]:
    with desk.database.system() as session:
        return firing_care.lost(session, now, lambda told: [each.firing_id for each in told])


def test_twenty_who_claim_at_once_get_one_row(desk: Desk) -> None:
    job = desk.job(NIGHTLY)
    now = MONDAY_2 + SECOND
    outcomes = race(desk.database, claim_it, [(job, MONDAY_2, now)] * 20)
    assert sorted(outcomes) == ["AlreadyRunning"] * 19 + ["ok"]
    assert [firing.due_at for firing in desk.firings()] == [MONDAY_2]
    firing = desk.firings()[0].id
    outcomes = race(desk.database, begin_it, [(firing, f"run {number}") for number in range(3)])
    assert sorted(outcomes) == ["AlreadyRunning"] * 2 + ["ok"]


def test_what_is_not_due_is_refused_with_its_reason(desk: Desk) -> None:
    job = desk.job(NIGHTLY, armed_at="2026-11-22 02:00+00")
    assert refused(desk, 999_999, MONDAY_2) is Refusal.NO_JOB
    assert refused(desk, job, MONDAY_2 + MINUTE) is Refusal.OFF_GRID
    assert refused(desk, job, MONDAY_2, MONDAY_2 - SECOND) is Refusal.TOO_EARLY
    assert refused(desk, job, at("2026-11-22T02:00:00Z")) is Refusal.BEFORE_ARMED
    assert refused(desk, job, MONDAY_2, at("2026-11-24T02:00:00Z")) is Refusal.PASSED_OVER
    broken = desk.job("61 2 * * *")
    assert refused(desk, broken, MONDAY_2) is Refusal.UNREADABLE
    off = desk.job(NIGHTLY, name="off", enabled=False)
    assert refused(desk, off, MONDAY_2) is Refusal.SWITCHED_OFF
    desk.sql("UPDATE users SET is_active = FALSE")
    assert refused(desk, job, MONDAY_2) is Refusal.OWNER_INACTIVE
    assert desk.firings() == []


def test_a_missed_stretch_runs_once(desk: Desk) -> None:
    job = desk.job(every="45 seconds", anchored_at=MONDAY_2, armed_at=MONDAY_2)
    step = timedelta(seconds=45)
    assert run(desk, job, MONDAY_2 + step).missed == 0
    back = MONDAY_2 + 100 * step + SECOND
    assert due_jobs(desk, back) == [(job, MONDAY_2 + 100 * step)]
    assert refused(desk, job, MONDAY_2 + 99 * step, back) is Refusal.PASSED_OVER
    assert run(desk, job, MONDAY_2 + 100 * step, back).missed == 98
    assert due_jobs(desk, back) == []
    assert run(desk, job, MONDAY_2 + 101 * step).missed == 0
    assert refused(desk, job, MONDAY_2 + 101 * step) is Refusal.CLAIMED


def test_what_was_due_before_a_job_was_armed_is_no_miss(desk: Desk) -> None:
    job = desk.job(NIGHTLY, armed_at="2026-11-20 12:00+00")
    assert claimed(desk, job, MONDAY_2).missed == 2


def test_the_next_time_waits_for_the_end_of_the_one_before(desk: Desk) -> None:
    job = desk.job("* * * * *", armed_at=MONDAY_2)
    first = claimed(desk, job, MONDAY_2 + MINUTE)
    begin(desk, first.firing_id)
    later = MONDAY_2 + 3 * MINUTE
    assert refused(desk, job, later) is Refusal.STILL_RUNNING
    assert due_jobs(desk, later + SECOND) == []
    finish(desk, first.firing_id)
    assert due_jobs(desk, later + SECOND) == [(job, later)]
    assert claimed(desk, job, later).missed == 1


def test_those_overdue_longest_come_first(desk: Desk) -> None:
    hourly = desk.job("0 * * * *", armed_at=MONDAY_2)
    nightly = desk.job(NIGHTLY, armed_at=MONDAY_2 - MINUTE)
    desk.job("61 * * * *")
    desk.job(NIGHTLY, name="off", enabled=False, armed_at=MONDAY_2 - MINUTE)
    now = MONDAY_2 + timedelta(hours=1, seconds=30)
    assert due_jobs(desk, now) == [
        (nightly, MONDAY_2),
        (hourly, MONDAY_2 + timedelta(hours=1)),
    ]
    assert due_jobs(desk, now, MINUTE) == [(nightly, MONDAY_2)]
    with desk.database.system() as session:
        assert len(firings.due_jobs(session, now, SECOND, limit=1)) == 1


def test_a_run_is_written_on_the_job_and_on_celerys_entry(desk: Desk) -> None:
    job = desk.job(NIGHTLY)
    began = MONDAY_2 + SECOND
    found = claimed(desk, job, MONDAY_2)
    begun = begin(desk, found.firing_id, "run-1", began)
    assert begun is not None
    assert (begun.job_id, begun.job_type, begun.source_ids) == (job, "sync_and_process", ())
    assert not finish(desk, found.firing_id, dagster_run_id="run-2")
    assert finish(desk, found.firing_id, dagster_run_id="run-1")
    assert not finish(desk, found.firing_id, "too late")
    firing = desk.firings()[0]
    assert (firing.state, firing.dagster_run_id, firing.error) == ("done", "run-1", None)
    assert firing.counts["planned"] == 3
    row = desk.row(job)
    assert (row.last_run_at, row.last_run_status, row.last_run_error) == (began, "done", None)
    entry = "SELECT last_run_at, total_run_count FROM celery_beat_schedule_entry"
    assert desk.sql(entry) == [(began, 1)]
    assert desk.sql("SELECT automation_runs_count FROM quota_usage") == [(1,)]

    failing = claimed(desk, job, MONDAY_2 + timedelta(days=1))
    begin(desk, failing.firing_id)
    assert finish(desk, failing.firing_id, "Zoom refused https://zoom.us/x?access_token=secret1")
    row = desk.row(job)
    assert row.last_run_status == "failed"
    assert row.last_run_error is not None
    assert "secret1" not in row.last_run_error
    assert desk.sql(entry)[0][1] == 2


def test_what_was_switched_off_meanwhile_does_not_begin(desk: Desk) -> None:
    job = desk.job(NIGHTLY)
    found = claimed(desk, job, MONDAY_2)
    desk.sql("UPDATE automation_jobs SET enabled = FALSE")
    assert begin(desk, found.firing_id) is None
    assert desk.row(job).last_run_status == "refused"
    other = desk.job(NIGHTLY, name="other")
    gone = claimed(desk, other, MONDAY_2)
    desk.sql("DELETE FROM automation_jobs WHERE id = :job", job=other)
    assert begin(desk, gone.firing_id) is None
    assert not finish(desk, gone.firing_id, "gone")


def test_jobs_beyond_the_plan_do_not_fire_and_say_why(desk: Desk) -> None:
    jobs = [desk.job(NIGHTLY, name=f"{number}") for number in range(3)]
    desk.plan("Plus", custom_max_automation_jobs=2)

    def begins(job: int, due: datetime) -> bool:
        found = claimed(desk, job, due)
        begun = begin(desk, found.firing_id) is not None
        return begun and finish(desk, found.firing_id)

    assert [begins(job, MONDAY_2) for job in jobs] == [True, True, False]
    newest = desk.row(jobs[2])
    assert newest.last_run_status == "refused"
    assert "2 automations that are switched on" in (newest.last_run_error or "")
    assert [f.state for f in desk.firings()] == ["done", "done", "failed"]
    assert desk.sql("SELECT automation_runs_count FROM quota_usage") == [(2,)]
    tuesday = MONDAY_2 + timedelta(days=1)
    desk.sql("UPDATE automation_jobs SET enabled = FALSE WHERE id = :job", job=jobs[0])
    assert begins(jobs[2], tuesday)
    desk.plan("Free", custom_max_automation_jobs=None)
    assert not begins(jobs[1], tuesday)
    assert "has no automations" in (desk.row(jobs[1]).last_run_error or "")
    desk.plan("Enterprise")
    assert begins(jobs[1], tuesday + timedelta(days=1))


def test_a_person_fires_beside_the_schedule(desk: Desk) -> None:
    job = desk.job(NIGHTLY, enabled=False)
    actor = Actor(desk.user_id, "owner@example.org")

    def fire(*, dry_run: bool, number: int = job) -> int:
        with desk.database.tenant(desk.user_id) as session:
            return firings.run_now(session, number, dry_run=dry_run, actor=actor)

    with pytest.raises(NotFound):
        fire(dry_run=True, number=999_999)
    dry = fire(dry_run=True)
    with pytest.raises(AlreadyRunning):
        fire(dry_run=False)
    with desk.database.system() as session:
        assert [each.firing_id for each in firings.to_request(session, datetime.now(UTC))] == [dry]
        assert firings.to_request(session, datetime.now(UTC)) == []
    begun = begin(desk, dry)
    assert begun is not None
    assert begun.dry_run
    assert finish(desk, dry)
    row = desk.row(job)
    assert (row.last_run_at, row.last_run_status) == (None, None)
    assert desk.sql("SELECT total_run_count FROM celery_beat_schedule_entry") == [(0,)]
    assert desk.sql("SELECT count(*) FROM quota_usage") == [(0,)]
    fire(dry_run=False)
    audit = "SELECT after FROM audit_log WHERE owner_id = :u AND action = 'job.run' ORDER BY id"
    told = [row[0]["dry_run"] for row in desk.sql(audit, u=desk.user_id)]
    assert told == [True, False]
    desk.sql("DELETE FROM automation_firings")
    desk.plan("Free")
    with pytest.raises(QuotaExceeded, match="no automations"):
        fire(dry_run=False)
    assert fire(dry_run=True) > dry


def test_a_persons_run_is_no_due_time(desk: Desk) -> None:
    job = desk.job(NIGHTLY, armed_at="2026-11-20 12:00+00")
    with desk.database.system() as session:
        actor = Actor(None, "test")
        firing = firings.run_now(session, job, dry_run=False, actor=actor, now=MONDAY_2 - MINUTE)
    begin(desk, firing)
    finish(desk, firing)
    assert claimed(desk, job, MONDAY_2).missed == 2


def test_a_firing_whose_run_is_gone_is_asked_for_again_and_then_fails(desk: Desk) -> None:
    job = desk.job(NIGHTLY)
    now = MONDAY_2 + SECOND
    firing = claimed(desk, job, MONDAY_2).firing_id
    assert lose(desk, now + firing_care.SUSPECT_AFTER / 2) == ([], [])
    for attempt in (1, 2):
        now += 2 * MINUTE
        assert lose(desk, now) == ([firing], [])
        with desk.database.system() as session:
            asked = firings.to_request(session, now)
        assert [(each.firing_id, each.attempts) for each in asked] == [(firing, attempt)]
        assert begin(desk, firing, f"run {attempt}", now) is not None
    assert not finish(desk, firing, dagster_run_id="run 1")
    assert lose(desk, now + 2 * MINUTE) == ([], [firing])
    assert desk.firings()[0].state == "failed"
    row = desk.row(job)
    assert row.last_run_status == "failed"
    assert "died 3 times" in (row.last_run_error or "")
    assert desk.sql("SELECT automation_runs_count FROM quota_usage") == [(1,)]
    assert lose(desk, now + timedelta(days=1)) == ([], [])


def test_what_lives_is_not_lost(desk: Desk) -> None:
    job = desk.job(NIGHTLY)
    claimed(desk, job, MONDAY_2)
    with desk.database.system() as session:
        assert firing_care.lost(session, MONDAY_2 + timedelta(days=1), lambda _told: []) == ([], [])
    assert desk.firings()[0].state == "claimed"


def test_old_firings_are_forgotten_but_a_jobs_newest(desk: Desk) -> None:
    job = desk.job(NIGHTLY)
    for day in range(4):
        run(desk, job, MONDAY_2 + timedelta(days=day))
    live = claimed(desk, job, MONDAY_2 + timedelta(days=4))
    with desk.database.system() as session:
        assert firing_care.forget_old(session, MONDAY_2 + timedelta(days=2)) == 2
        assert firing_care.forget_old(session, MONDAY_2 + timedelta(days=365)) == 2
    assert [firing.id for firing in desk.firings()] == [live.firing_id]
    finish(desk, live.firing_id, "over")
    with desk.database.system() as session:
        assert firing_care.forget_old(session, MONDAY_2 + timedelta(days=365)) == 0
