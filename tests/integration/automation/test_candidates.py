"""Which recordings a job takes, and which begin because no job ever would."""

from __future__ import annotations

from typing import Any

import pytest

from leap_pipeline.services.candidates import ready_unscheduled, to_process
from tests.support.automation import Desk, make_desk

MANY = 1000


class Shelf:
    """Recordings of one user by plain SQL, mapped to one template of one source."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.template, self.other_template = (self._template(name) for name in ("a", "b"))
        self.source, self.other_source = (self._source(name) for name in ("a", "b"))

    def _template(self, name: str) -> int:
        into = "recording_templates (user_id, name, matching_rules) VALUES (:user, :name, '{}')"
        return self._insert(into, name)

    def _source(self, name: str) -> int:
        into = "input_sources (user_id, name, source_type) VALUES (:user, :name, 'ZOOM')"
        return self._insert(into, name)

    def _insert(self, into: str, name: str) -> int:
        statement = f"INSERT INTO {into} RETURNING id"
        return int(self.desk.sql(statement, user=self.desk.user_id, name=name)[0][0])

    def add(self, *, run: str | None = None, hold: str | None = None, **columns: Any) -> int:
        given = {
            "user_id": self.desk.user_id,
            "display_name": "Lecture",
            "start_time": "2026-11-01 10:00+00",
            "duration": 5400,
            "status": "INITIALIZED",
            "is_mapped": True,
            "template_id": self.template,
            "input_source_id": self.source,
        } | columns
        names, values = ", ".join(given), ", ".join(f":{name}" for name in given)
        found = self.desk.sql(
            f"INSERT INTO recordings ({names}) VALUES ({values}) RETURNING id", **given
        )
        recording = int(found[0][0])
        about = {"recording": recording, "user": self.desk.user_id}
        if run is not None:
            self.desk.sql(
                "INSERT INTO recording_runs (recording_id, user_id, phase, state)"
                " VALUES (:recording, :user, 'prepare', :state)",
                **about,
                state=run,
            )
        if hold is not None:
            self.desk.sql(
                "INSERT INTO recording_holds (recording_id, user_id, kind, reason)"
                " VALUES (:recording, :user, :kind, 'wait')",
                **about,
                kind=hold,
            )
        return recording

    def taken(self, **given: Any) -> list[int]:
        with self.desk.database.system() as session:
            return to_process(session, self.desk.user_id, **{"limit": MANY, **given})

    def ready(self, limit: int = MANY, per_user: int = MANY, **given: Any) -> list[int]:
        with self.desk.database.system() as session:
            return [row[1] for row in ready_unscheduled(session, limit, per_user, **given)]


@pytest.fixture
def shelf(desk: Desk) -> Shelf:
    return Shelf(desk)


UNWANTED: dict[str, dict[str, Any]] = {
    "unmapped": {"is_mapped": False, "template_id": None},
    "blank": {"blank_record": True},
    "skipped": {"status": "SKIPPED"},
    "failed": {"status": "FAILED"},
    "at its source": {"status": "PENDING_SOURCE"},
    "done": {"status": "READY"},
    "deleted": {"deleted": True, "delete_state": "soft_deleted"},
    "paused": {"hold": "pause"},
    "queued": {"run": "queued"},
    "running": {"run": "running"},
    "waiting": {"run": "waiting"},
    "cancelled": {"run": "cancelled"},
}


def test_a_job_takes_what_has_something_left_to_do(shelf: Shelf) -> None:
    for columns in UNWANTED.values():
        shelf.add(**columns)
    wanted = [
        shelf.add(start_time="2026-11-02 10:00+00"),
        shelf.add(start_time="2026-11-03 10:00+00", status="DOWNLOADED", run="done"),
        shelf.add(start_time="2026-11-04 10:00+00", status="PROCESSING", run="failed"),
        shelf.add(start_time="2026-11-05 10:00+00", hold="approval"),
    ]
    assert shelf.taken() == wanted
    assert shelf.taken(limit=2) == wanted[:2]


def test_a_job_takes_what_is_of_its_template_and_sources_and_owner(shelf: Shelf) -> None:
    here = shelf.add()
    elsewhere = shelf.add(input_source_id=shelf.other_source)
    otherwise = shelf.add(template_id=shelf.other_template)
    nowhere = shelf.add(input_source_id=None)
    stranger = Shelf(make_desk(shelf.desk.database, "other@example.org"))
    stranger.add()
    assert shelf.taken() == [here, elsewhere, otherwise, nowhere]
    assert shelf.taken(template_id=shelf.template) == [here, elsewhere, nowhere]
    assert shelf.taken(source_ids=[shelf.other_source]) == [elsewhere]
    both = [shelf.source, shelf.other_source]
    assert shelf.taken(source_ids=both, template_id=shelf.other_template) == [otherwise]


def test_what_was_never_run_begins_by_itself(shelf: Shelf) -> None:
    for columns in UNWANTED.values():
        shelf.add(**columns)
    for state in ("done", "failed"):
        shelf.add(run=state)
    shelf.add(status="DOWNLOADED")
    fresh = shelf.add()
    assert shelf.ready() == [fresh]
    assert shelf.ready(without=[shelf.desk.user_id]) == []
    shelf.desk.sql("UPDATE users SET is_active = FALSE")
    assert shelf.ready() == []


def test_what_a_job_covers_waits_for_it(shelf: Shelf) -> None:
    first = shelf.add()
    second = shelf.add(input_source_id=shelf.other_source, template_id=shelf.other_template)
    third = shelf.add(input_source_id=None)

    def left(**columns: Any) -> list[int]:
        job = shelf.desk.job("0 2 * * *", **columns)
        found = shelf.ready()
        shelf.desk.sql("DELETE FROM automation_jobs WHERE id = :job", job=job)
        return found

    assert left() == left(source_ids=None) == []
    assert left(enabled=False) == [first, second, third]
    assert left(source_ids=f"[{shelf.source}]") == [second, third]
    assert left(template_id=shelf.other_template) == [first, third]
    assert left(source_ids=f"[{shelf.source}]", template_id=shelf.other_template) == [
        first,
        second,
        third,
    ]
    assert left(job_type="process_recordings") == []


@pytest.mark.parametrize(
    ("plan", "own", "covered"),
    [
        ("Enterprise", {}, True),
        ("Free", {}, False),
        ("Free", {"custom_max_automation_jobs": 1}, True),
        ("Plus", {"custom_max_automation_jobs": 0}, False),
        ("Plus", {}, True),
    ],
)
def test_a_job_that_the_plan_does_not_have_covers_nothing(
    shelf: Shelf, plan: str, own: dict[str, int], covered: bool
) -> None:
    shelf.desk.plan(plan, **own)
    shelf.add()
    shelf.desk.job("0 2 * * *")
    assert bool(shelf.ready()) is not covered
    shelf.desk.sql("UPDATE user_subscriptions SET expires_at = '2020-02-02'")
    assert shelf.ready() != []


def test_of_several_jobs_the_oldest_count(shelf: Shelf) -> None:
    shelf.desk.plan("Plus", custom_max_automation_jobs=1)
    shelf.add()
    covered = shelf.add(input_source_id=shelf.other_source)
    shelf.desk.job("0 2 * * *", source_ids=f"[{shelf.source}]")
    shelf.desk.job("0 3 * * *")
    assert shelf.ready() == [covered]


def test_users_take_turns(shelf: Shelf) -> None:
    names = ("b", "c")
    others = [Shelf(make_desk(shelf.desk.database, f"{name}@example.org")) for name in names]
    mine = [shelf.add(start_time=f"2026-11-0{day} 10:00+00") for day in (1, 2, 3)]
    theirs = [other.add(start_time="2026-11-09 10:00+00") for other in others]
    assert shelf.ready() == [mine[0], *theirs, *mine[1:]]
    assert shelf.ready(limit=3) == [mine[0], *theirs]
    assert shelf.ready(per_user=1) == [mine[0], *theirs]
