"""The audit log: who did what, on whom, before and after, from where. Rows are only ever added.

Callers hand over what is worth reading, never a secret; redaction is the second wall.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, insert, select, tuple_
from sqlalchemy.orm import Session

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.redaction import redact_tree

MOST_ENTRIES = 500


@dataclass(frozen=True)
class Actor:
    """Who acts: a user, or a part of the system under its name (then `id` is None)."""

    id: str | None
    name: str
    ip_address: str | None = None
    user_agent: str | None = None


SYSTEM = Actor(None, "system")


@dataclass(frozen=True)
class AuditFilter:
    """What to list; None asks for all. `action` also takes a group: "user" finds "user.update"."""

    actor_id: str | None = None
    owner_id: str | None = None
    action: str | None = None
    subject_type: str | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def record(
    session: Session,
    actor: Actor,
    action: str,
    subject_type: str,
    subject_id: object,
    *,
    owner_id: str | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry in the transaction of the change itself; `action` is dotted: "user.update".

    `owner_id` is the tenant concerned. The statement returns nothing: a tenant's role may write
    entries and read none.
    """
    session.execute(
        insert(AuditEntry)
        .inline()
        .values(
            actor_id=actor.id,
            actor=actor.name,
            action=action,
            subject_type=subject_type,
            subject_id=str(subject_id),
            owner_id=owner_id,
            before=redacted(before),
            after=redacted(after),
            ip_address=actor.ip_address,
            user_agent=actor.user_agent,
        )
    )


def entries(
    session: Session,
    wanted: AuditFilter | None = None,
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = 50,
) -> list[AuditEntry]:
    """A page of entries, newest first; `(at, id)` of its last one is the next page's `before`."""
    conditions = _conditions(wanted or AuditFilter())
    if before is not None:
        conditions.append(tuple_(AuditEntry.at, AuditEntry.id) < before)
    return list(
        session.scalars(
            select(AuditEntry)
            .where(*conditions)
            .order_by(AuditEntry.at.desc(), AuditEntry.id.desc())
            .limit(min(limit, MOST_ENTRIES))
        )
    )


def redacted(value: Any) -> Any:
    """A copy as JSONB takes it, without secrets."""
    return redact_tree(_plain(value))


def _conditions(wanted: AuditFilter) -> list[ColumnElement[bool]]:
    same = ("actor_id", "owner_id", "subject_type", "subject_id")
    conditions: list[ColumnElement[bool]] = [
        getattr(AuditEntry, name) == value
        for name in same
        if (value := getattr(wanted, name)) is not None
    ]
    if wanted.action is not None:
        group = AuditEntry.action.startswith(f"{wanted.action}.", autoescape=True)
        conditions.append((AuditEntry.action == wanted.action) | group)
    if wanted.since is not None:
        conditions.append(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(AuditEntry.at < wanted.until)
    return conditions


def _plain(value: Any) -> Any:
    """As JSONB takes it; it holds no NUL character."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return text.replace("\0", "")
