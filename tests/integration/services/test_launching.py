"""Queued rows are launched fairly and a few at a time; what is ready is queued by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, func, insert, select, update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.subscriptions import UserSubscription
from leap_pipeline.services import launching
from leap_pipeline.services.launching import LOOK_AHEAD, Launched, Refusals, launch, queue_ready
from tests.support.bench import Bench, make_bench

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def fresh_clock() -> None:
    """A long suite imports a module many minutes before it runs its tests."""
    global NOW
    NOW = datetime.now(UTC)


def limit(bench: Bench, **custom: int) -> None:
    with bench.database.system() as session:
        values = {f"custom_max_{name}": value for name, value in custom.items()}
        session.execute(
            update(UserSubscription)
            .where(UserSubscription.user_id == bench.user_id)
            .values(**values)
        )


def queue(bench: Bench, count: int) -> list[int]:
    recordings = [bench.recording() for _ in range(count)]
    for recording in recordings:
        bench.request(recording)
    return recordings


def turn(bench: Bench, slots: int = 10) -> Launched:
    return launch(bench.database, now=datetime.now(UTC), slots=slots)


def users(launched: Launched) -> Counter[str]:
    return Counter(each.user_id for each in launched.launches)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is sent to the server meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(database._engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database._engine, "before_cursor_execute", note)


@pytest.fixture
def other(bench: Bench, tmp_path: Path) -> Bench:
    return make_bench(bench.database, tmp_path / "other", "other@example.org")


def test_as_many_as_the_plan_lets_run_and_a_few_ahead(bench: Bench) -> None:
    limit(bench, concurrent_tasks=1)
    first = queue(bench, 6)
    launched = turn(bench)
    assert [each.recording_id for each in launched.launches] == first[: 1 + LOOK_AHEAD]
    assert turn(bench).launches == []
    work = bench.claim(first[0])
    assert turn(bench).launches == [], "one that runs counts as one that stands in the queue"
    work.close()
    assert len(turn(bench).launches) == 1
    limit(bench, concurrent_tasks=2)
    assert len(turn(bench).launches) == 1, "a raised limit counts at the next tick"


def test_no_more_than_the_machine_can_run(bench: Bench) -> None:
    limit(bench, concurrent_tasks=50)
    queue(bench, 6)
    assert len(turn(bench, slots=2).launches) == 2 + LOOK_AHEAD


def test_a_limit_of_zero_launches_nothing(bench: Bench) -> None:
    queue(bench, 1)
    limit(bench, concurrent_tasks=0)
    assert turn(bench).launches == []


def test_a_single_recording_is_not_held_up_by_many(bench: Bench, other: Bench) -> None:
    queue(bench, 20)
    turn(bench, slots=2)
    (single,) = queue(other, 1)
    assert [each.recording_id for each in turn(bench, slots=2).launches] == [single]


def test_users_take_turns_when_not_all_find_room(
    bench: Bench, other: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "BATCH", 5)
    queue(bench, 6)
    queue(other, 2)
    launched = turn(bench)
    assert users(launched) == {bench.user_id: 3, other.user_id: 2}
    assert len({each.user_id for each in launched.launches[:2]}) == 2


def test_what_stands_in_dagsters_queue_is_bounded(
    bench: Bench, other: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launching, "STANDING", 3)
    queue(bench, 4)
    queue(other, 4)
    assert users(turn(bench)).total() == 3
    assert turn(bench).launches == []


def test_a_thousand_queued_cost_no_more_statements_than_none_left(bench: Bench) -> None:
    (first,) = queue(bench, 1)
    with bench.database.system() as session:
        ids = session.scalars(
            insert(Recording).returning(Recording.id),
            [
                {"user_id": bench.user_id, "display_name": "Many", "start_time": NOW, "duration": 1}
                for _ in range(1000)
            ],
        ).all()
        session.execute(
            insert(RecordingRun),
            [
                {
                    "recording_id": each,
                    "user_id": bench.user_id,
                    "phase": "prepare",
                    "requested_at": NOW - timedelta(days=1),
                    "state": "done",
                }
                for each in ids
            ],
        )
    with statements(bench.database) as few:
        assert [each.recording_id for each in turn(bench).launches] == [first]
    bench.set(first, deleted=True)
    with bench.database.system() as session:
        session.execute(
            update(RecordingRun)
            .where(RecordingRun.recording_id.in_(ids))
            .values(state="queued", requested_at=None)
        )
        session.execute(
            update(RecordingRun).where(RecordingRun.recording_id == first).values(state="done")
        )
    limit(bench, concurrent_tasks=1)
    with statements(bench.database) as many:
        launched = turn(bench)
    assert len(launched.launches) == 1 + LOOK_AHEAD
    fixed = 4  # of the pass: SET ROLE, the counts, limits (two), the rows
    a_launch = len(few) - fixed
    assert len(many) <= fixed + (a_launch + 8) * len(launched.launches)


def ready(bench: Bench, count: int) -> list[int]:
    template = bench.template(None)
    return [bench.recording(template_id=template, is_mapped=True) for _ in range(count)]


def test_what_is_ready_and_has_no_schedule_is_queued_by_itself(bench: Bench) -> None:
    recordings = ready(bench, 3)
    unmapped = bench.recording()
    found = queue_ready(bench.database, now=NOW, refusals=Refusals())
    assert sorted(found.recordings) == recordings
    assert {bench.run(each).state for each in recordings} == {"queued"}
    assert bench.picture(unmapped).runs == ()
    assert queue_ready(bench.database, now=NOW, refusals=Refusals()).recordings == []


def test_who_is_over_the_quota_costs_nothing_for_a_while(bench: Bench, other: Bench) -> None:
    limit(bench, recordings_per_month=0)
    ready(bench, 15)
    refusals = Refusals()
    found = queue_ready(bench.database, now=NOW, refusals=refusals)
    assert found.recordings == []
    assert "recordings a month are used up" in found.refused[bench.user_id]
    (theirs,) = ready(other, 1)
    with statements(bench.database) as sent:
        found = queue_ready(bench.database, now=NOW + timedelta(minutes=4), refusals=refusals)
    assert (found.recordings, found.refused) == ([theirs], {})
    with statements(bench.database) as sent:
        found = queue_ready(bench.database, now=NOW + timedelta(minutes=4), refusals=refusals)
    assert found == launching.Queued()
    assert len(sent) <= 3
    limit(bench, recordings_per_month=100)
    found = queue_ready(bench.database, now=NOW + timedelta(minutes=6), refusals=refusals)
    assert len(found.recordings) == launching.READY_PER_USER


def test_one_that_cannot_be_planned_says_so_once(bench: Bench) -> None:
    wrong, right = ready(bench, 2)
    bench.configure(wrong, video={"padding": -1})
    found = queue_ready(bench.database, now=NOW, refusals=Refusals())
    assert (found.failed, found.recordings) == ([wrong], [right])
    picture = bench.picture(wrong)
    assert picture.status == picture.projected == "FAILED"
    assert "video.padding" in (picture.failed[1] or "")
    assert queue_ready(bench.database, now=NOW, refusals=Refusals()) == launching.Queued()


def test_rows_are_counted_once(bench: Bench) -> None:
    """The two sensors at once ask for a row once: who comes second leaves it alone."""
    queue(bench, 2)
    first, second = turn(bench), turn(bench)
    assert len(first.launches) == 2
    assert second == Launched()
    with bench.database.system() as session:
        asked = session.scalar(select(func.count(RecordingRun.requested_at)))
    assert asked == 2
