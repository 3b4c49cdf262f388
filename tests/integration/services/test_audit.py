"""The audit log: added to by both roles, read by the system's, and never a place for secrets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.services.audit import SYSTEM, Actor, AuditFilter, entries, record

ADA = Actor("01J00000000000000000000001", "ada@example.org", "192.0.2.7", "Firefox")
OWNER = "01J00000000000000000000002"


class Colour(StrEnum):
    RED = "red"


def test_an_entry_says_who_what_on_whom_before_after_and_from_where(database: Database) -> None:
    with database.system() as session:
        record(
            session,
            ADA,
            "user.update",
            "user",
            OWNER,
            owner_id=OWNER,
            before={"role": "user"},
            after={"role": "admin"},
        )
        [entry] = entries(session)
    assert (entry.actor_id, entry.actor, entry.action) == (ADA.id, ADA.name, "user.update")
    assert (entry.subject_type, entry.subject_id, entry.owner_id) == ("user", OWNER, OWNER)
    assert (entry.before, entry.after) == ({"role": "user"}, {"role": "admin"})
    assert (str(entry.ip_address), entry.user_agent) == ("192.0.2.7", "Firefox")


def test_the_statement_returns_nothing(database: Database) -> None:
    """A tenant's role may insert and not read: RETURNING would be refused."""
    seen: list[str] = []
    with database.system() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *given: seen.append(given[2]))
        record(session, SYSTEM, "plan.change", "plan", 7, owner_id=None)
    assert len(seen) == 1
    assert "RETURNING" not in seen[0]


def fill(session: Session) -> None:
    for number in range(7):
        actor = ADA if number % 2 else SYSTEM
        action = "user.update" if number < 5 else "users.import"
        record(session, actor, action, "user", number, owner_id=OWNER if number < 3 else None)


TOMORROW = datetime.now(UTC) + timedelta(days=1)
FILTERS = (
    (None, "6543210"),
    (AuditFilter(actor_id=ADA.id), "531"),
    (AuditFilter(owner_id=OWNER), "210"),
    (AuditFilter(action="user"), "43210"),
    (AuditFilter(action="users.import"), "65"),
    (AuditFilter(action="use"), ""),
    (AuditFilter(subject_type="user", subject_id="4"), "4"),
    (AuditFilter(subject_type="plan"), ""),
    (AuditFilter(since=TOMORROW), ""),
    (AuditFilter(until=TOMORROW), "6543210"),
)


def test_it_is_listed_by_filters(database: Database) -> None:
    with database.system() as session:
        fill(session)
        found = [
            (wanted, "".join(entry.subject_id for entry in entries(session, wanted)))
            for wanted, _ in FILTERS
        ]
    assert found == list(FILTERS)


def test_pages_neither_repeat_nor_lose_entries_of_one_instant(database: Database) -> None:
    with database.system() as session:
        fill(session)
        found: list[str] = []
        before = None
        while page := entries(session, before=before, limit=3):
            found += [entry.subject_id for entry in page]
            before = (page[-1].at, page[-1].id)
    assert found == list("6543210")


def test_no_secret_gets_into_it(database: Database) -> None:
    given = {
        "hashed_password": "canary",
        "list": [{"refresh_token": "canary", "client_secret": {"deep": "canary"}}],
        "note": "asked https://example.org/?token=canary",
        "can_manage_credentials": True,
        "colour": Colour.RED,
        "name": "a\0b",
        "none": None,
    }
    with database.system() as session:
        record(session, SYSTEM, "x.y", "user", 1, owner_id=None, before=given, after={})
        [entry] = entries(session)
        [row] = session.scalars(text("SELECT to_jsonb(a)::text FROM audit_log a"))
    assert "canary" not in row
    assert entry.before is not None
    assert entry.before["hashed_password"] == "***"
    assert entry.before["can_manage_credentials"] is True
    assert entry.before["colour"] == "red"
    assert entry.before["name"] == "ab"
    assert entry.before["none"] is None
    assert entry.after == {}
