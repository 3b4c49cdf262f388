"""Recordings: lists with filters, one with all that belongs to it, bulk changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ColumnElement, Select, any_, bindparam, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import joinedload, raiseload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from leap_pipeline.db.models.recordings import OutputTarget, Recording
from leap_pipeline.db.repositories.base import Repository
from leap_pipeline.db.repositories.pages import Sort
from leap_pipeline.domain.states import RecordingStatus

LIKE_ESCAPES = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})


@dataclass(frozen=True)
class RecordingFilter:
    """Which recordings; None does not ask.

    `text` is looked for in the name, in any case. `since` and `until` bound the start of the
    lecture, the second one excluded. `deleted` None lists both; a recording whose content is gone
    for good (hard-deleted) is in no list unless `tombstones`.
    """

    statuses: Sequence[RecordingStatus] = ()
    template_id: int | None = None
    source_id: int | None = None
    mapped: bool | None = None
    blank: bool | None = None
    failed: bool | None = None
    deleted: bool | None = False
    tombstones: bool = False
    text: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        row = Recording
        flags = ((row.is_mapped, self.mapped), (row.blank_record, self.blank))
        said: list[ColumnElement[bool]] = [
            column.is_(True) if wanted else column.is_not(True)
            for column, wanted in (*flags, (row.failed, self.failed), (row.deleted, self.deleted))
            if wanted is not None
        ]
        if self.statuses:
            said.append(row.status.in_([str(each) for each in self.statuses]))
        if self.template_id is not None:
            said.append(row.template_id == self.template_id)
        if self.source_id is not None:
            said.append(row.input_source_id == self.source_id)
        if self.since is not None:
            said.append(row.start_time >= self.since)
        if self.until is not None:
            said.append(row.start_time < self.until)
        if self.deleted is not False and not self.tombstones:
            said.append(row.delete_state.is_distinct_from("hard_deleted"))
        return said


@dataclass(frozen=True)
class RecordingCounts:
    """How many recordings there are: of each status, and in the bin."""

    by_status: Mapping[RecordingStatus, int] = field(default_factory=dict)
    soft_deleted: int = 0

    @property
    def total(self) -> int:
        return sum(self.by_status.values())


class Recordings(Repository[Recording]):
    """The recordings of a scope.

    Statuses, failures, deletion and files are written by the services that know their rules.
    """

    model = Recording
    thing = "recording"
    kept: ClassVar[frozenset[str]] = frozenset(
        {
            "status",
            "failed",
            "failed_at",
            "failed_reason",
            "failed_at_stage",
            "retry_count",
            "deleted",
            "deleted_at",
            "delete_state",
            "deletion_reason",
            "soft_deleted_at",
            "hard_delete_at",
            "created_at",
            "updated_at",
        }
    )
    sorts: ClassVar[Mapping[str, Sort]] = {
        "newest": Sort("created_at", descending=True),
        "oldest": Sort("created_at"),
        "latest": Sort("start_time", descending=True),
        "earliest": Sort("start_time"),
        "name": Sort("display_name"),
        "name_descending": Sort("display_name", descending=True),
    }
    default_sort = "newest"

    def listing(self) -> Sequence[ORMOption]:
        """Template and source come with the row; the targets with one more statement."""
        return (
            joinedload(Recording.template),
            joinedload(Recording.input_source),
            raiseload(Recording.source),
            raiseload(Recording.stages),
            selectinload(Recording.targets),
        )

    def details(self) -> Sequence[ORMOption]:
        """All of it in three statements."""
        return (
            joinedload(Recording.template),
            joinedload(Recording.input_source),
            joinedload(Recording.source),
            selectinload(Recording.stages),
            selectinload(Recording.targets).joinedload(OutputTarget.preset),
        )

    def conditions(self, criteria: RecordingFilter | None) -> Sequence[Any]:
        if criteria is None:
            return ()
        said = criteria.conditions()
        looked_for = criteria.text.strip()
        if looked_for and self.user_id is not None:
            found = func.strpos(Recording.search_name, func.lower(looked_for))
            return [*said, found > 0]
        if looked_for:
            # Over all tenants: here the trigram index may be used.
            pattern = f"%{looked_for.translate(LIKE_ESCAPES)}%"
            return [*said, Recording.display_name.ilike(pattern)]
        return said

    def first(
        self, query: Select[Any], criteria: RecordingFilter | None, order: Sort, number: int
    ) -> Select[Any]:
        """A tenant's search finds keys in its index alone, and reads only their rows."""
        found = super().first(query, criteria, order, number)
        if criteria is None or not criteria.text.strip() or self.user_id is None:
            return found
        keys = found.with_only_columns(Recording.id)
        if order.column == "start_time":
            # An order that an index has would lure the planner into reading every row for it.
            moved = Recording.start_time + timedelta(0)
            by_time = moved.desc() if order.descending else moved.asc()
            keys = keys.order_by(None).order_by(by_time, order.by(Recording)[1])
        return self._rows().where(Recording.id.in_(keys)).order_by(*order.by(Recording))

    def by_owner(
        self, criteria: RecordingFilter | None, *, ids: Sequence[int] | None, limit: int
    ) -> dict[str, list[int]]:
        """The keys of all that meet the criteria, or of those of `ids` that there are, by owner."""
        query = select(Recording.user_id, Recording.id).where(
            *self._mine(), *self.conditions(criteria), Recording.user_id.is_not(None)
        )
        if ids is not None:
            query = query.where(Recording.id == any_(bindparam(None, list(ids), ARRAY(BigInteger))))
        found: dict[str, list[int]] = {}
        for owner, key in self.session.execute(query.order_by(Recording.id).limit(limit)):
            found.setdefault(owner or "", []).append(key)
        return found

    def create_many(self, rows: Sequence[Mapping[str, Any]]) -> list[int]:
        """New recordings in one statement, with their keys in the order of the rows."""
        owner = self.owner()
        values = [{**self.checked(row), "user_id": owner} for row in rows]
        if not values:
            return []
        statement = insert(Recording).returning(Recording.id, sort_by_parameter_order=True)
        with self._explained():
            return list(self.session.scalars(statement, values))
