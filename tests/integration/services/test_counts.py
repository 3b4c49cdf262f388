"""Kept numbers stay right while they are made short and changed at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from sqlalchemy import text

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import User
from leap_pipeline.db.repositories.recordings import Recordings
from leap_pipeline.services.counts import compact_counts
from leap_pipeline.services.recording_frames import load_frame

ROWS, CHANGES, WRITERS = 12, 15, 3


def test_sums_replace_changes_while_others_change_them(database: Database) -> None:
    with database.system() as session:
        user = User(email="ada@example.org", hashed_password="!")
        session.add(user)
    lecture = {"display_name": "L", "start_time": datetime(2026, 1, 1, tzinfo=UTC), "duration": 1}
    with database.tenant(user.id) as session:
        keys = Recordings(session).create_many([lecture] * ROWS)

    def change(writer: int) -> None:
        for turn in range(CHANGES):
            status = ("READY", "FAILED", "SKIPPED")[(turn + writer) % 3]
            with database.tenant(user.id) as session:
                session.execute(
                    text("UPDATE recordings SET status = :status WHERE id = :id"),
                    {"status": status, "id": keys[(turn * WRITERS + writer) % ROWS]},
                )

    def compact(_: int) -> None:
        for _turn in range(CHANGES):
            compact_counts(database)
            with database.system() as session:
                assert load_frame(session, None).counts.total == ROWS

    with ThreadPoolExecutor(WRITERS + 2) as pool:
        jobs = [pool.submit(change, writer) for writer in range(WRITERS)]
        jobs += [pool.submit(compact, number) for number in range(2)]
        for job in jobs:
            job.result()
    with database.system() as session:
        counted = load_frame(session, None).by_status
        query = text("SELECT status, count(*) AS number FROM recordings GROUP BY status")
        assert counted == {row.status: row.number for row in session.execute(query)}
    compact_counts(database)
    with database.system() as session:
        assert session.scalar(text("SELECT count(*) FROM recording_counts")) == len(counted)
    assert compact_counts(database) == 0
