"""The record of what was adopted, by which a second run takes only what is new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.adoption.outcome import Entry, Outcome, chunks
from leap_pipeline.adoption.target import table_of
from leap_pipeline.db.models.adoption import AdoptedRow

BATCH = 2000
_NEW = insert(table_of(AdoptedRow))
_SAID = {name: _NEW.excluded[name] for name in ("new_key", "outcome", "note")}
_NOTE = _NEW.on_conflict_do_update(
    constraint="uq_adopted_rows_row",
    set_={**_SAID, "updated_at": func.now()},
    where=tuple_(AdoptedRow.new_key, AdoptedRow.outcome, AdoptedRow.note).is_distinct_from(
        tuple_(*_SAID.values())
    ),
)


class Ledger:
    """The record of one source; a dry one keeps in memory what a real one would write."""

    def __init__(self, source: str, *, dry: bool = False) -> None:
        self.source = source
        self.dry = dry
        self._noted: dict[tuple[str, str], Entry] = {}

    def taken(self, session: Session, table: str, keys: Sequence[object]) -> dict[str, str]:
        """The new keys of the rows that an earlier run or transaction took; left ones may come."""
        return {
            old: new for old, new in self.noted(session, table, keys).items() if new is not None
        }

    def noted(self, session: Session, table: str, keys: Sequence[object]) -> dict[str, str | None]:
        """The rows that were noted before with their new keys, None for those that were left."""
        found: dict[str, str | None] = {}
        for some in chunks([str(key) for key in keys], BATCH):
            rows = session.execute(
                select(AdoptedRow.old_key, AdoptedRow.new_key).where(
                    *self._of(table), AdoptedRow.old_key.in_(some)
                )
            )
            found |= dict(rows.all())
        return found

    def write(self, session: Session, entries: Sequence[Entry]) -> None:
        """Note what became of rows; what was left before and is taken now is noted anew."""
        if self.dry:
            self._noted |= {(each.table, each.old_key): each for each in entries}
        elif entries:
            session.execute(_NOTE, [self._values(each) for each in entries])

    def entries(self, session: Session, table: str) -> Iterator[Entry]:
        """All that is known of a table's rows, in the order in which it was noted."""
        stored = session.execute(
            select(AdoptedRow.old_key, AdoptedRow.new_key, AdoptedRow.outcome, AdoptedRow.note)
            .where(*self._of(table))
            .order_by(AdoptedRow.id)
        )
        known = {
            old: Entry(table, old, new, Outcome(kind), note) for old, new, kind, note in stored
        }
        known |= {key: each for (of, key), each in self._noted.items() if of == table}
        yield from known.values()

    def _of(self, table: str) -> tuple[ColumnElement[bool], ...]:
        return AdoptedRow.source == self.source, AdoptedRow.table_name == table

    def _values(self, entry: Entry) -> dict[str, str | None]:
        return {
            "source": self.source,
            "table_name": entry.table,
            "old_key": entry.old_key,
            "new_key": entry.new_key,
            "outcome": entry.outcome,
            "note": entry.note,
        }


def known_source(session: Session, user_ids: Sequence[str]) -> str | None:
    """The name under which users of this source were adopted before; ULIDs are unique."""
    return session.scalar(
        select(AdoptedRow.source)
        .where(AdoptedRow.table_name == "users", AdoptedRow.old_key.in_(user_ids))
        .limit(1)
    )
