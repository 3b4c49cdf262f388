"""Recordings as lines of a list: a page of them, with all that a line shows, in one statement."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Row, Select, any_, bindparam, func, null, select
from sqlalchemy.dialects.postgresql import ARRAY

from leap_pipeline.db.models.recordings import OutputTarget, Recording
from leap_pipeline.db.models.templates import InputSource, RecordingTemplate
from leap_pipeline.db.models.users import User
from leap_pipeline.db.repositories.base import PAGE
from leap_pipeline.db.repositories.pages import Page, Position, Sort, next_cursor, read_cursor
from leap_pipeline.db.repositories.recordings import RecordingFilter, Recordings
from leap_pipeline.domain.states import TargetStatus
from leap_pipeline.errors import InputError

_UNSTORABLE = re.compile("[\\x00\ud800-\udfff]")
PUBLISHED = (
    select(func.array_agg(OutputTarget.target_type))
    .where(
        OutputTarget.recording_id == Recording.id,
        OutputTarget.status == TargetStatus.UPLOADED,
    )
    .correlate(Recording)
    .scalar_subquery()
)


@dataclass(frozen=True)
class RecordingLine:
    """`duration` in seconds; `owner` (an address) only where the list is of all owners; `until`:
    when a deleted one can be restored no more.
    """

    id: int
    owner_id: str | None
    owner: str | None
    name: str
    status: str
    blank: bool
    start_time: datetime
    duration: int
    template: str | None
    source: str | None
    published: tuple[str, ...]
    reason: str | None
    until: datetime | None


class RecordingLines(Recordings):
    """The lists of a scope."""

    def lines(
        self,
        criteria: RecordingFilter,
        *,
        sort: str,
        after: str | None = None,
        limit: int = PAGE,
    ) -> Page[RecordingLine]:
        """As `page`. Raises InputError for an order or a cursor that there is not."""
        order = self.sorts.get(sort)
        if order is None:
            msg = f"A list of recordings cannot be sorted by {sort}."
            raise InputError(msg)
        query = self._rows().where(*self.conditions(criteria))
        if after is not None:
            query = query.where(order.after(Recording, _position(after, sort, order)))
        rows = self._read(self.first(query, criteria, order, limit + 1))
        more = len(rows) > limit
        cursor = next_cursor(sort, order, rows[limit - 1]) if more else None
        return Page([_line(row) for row in rows[:limit]], cursor)

    def lines_of(self, ids: Sequence[int]) -> list[RecordingLine]:
        """Those of the recordings that there are, in the order of the ids."""
        wanted = any_(bindparam(None, list(ids), ARRAY(BigInteger)))
        rows = self._read(self._rows().where(Recording.id == wanted))
        found = {row.id: _line(row) for row in rows}
        return [found[key] for key in ids if key in found]

    def _read(self, query: Select[Any]) -> Sequence[Row[Any]]:
        everybody = self.user_id is None
        wanted: Select[*tuple[Any, ...]] = (
            query.with_only_columns(
                Recording.id,
                Recording.user_id,
                Recording.display_name,
                Recording.status,
                Recording.blank_record,
                Recording.start_time,
                Recording.duration,
                Recording.created_at,
                Recording.failed_reason,
                Recording.skip_reason,
                Recording.hard_delete_at,
                RecordingTemplate.name.label("template"),
                InputSource.name.label("source"),
                PUBLISHED.label("published"),
                (User.email if everybody else null()).label("owner"),
                maintain_column_froms=True,
            )
            .outerjoin(RecordingTemplate, RecordingTemplate.id == Recording.template_id)
            .outerjoin(InputSource, InputSource.id == Recording.input_source_id)
        )
        if everybody:
            wanted = wanted.outerjoin(User, User.id == Recording.user_id)
        return self.session.execute(wanted).all()


def _line(row: Row[Any]) -> RecordingLine:
    return RecordingLine(
        id=row.id,
        owner_id=row.user_id,
        owner=row.owner,
        name=row.display_name,
        status=row.status,
        blank=bool(row.blank_record),
        start_time=row.start_time,
        duration=row.duration,
        template=row.template,
        source=row.source,
        published=tuple(sorted(row.published or ())),
        reason=row.failed_reason or row.skip_reason,
        until=row.hard_delete_at,
    )


def _position(cursor: str, name: str, order: Sort) -> Position:
    """A cursor comes from an address: what it holds must be what its column holds."""
    value, key = read_cursor(cursor, name)
    if order.column == "display_name":
        fits = isinstance(value, str) and not _UNSTORABLE.search(value)
    else:
        fits = isinstance(value, datetime) and value.tzinfo is not None
    if not fits or not 0 <= key < 2**31:
        msg = f"This is no position in a list by {name}: begin again at its first page."
        raise InputError(msg)
    return value, key
