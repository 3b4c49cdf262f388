"""Lists, searches, details and counts as the tables grow, at the database.

    python -m benchmarks.scale [--sizes 10000 100000 1000000]

One embedded server in a folder of its own. Recordings of 10,000 users, unevenly: a tenth belongs
to the largest. What a repository sends is caught and explained by PostgreSQL (EXPLAIN ANALYZE
without per-node timing), as the tenant's role with its policies; a figure is the planning and
execution of all statements of a call. Then 100,000 recordings are inserted as a sync does. Prints
JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import event, insert, text
from sqlalchemy.orm import Session

from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import SourceMetadata
from leap_pipeline.db.repositories.recordings import RecordingFilter, Recordings
from leap_pipeline.db.urls import DatabaseUrls, connect
from leap_pipeline.domain.states import RecordingStatus
from leap_pipeline.services.counts import compact_counts
from leap_pipeline.services.recording_frames import load_frame
from leap_pipeline.settings import Settings

USERS = 10_000
REPEATS = 40
SYNCED, BATCH = 100_000, 1_000
Call = Callable[[Session], object]
FILLED = ("recordings", "source_metadata", "processing_stages", "output_targets")


def user(number: int) -> str:
    return f"01J{number:023d}"


def fill(connection: psycopg.Connection[Any], rows: int) -> None:
    """Rows made by SQL, with triggers off: what is measured is not how they came here."""
    statements = [
        *(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in FILLED),
        f"""
        INSERT INTO users (id, user_slug, email, hashed_password)
        SELECT '01J' || lpad(i::TEXT, 23, '0'), i, 'user' || i || '@example.org', '!'
        FROM generate_series(1, {USERS}) AS i
        """,
        """
        INSERT INTO input_sources (user_id, name, source_type)
        SELECT id, 'Zoom', 'ZOOM' FROM users
        """,
        """
        INSERT INTO recording_templates (user_id, name)
        SELECT id, 'Course ' || k FROM users, generate_series(1, 2) AS k
        """,
        f"""
        INSERT INTO recordings (user_id, input_source_id, template_id, is_mapped, display_name,
            start_time, duration, status, blank_record, created_at, delete_state, deleted, failed,
            download_status)
        SELECT '01J' || lpad(u::TEXT, 23, '0'), u, CASE WHEN i % 5 < 4 THEN u * 2 - i % 2 END,
            i % 5 < 4,
            (ARRAY['Лекция', 'Семинар', 'Lecture', 'Консультация', 'Практика'])[1 + i * 7 % 5]
                || ' ' || i % 37 || ': ' || (ARRAY['Линейная алгебра', 'Machine Learning',
                'Базы данных', 'Теория вероятностей', 'Operating Systems', 'Матанализ',
                'Дискретная математика', 'История', 'Алгоритмы', 'Networks'])[1 + i * 13 % 10]
                || ', группа ' || (ARRAY['ПМИ', 'ФКН', 'МО', 'CS'])[1 + i * 3 % 4] || '-' || i % 9
                || ' #' || i,
            now() - make_interval(mins => i), 3000 + i % 4000,
            (ARRAY['READY', 'READY', 'READY', 'READY', 'READY', 'READY', 'PROCESSED', 'SKIPPED',
                'FAILED', 'INITIALIZED'])[1 + i * 11 % 10],
            i % 20 = 0, now() - make_interval(mins => (i::BIGINT * 7919 % {rows})::INTEGER),
            CASE WHEN i % 50 = 0 THEN 'soft_deleted' ELSE 'active' END, i % 50 = 0,
            i * 11 % 10 = 8, 'COMPLETED'
        FROM (SELECT i, CASE WHEN i <= {rows} / 10 THEN 1
            ELSE 2 + floor({USERS - 2} * power(random(), 3))::INTEGER END AS u
            FROM generate_series(1, {rows}) AS i) AS made
        """,
        """
        INSERT INTO source_metadata (recording_id, user_id, input_source_id, source_type,
            source_key)
        SELECT id, user_id, input_source_id, 'ZOOM', 'meeting-' || id FROM recordings
        """,
        """
        INSERT INTO processing_stages (recording_id, user_id, stage_type, status)
        SELECT id, user_id, stage, 'COMPLETED' FROM recordings,
            unnest(ARRAY['TRIM', 'TRANSCRIBE', 'EXTRACT_TOPICS', 'GENERATE_SUBTITLES']) AS stage
        """,
        """
        INSERT INTO output_targets (recording_id, user_id, target_type, status)
        SELECT id, user_id, 'YOUTUBE', 'UPLOADED' FROM recordings
        """,
        """
        INSERT INTO recording_counts (user_id, status, delete_state, recordings)
        SELECT user_id, status, delete_state, count(*) FROM recordings GROUP BY 1, 2, 3
        """,
        *(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in FILLED),
        "VACUUM ANALYZE",
    ]
    for statement in statements:
        connection.execute(statement.encode())


@contextmanager
def caught(session: Session) -> Iterator[list[tuple[str, Any]]]:
    """The statements that a block sends, with their parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    engine = session.connection().engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def at_the_database(session: Session, call: Call) -> float:
    """Milliseconds that PostgreSQL plans and executes what the call sends."""
    with caught(session) as sent:
        call(session)
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    took = 0.0
    for statement, parameters in sent:
        asked = f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {statement}".encode()
        row = raw.execute(asked, parameters).fetchone()
        assert row is not None
        took += row[0][0]["Planning Time"] + row[0][0]["Execution Time"]
    return took


def measure(database: Database, scope: str | None, calls: list[Call]) -> Any:
    """Median and 95th percentile over the calls, in milliseconds."""
    took = []
    for call in calls:
        with database.tenant(scope) if scope else database.system() as session:
            took.append(at_the_database(session, call))
    took.sort()
    p95 = took[min(len(took) - 1, int(len(took) * 0.95))]
    return {"median_ms": round(statistics.median(took), 2), "p95_ms": round(p95, 2)}


def listed(**asked: Any) -> Call:
    where = {name: asked[name] for name in asked if name not in ("sort", "after")}
    sort, after = asked.get("sort"), asked.get("after")
    return lambda session: Recordings(session).page(
        RecordingFilter(**where), sort=sort, after=after
    )


def detail(key: int) -> Call:
    return lambda session: Recordings(session).require(key)


def counts(user_id: str | None) -> Call:
    return lambda session: load_frame(session, user_id)


def cursor_after(database: Database, user_id: str, pages: int) -> str | None:
    """The position after so many pages of 500, or at the last one that there is."""
    after: str | None = None
    with database.tenant(user_id) as session:
        for _ in range(pages):
            after = Recordings(session).page(after=after, limit=500).after or after
    return after


SEARCHES = ("#77777", "лекция 12: линейная", "nothing like it", "группа", "CS-8 #1")
LISTS: dict[str, dict[str, Any]] = {
    "first page": {},
    "by time of lecture": {"sort": "latest"},
    "by name": {"sort": "name"},
    "failed": {"statuses": [RecordingStatus.FAILED]},
    "pending (none)": {"statuses": [RecordingStatus.PENDING_SOURCE]},
    "unmapped": {"mapped": False},
    "blank and failed": {"blank": True, "failed": True},
    "in the bin": {"deleted": True},
}


def of_user(database: Database, user_id: str) -> dict[str, Any]:
    found = {
        name: measure(database, user_id, [listed(**asked)] * REPEATS)
        for name, asked in LISTS.items()
    }
    after = cursor_after(database, user_id, 20)
    with database.tenant(user_id) as session:
        keys = [row.id for row in Recordings(session).page(limit=REPEATS).items]
    searches = [listed(text=SEARCHES[n % len(SEARCHES)]) for n in range(REPEATS)]
    return found | {
        "page after 10,000 rows": measure(database, user_id, [listed(after=after)] * REPEATS),
        "text search": measure(database, user_id, searches),
        "detail": measure(database, user_id, [detail(key) for key in keys]),
        "counts": measure(database, user_id, [counts(user_id)] * REPEATS),
    }


def of_all(database: Database) -> dict[str, Any]:
    return {
        "counts": measure(database, None, [counts(None)] * REPEATS),
        "first page": measure(database, None, [listed()] * REPEATS),
        "text search": measure(database, None, [listed(text="#77777")] * REPEATS),
    }


def sync(database: Database, user_id: str) -> float:
    """Seconds for 100,000 recordings with their source's metadata, in transactions of 1,000."""
    begun = time.monotonic()
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for first in range(0, SYNCED, BATCH):
        with database.tenant(user_id) as session:
            keys = Recordings(session).create_many(
                [
                    {
                        "display_name": f"Synced lecture {number}",
                        "start_time": start + timedelta(minutes=number),
                        "duration": 5400,
                        "video_file_size": 500_000_000,
                    }
                    for number in range(first, first + BATCH)
                ]
            )
            session.execute(
                insert(SourceMetadata),
                [
                    {
                        "recording_id": key,
                        "user_id": user_id,
                        "source_type": "ZOOM",
                        "source_key": f"synced-{first}-{key}",
                        "meta": {"topic": "Synced lecture"},
                    }
                    for key in keys
                ],
            )
    return time.monotonic() - begun


def run(urls: DatabaseUrls, rows: int) -> dict[str, Any]:
    with connect(urls.application) as connection:
        begun = time.monotonic()
        fill(connection, rows)
        filled = time.monotonic() - begun
    database = Database(urls, pooled=True)
    try:
        with database.system() as session:
            largest = session.scalar(
                text("SELECT count(*) FROM recordings WHERE user_id = :id"), {"id": user(1)}
            )
        result = {
            "rows": rows,
            "filled_s": round(filled, 1),
            "largest_user": largest,
            "largest": of_user(database, user(1)),
            "small": of_user(database, user(20)),
            "admin": of_all(database),
            "sync_of_100000_s": round(sync(database, user(5000)), 1),
        }
        result["counts_saved_by_compaction"] = compact_counts(database)
        return result
    finally:
        database.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    sizes: list[int] = parser.parse_args().sizes
    results = []
    for rows in sizes:
        with tempfile.TemporaryDirectory(prefix="leap-scale-") as folder:
            Path(folder).chmod(0o711)
            settings = Settings(home=Path(folder) / "home")
            try:
                results.append(run(prepare(settings), rows))
            finally:
                EmbeddedServer(settings).stop()
    json.dump(results, sys.stdout, indent=1, ensure_ascii=False)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
