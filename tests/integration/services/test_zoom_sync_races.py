"""Many who sync at once, again and again, and who die at it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.domain.zoom_parts import part_key
from tests.support.at_once import race
from tests.support.bench import Bench
from tests.support.synced import Synced, make_synced
from tests.support.syncing import AFTER_WINDOW, BEFORE_COMMIT, Job, killed, sync_often
from tests.support.zoom.serve import save

DAY = timedelta(days=1)
WORKERS, TIMES = 6, 8


@pytest.fixture
def synced(bench: Bench, tmp_path: Path) -> Synced:
    made = make_synced(bench, home=tmp_path)
    made.clock.set(datetime.now(UTC).replace(microsecond=0))
    return made


def job_of(synced: Synced, folder: Path, **given: object) -> Job:
    world = folder / "zoom.pickle"
    save(synced.fake, world)
    job = Job(synced.settings, world, synced.source_id, synced.now)
    return replace(job, **given)  # type: ignore[arg-type]


def test_many_syncs_at_once_make_one_row_of_each_part(synced: Synced, tmp_path: Path) -> None:
    start = synced.now - DAY
    meeting = synced.fake.add_meeting(synced.host, topic="Algebra", start=start)
    for hours in range(3):
        synced.fake.add_file(meeting, start=start + timedelta(hours=hours), minutes=40)
    empty = synced.fake.add_meeting(synced.host, topic="empty", start=start)
    synced.fake.add_file(empty, ready_at=None)
    adopted = synced.adopt(meeting.uuid, {"meeting_id": meeting.uuid, "topic": "Algebra"})
    synced.template(keywords=["algebra"])
    job = job_of(synced, tmp_path, times=TIMES)
    outcomes = race(synced.database, sync_often, [job] * WORKERS)
    assert outcomes == ["ok"] * WORKERS
    rows = synced.rows()
    keys = [part_key(meeting.uuid, start + timedelta(hours=hours)) for hours in range(3)]
    assert sorted(row.key for row in rows) == sorted([*keys, part_key(empty.uuid, start)])
    assert adopted in [row.recording.id for row in rows if row.key in keys]
    for row in rows:
        picture = synced.bench.picture(row.recording.id)
        assert picture.status == picture.projected
        assert len(picture.stages) == 4
    assert synced.source_row().failures == 0


@pytest.mark.parametrize("point", [AFTER_WINDOW, BEFORE_COMMIT])
def test_a_killed_sync_goes_on_where_it_was(synced: Synced, tmp_path: Path, point: str) -> None:
    first = synced.now - 100 * DAY
    synced.configure(sync_from_date=first.isoformat())
    for days in range(100):
        start = synced.now - timedelta(days=days, hours=1)
        synced.fake.add_recording(synced.host, topic=f"Lecture {days}", start=start)
    killed(synced.database, job_of(synced, tmp_path, die_at=point, windows=2))
    row = synced.source_row()
    assert row.cursor is not None
    resumed = (first + 2 * 29 * DAY).date()
    assert row.cursor["resume_on"] == resumed.isoformat()
    assert row.cursor["read_to"] == (resumed + DAY).isoformat() + "T00:00:00Z"
    assert (row.last_sync_at, row.next_poll_at) == (None, None)
    found = len(synced.rows())
    assert 0 < found < 100
    counts = synced.sync()
    assert counts.new == 100 - found
    asked = [entry.params["from"] for entry in synced.fake.ledger.entries if entry.params]
    assert min(asked) == resumed.isoformat()
    assert len({row.key for row in synced.rows()}) == len(synced.rows()) == 100
    cursor = synced.source_row().cursor
    assert cursor is not None
    assert set(cursor) == {"read_to"}


def test_a_sync_out_of_time_goes_on_with_shorter_windows(synced: Synced) -> None:
    for number in range(400):
        start = synced.now - timedelta(hours=number)
        synced.fake.add_recording(synced.host, start=start)
    over = 0.0  # long ago
    polls = 0
    while True:
        synced.sync(until=over)
        polls += 1
        with synced.database.system() as session:
            row = session.execute(
                select(InputSource.cursor, InputSource.last_sync_at, InputSource.next_poll_at)
            ).one()
        if row.last_sync_at is not None:
            break
        assert row.next_poll_at <= synced.now
        assert polls < 12
    assert polls > 2
    assert len(synced.rows()) == 400
    assert set(row.cursor) == {"read_to", "window_days"} or set(row.cursor) == {"read_to"}
