"""What stands around a list of recordings: their numbers, and what it can be narrowed to.

One statement, because it is asked for at every rerun of the console's busiest page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import BigInteger, Select, String, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import RecordingCount
from leap_pipeline.db.models.templates import InputSource, RecordingTemplate
from leap_pipeline.db.models.users import User
from leap_pipeline.db.repositories.recordings import RecordingCounts
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.states import RecordingStatus

MOST = 500


@dataclass
class Frame:
    """Counts of the scope; names by id of its templates and sources, of each kind at most 500; for
    admins the first 500 users' addresses.
    """

    by_status: dict[RecordingStatus, int] = field(default_factory=dict)
    soft_deleted: int = 0
    templates: dict[int, str] = field(default_factory=dict)
    sources: dict[int, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> RecordingCounts:
        found: Mapping[RecordingStatus, int] = self.by_status
        return RecordingCounts(found, self.soft_deleted)


def load_frame(session: Session, owner_id: str | None, *, with_owners: bool = False) -> Frame:
    """Of one owner's recordings, or (in the system's scope) of everybody's, which have the owners'
    templates and sources not to choose from.
    """
    parts = [_counts(owner_id)]
    if owner_id is not None:
        parts += [_named("template", RecordingTemplate, owner_id)]
        parts += [_named("source", InputSource, owner_id)]
    if with_owners:
        parts.append(_owners(owner_id))
    frame = Frame()
    for kind, key, name, number in session.execute(union_all(*parts)):
        if kind == "template":
            frame.templates[int(key)] = name
        elif kind == "source":
            frame.sources[int(key)] = name
        elif kind == "owner":
            frame.owners[key] = name
        elif name == DeleteState.ACTIVE and number:
            frame.by_status[RecordingStatus(key)] = int(number)
        elif name == DeleteState.SOFT_DELETED:
            frame.soft_deleted += int(number)
    return frame


def _counts(owner_id: str | None) -> Select[Any]:
    query: Select[*tuple[Any, ...]] = select(
        literal("count").label("kind"),
        RecordingCount.status.label("key"),
        RecordingCount.delete_state.label("name"),
        cast(func.sum(RecordingCount.recordings), BigInteger).label("number"),
    ).group_by(RecordingCount.status, RecordingCount.delete_state)
    return query if owner_id is None else query.where(RecordingCount.user_id == owner_id)


def _named(kind: str, model: Any, owner_id: str) -> Select[Any]:
    inner = (
        select(
            literal(kind).label("kind"),
            cast(model.id, String).label("key"),
            model.name.label("name"),
            cast(null(), BigInteger).label("number"),
        )
        .where(model.user_id == owner_id)
        .order_by(model.name)
        .limit(MOST)
        .subquery()
    )
    return select(inner)


def _owners(chosen: str | None) -> Select[Any]:
    inner = (
        select(
            literal("owner").label("kind"),
            User.id.label("key"),
            User.email.label("name"),
            cast(null(), BigInteger).label("number"),
        )
        .order_by((User.id == (chosen or "")).desc(), User.email)
        .limit(MOST)
        .subquery()
    )
    return select(inner)
