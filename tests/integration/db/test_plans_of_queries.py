"""What the product asks most often is answered by an index, in a table where that matters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy.orm import Session

from benchmarks.scale import caught, fill, user
from leap_pipeline.db.engine import Database
from leap_pipeline.db.repositories.recording_lines import RecordingLines
from leap_pipeline.db.repositories.recordings import RecordingFilter, Recordings
from leap_pipeline.db.urls import connect
from leap_pipeline.domain.states import RecordingStatus
from leap_pipeline.services.recording_frames import load_frame
from tests.support.postgres import TestServer, urls_of

ROWS = 20_000


@pytest.fixture(scope="module")
def large(postgres_server: TestServer) -> Iterator[Database]:
    with postgres_server.database() as url:
        with connect(url) as connection:
            fill(connection, ROWS)
        database = Database(urls_of(url), pooled=True)
        yield database
        database.dispose()


def indexes_read(session: Session, call: Any) -> set[str]:
    """The indexes that the plans of a call read; fails where a plan reads a whole table."""
    with caught(session) as sent:
        call(session)
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    found: set[str] = set()
    for statement, parameters in sent:
        rows = raw.execute(f"EXPLAIN {statement}".encode(), parameters).fetchall()
        plan = "\n".join(row[0] for row in rows)
        # The tables that a tenant fills by hand are small, and read whole where that is quicker.
        whole = re.findall(r"Seq Scan on (recordings|processing_stages|output_targets)", plan)
        assert not whole, plan
        found |= set(re.findall(r"(?:using|Index Scan on) (\w+)", plan))
    return found


ASKED: list[tuple[dict[str, Any], set[str]]] = [
    ({}, {"idx_recordings_user", "idx_recordings_search"}),
    ({"sort": "oldest"}, {"idx_recordings_user", "idx_recordings_search"}),
    ({"sort": "latest"}, {"idx_recordings_user_start"}),
    ({"sort": "name"}, {"idx_recordings_user_name"}),
    (
        {"statuses": [RecordingStatus.PENDING_SOURCE]},
        {"idx_recordings_user_status", "idx_recordings_status"},
    ),
    ({"deleted": True}, {"idx_recordings_bin", "idx_recordings_deleted"}),
    ({"text": "nothing like it"}, {"idx_recordings_search"}),
]


@pytest.mark.parametrize(("asked", "expected"), ASKED, ids=[str(asked) for asked, _ in ASKED])
def test_lists_of_a_tenant_read_an_index(
    large: Database, asked: dict[str, Any], expected: set[str]
) -> None:
    where = {name: value for name, value in asked.items() if name != "sort"}

    def page(session: Session) -> object:
        return Recordings(session).page(RecordingFilter(**where), sort=asked.get("sort"))

    def lines(session: Session) -> object:
        criteria, sort = RecordingFilter(**where), asked.get("sort", "newest")
        return RecordingLines(session).lines(criteria, sort=sort)

    with large.tenant(user(1)) as session:
        for call in (page, lines):
            assert indexes_read(session, call) & expected


SEARCHED: list[dict[str, Any]] = [
    {},
    {"statuses": [RecordingStatus.FAILED], "mapped": True, "blank": False, "failed": True},
    {"deleted": None, "since": datetime(2020, 1, 1, tzinfo=UTC)},
    {"sort": "latest"},
]


@pytest.mark.parametrize("asked", SEARCHED, ids=[str(asked) for asked in SEARCHED])
def test_a_search_reads_its_index_alone(large: Database, asked: dict[str, Any]) -> None:
    where = {name: value for name, value in asked.items() if name != "sort"}
    with large.tenant(user(1)) as session, caught(session) as sent:
        Recordings(session).page(
            RecordingFilter(text="nothing like it", **where), sort=asked.get("sort")
        )
        raw = session.connection().connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        rows = raw.execute(f"EXPLAIN {sent[0][0]}".encode(), sent[0][1]).fetchall()
    plan = "\n".join(row[0] for row in rows)
    assert "Index Only Scan using idx_recordings_search" in plan, plan


def test_details_counts_and_the_systems_lists_read_indexes(large: Database) -> None:
    with large.tenant(user(1)) as session:
        key = Recordings(session).page(limit=1).items[0].id
        read = indexes_read(session, lambda s: Recordings(s).require(key))
        assert "recordings_pkey" in read
        assert any(name.startswith("idx_processing_stages") for name in read) or (
            "unique_stage_per_recording" in read
        )
        counted = indexes_read(session, lambda s: load_frame(s, user(1)))
        assert "idx_recording_counts_user" in counted
    with large.system() as session:
        assert "idx_recordings_created" in indexes_read(session, lambda s: Recordings(s).page())
        everybodys = RecordingLines(session)
        first = indexes_read(
            session, lambda _: everybodys.lines(RecordingFilter(), sort="newest", limit=50)
        )
        assert "idx_recordings_created" in first
        assert "recordings_pkey" in indexes_read(session, lambda _: everybodys.lines_of([key]))
        found = indexes_read(
            session, lambda s: Recordings(s).page(RecordingFilter(text="CS-8 #1234"))
        )
        assert "idx_recordings_name_trgm" in found


def test_every_foreign_key_is_led_by_an_index(large: Database) -> None:
    query = """
        SELECT conrelid::regclass::TEXT, attname FROM pg_constraint
            JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
        WHERE contype = 'f' AND connamespace = 'public'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_index WHERE indrelid = conrelid
                AND indkey[0] = conkey[1])
    """
    with connect(large.urls.application) as connection:
        assert connection.execute(query).fetchall() == []
