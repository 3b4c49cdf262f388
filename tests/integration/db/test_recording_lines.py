"""The console's list: lines with all that they show, in one statement, of one's own scope alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from benchmarks.scale import caught
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import OutputTarget, Recording
from leap_pipeline.db.models.templates import InputSource, RecordingTemplate
from leap_pipeline.db.models.users import User
from leap_pipeline.db.repositories.recording_lines import RecordingLine, RecordingLines
from leap_pipeline.db.repositories.recordings import RecordingFilter
from leap_pipeline.domain.states import RecordingStatus
from leap_pipeline.errors import InputError
from leap_pipeline.services.recording_frames import load_frame

START = datetime(2026, 9, 1, tzinfo=UTC)
EVERYTHING = RecordingFilter()
ADA, BOB = "ada@example.org", "bob@example.org"


@pytest.fixture
def people(database: Database) -> tuple[str, str]:
    with database.system() as session:
        users = [User(email=email, hashed_password="!") for email in (ADA, BOB)]
        session.add_all(users)
        session.flush()
        return users[0].id, users[1].id


def add(database: Database, owner: str, *names: str, **columns: Any) -> list[int]:
    """Each recorded a day after the one before, and made at one moment: the id has to decide."""
    with database.tenant(owner) as session:
        rows = [
            Recording(
                user_id=owner,
                display_name=name,
                start_time=START + timedelta(days=day),
                created_at=START,
                duration=60,
                **columns,
            )
            for day, name in enumerate(names)
        ]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


@contextmanager
def one_statement(session: Session) -> Iterator[None]:
    with caught(session) as sent:
        yield
    assert len(sent) == 1, sent


def first(session: Session, owner: str | None = None) -> list[RecordingLine]:
    with one_statement(session):
        return RecordingLines(session, owner).lines(EVERYTHING, sort="newest").items


def test_a_line_has_all_that_the_list_shows(database: Database, people: tuple[str, str]) -> None:
    ada, _ = people
    with database.tenant(ada) as session:
        template = RecordingTemplate(user_id=ada, name="Algebra")
        source = InputSource(user_id=ada, name="Zoom", source_type="LOCAL_FILE")
        session.add_all([template, source])
        session.flush()
        ids = {"template_id": template.id, "input_source_id": source.id}
    [number] = add(database, ada, "Groups", status="SKIPPED", skip_reason="a test", **ids)
    with database.tenant(ada) as session:
        for platform, status in (("YOUTUBE", "UPLOADED"), ("VK", "NOT_UPLOADED")):
            part = {"recording_id": number, "user_id": ada}
            session.add(OutputTarget(**part, target_type=platform, status=status))
    with database.tenant(ada) as session:
        [line] = first(session)
        assert (line.name, line.template, line.source) == ("Groups", "Algebra", "Zoom")
        assert (line.published, line.reason, line.owner) == (("YOUTUBE",), "a test", None)
    with database.system() as session:
        assert [each.owner for each in first(session)] == [ADA]
        assert [each.owner for each in first(session, ada)] == [None]


def test_nobody_elses_recordings_are_among_them(
    database: Database, people: tuple[str, str]
) -> None:
    ada, bob = people
    one, two = add(database, ada, "Groups", "Rings")
    [foreign] = add(database, bob, "A secret")
    with database.tenant(ada) as session:
        assert {each.id for each in first(session)} == {one, two}
        with one_statement(session):
            found = RecordingLines(session).lines_of([two, foreign, 2**40, one])
        assert [each.id for each in found] == [two, one]
    with database.system() as session:
        both = RecordingLines(session).lines_of([foreign, one])
        assert [(each.id, each.owner) for each in both] == [(foreign, BOB), (one, ADA)]
        assert RecordingLines(session, bob).lines_of([one]) == []


@pytest.mark.parametrize("sort", list(RecordingLines.sorts))
def test_pages_have_every_line_once(database: Database, people: tuple[str, str], sort: str) -> None:
    ada, _ = people
    keys = add(database, ada, "B", "A", "C", "A", "\N{GRINNING FACE}'; --", "B", "A")
    seen: list[int] = []
    with database.tenant(ada) as session:
        lines, after = RecordingLines(session), None
        while True:
            page = lines.lines(EVERYTHING, sort=sort, after=after, limit=2)
            seen += [each.id for each in page.items]
            after = page.after
            if after is None:
                break
        order = RecordingLines.sorts[sort]
        wanted = session.scalars(select(Recording.id).order_by(*order.by(Recording))).all()
    assert seen == list(wanted)
    assert sorted(seen) == keys


def cursor(*said: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


CHANGED = {
    "no cursor": ("newest", "x"),
    "another order's": ("newest", cursor("oldest", "datetime", START.isoformat(), 1)),
    "a text for a time": ("newest", cursor("newest", "str", "now", 1)),
    "a time of no zone": ("newest", cursor("newest", "datetime", "2026-09-01T00:00:00", 1)),
    "a number for a name": ("name", cursor("name", "int", 7, 1)),
    "what no text can hold": ("name", cursor("name", "str", "a\0b", 1)),
    "half a character": ("name", cursor("name", "str", "\ud800", 1)),
    "no id": ("newest", cursor("newest", "datetime", START.isoformat(), 2**31)),
    "less than an id": ("newest", cursor("newest", "datetime", START.isoformat(), -1)),
}


@pytest.mark.parametrize("which", list(CHANGED))
def test_a_cursor_that_was_changed_is_refused_before_it_is_asked_for(
    database: Database, people: tuple[str, str], which: str
) -> None:
    sort, after = CHANGED[which]
    with database.tenant(people[0]) as session:
        with pytest.raises(InputError, match="begin again"):
            RecordingLines(session).lines(EVERYTHING, sort=sort, after=after)
        with pytest.raises(InputError, match="cannot be sorted by colour"):
            RecordingLines(session).lines(EVERYTHING, sort="colour")
        assert first(session) == []  # the transaction goes on


def test_a_frame_has_its_owners_numbers_and_names(
    database: Database, people: tuple[str, str]
) -> None:
    ada, bob = people
    add(database, ada, "Groups", "Rings", status="FAILED")
    add(database, ada, "Gone", deleted=True, delete_state="soft_deleted")
    add(database, ada, "For good", deleted=True, delete_state="hard_deleted")
    add(database, bob, "A secret", status="READY")
    for owner in people:
        with database.tenant(owner) as session:
            session.add(RecordingTemplate(user_id=owner, name=f"of {owner}"))
            session.add(InputSource(user_id=owner, name=f"from {owner}", source_type="LOCAL_FILE"))
    with database.tenant(ada) as session:
        with one_statement(session):
            frame = load_frame(session, ada)
        assert frame.by_status == {RecordingStatus.FAILED: 2}
        assert (frame.counts.total, frame.soft_deleted) == (2, 1)
        assert list(frame.templates.values()) == [f"of {ada}"]
        assert list(frame.sources.values()) == [f"from {ada}"]
        assert frame.owners == {}
    with database.system() as session:
        with one_statement(session):
            everybody = load_frame(session, None, with_owners=True)
        assert everybody.by_status == {RecordingStatus.FAILED: 2, RecordingStatus.READY: 1}
        assert (everybody.templates, everybody.sources) == ({}, {})
        assert everybody.owners == {ada: ADA, bob: BOB}
        one = load_frame(session, bob, with_owners=True)
        assert (one.counts.total, one.soft_deleted) == (1, 0)
        assert list(one.templates.values()) == [f"of {bob}"]
        assert list(one.owners) == [bob, ada]  # the one who is looked at is always there
