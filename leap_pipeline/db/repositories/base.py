"""What every repository does: create, read, update, delete, list by pages, count.

A repository is of a transaction and has its scope, as `Database.tenant` and `Database.system` set
it: no caller names a user, so none can forget to. In the system's scope `of` narrows it to one
user. Row-level security stands behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import Column, Select, String, delete, func, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from leap_pipeline.db.base import Base
from leap_pipeline.db.engine import SCOPE
from leap_pipeline.db.repositories.pages import Page, Sort, next_cursor, read_cursor
from leap_pipeline.db.repositories.refusals import refusal
from leap_pipeline.domain.shapes.registry import KIND_COLUMN, validate_column
from leap_pipeline.errors import DataError, InputError, NotFound, StaleChange

M = TypeVar("M", bound=Base)

PAGE, LARGEST_PAGE = 50, 500
# A statement names at most this many ids.
CHUNK = 5000


class Reader(Generic[M]):
    """The rows of one table in the scope of a transaction, to be read.

    Raises `NotFound` for a row that is not there, which another tenant's row is not either.
    """

    model: ClassVar[type[Any]]
    thing: ClassVar[str]
    """What a row is called in a sentence."""
    sorts: ClassVar[Mapping[str, Sort]]
    default_sort: ClassVar[str]

    def __init__(self, session: Session, of: str | None = None) -> None:
        scope = session.info.get(SCOPE)
        if scope is None:
            msg = f"A repository of {self.model.__tablename__} needs a transaction with a scope."
            raise DataError(msg)
        if scope and of not in (None, scope):
            msg = f"A tenant's transaction was asked for another user's {self.thing}s."
            raise DataError(msg)
        self.session = session
        self.user_id: str | None = scope or of

    # Reading

    def get(self, key: int) -> M | None:
        """The row, with what `details` loads beside it."""
        found: M | None = self.session.scalars(
            self._rows().where(self.model.id == key).options(*self.details())
        ).one_or_none()
        return found

    def require(self, key: int) -> M:
        """As `get`; raises `NotFound`."""
        found = self.get(key)
        if found is None:
            raise self.not_found(key)
        return found

    def get_by_ids(self, keys: Iterable[int]) -> dict[int, M]:
        """Those of the rows that there are, in the order of the keys; one statement for 5,000."""
        wanted = list(dict.fromkeys(keys))
        found: dict[int, M] = {}
        for begin in range(0, len(wanted), CHUNK):
            part = wanted[begin : begin + CHUNK]
            rows = self.session.scalars(
                self._rows().where(self.model.id.in_(part)).options(*self.listing())
            )
            found |= {row.id: row for row in rows}
        return {key: found[key] for key in wanted if key in found}

    def page(
        self,
        criteria: Any = None,
        *,
        sort: str | None = None,
        after: str | None = None,
        limit: int = PAGE,
    ) -> Page[M]:
        """One page of the rows that meet the criteria, and the cursor of the next one.

        `sort` is one of `sorts`; `after` is the cursor that came with the page before, which rows
        that come and go in between neither repeat nor hide.
        """
        if not 1 <= limit <= LARGEST_PAGE:
            msg = f"A page has 1 to {LARGEST_PAGE} rows, not {limit}."
            raise InputError(msg)
        name = sort or self.default_sort
        order = self.sorts.get(name)
        if order is None:
            known = ", ".join(self.sorts)
            msg = f"A list of {self.thing}s cannot be sorted by {name}: use one of {known}."
            raise InputError(msg)
        query = self._rows().where(*self.conditions(criteria))
        if after is not None:
            query = query.where(order.after(self.model, read_cursor(after, name)))
        query = self.first(query, criteria, order, limit + 1).options(*self.listing())
        rows: Sequence[M] = self.session.scalars(query).all()
        more = len(rows) > limit
        items = list(rows[:limit])
        return Page(items, next_cursor(name, order, items[-1]) if more else None)

    def all(self, criteria: Any = None) -> list[M]:
        """All rows that meet the criteria, oldest first; for tables that a person fills."""
        query = self._rows().where(*self.conditions(criteria)).options(*self.listing())
        return list(self.session.scalars(query.order_by(self.model.id)))

    def count(self, criteria: Any = None) -> int:
        """How many rows meet the criteria, counted by the database."""
        query = select(func.count()).select_from(self.model)
        return self.session.scalar(self._scoped(query).where(*self.conditions(criteria))) or 0

    # What a repository says of its table

    def details(self) -> Sequence[ORMOption]:
        """What is loaded beside one row."""
        return self.listing()

    def listing(self) -> Sequence[ORMOption]:
        """What is loaded beside each row of a list."""
        return ()

    def conditions(self, criteria: Any) -> Sequence[Any]:
        """The criteria as SQL."""
        return () if criteria is None else criteria.conditions()

    def first(self, query: Select[Any], criteria: Any, order: Sort, number: int) -> Select[Any]:  # noqa: ARG002
        """The first rows that a query finds, in order."""
        return query.order_by(*order.by(self.model)).limit(number)

    def not_found(self, key: int) -> NotFound:
        """For a row that is not there, or not there for this tenant: nobody can tell which."""
        msg = f"There is no {self.thing} {key}."
        return NotFound(msg)

    # Parts

    def _rows(self) -> Select[Any]:
        return self._scoped(select(self.model))

    def _scoped(self, query: Select[Any]) -> Select[Any]:
        return query.where(*self._mine())

    def _mine(self) -> Sequence[Any]:
        return () if self.user_id is None else (self.model.user_id == self.user_id,)


class Repository(Reader[M]):
    """The rows of one table, to be read and written.

    Raises `InputError` with a sentence for a value that its column, its shape or a constraint
    refuses; the transaction can go on then.
    """

    kept: ClassVar[frozenset[str]] = frozenset()
    """Columns that only the database or a service writes."""

    def create(self, **values: Any) -> M:
        """A new row; what is not given has its default."""
        row: M = self.model(**self.checked(values), user_id=self.owner())
        with self._explained():
            self.session.add(row)
            self.session.flush()
        return row

    def update(
        self,
        key: int,
        *,
        unchanged_since: datetime | None = None,
        unchanged: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> M:
        """Change columns of a row.

        Raises `StaleChange` where somebody else has changed the row since the caller saw it: with
        `unchanged_since` its `updated_at`, or with `unchanged` those columns, for rows that the
        system writes to all the time.
        """
        row: M | None = self.session.scalars(
            self._rows()
            .where(self.model.id == key)
            .with_for_update(of=self.model)
            .execution_options(populate_existing=True)
        ).one_or_none()
        if row is None:
            raise self.not_found(key)
        other = any(getattr(row, name) != value for name, value in (unchanged or {}).items())
        moved = unchanged_since is not None and getattr(row, "updated_at", None) != unchanged_since
        if other or moved:
            msg = f"Somebody else has changed this {self.thing} meanwhile: load it again."
            raise StaleChange(msg)
        checked = self.checked(values, row)
        with self._explained():
            for name, value in checked.items():
                setattr(row, name, value)
            self.session.flush()
            self.session.refresh(row)
        return row

    def update_many(self, keys: Iterable[int], **values: Any) -> int:
        """Set the same plain columns in many rows; the number of rows that there were."""
        checked = self.checked(values)
        changed = 0
        wanted = list(dict.fromkeys(keys))
        with self._explained():
            for begin in range(0, len(wanted), CHUNK):
                statement = (
                    update(self.model)
                    .where(self.model.id.in_(wanted[begin : begin + CHUNK]), *self._mine())
                    .values(**checked)
                    .returning(self.model.id)
                )
                changed += len(self.session.execute(statement).all())
        return changed

    def delete(self, key: int) -> None:
        """Delete a row and what hangs on it in the database."""
        if not self.delete_many([key]):
            raise self.not_found(key)

    def delete_many(self, keys: Iterable[int]) -> int:
        """Delete rows; the number of those that there were."""
        gone = 0
        wanted = list(dict.fromkeys(keys))
        with self._explained():
            for begin in range(0, len(wanted), CHUNK):
                statement = (
                    delete(self.model)
                    .where(self.model.id.in_(wanted[begin : begin + CHUNK]), *self._mine())
                    .returning(self.model.id)
                )
                gone += len(self.session.execute(statement).all())
        return gone

    def owner(self) -> str:
        """Whose a new row is."""
        if self.user_id is None:
            msg = f"A new {self.thing} needs an owner: name the user that it is of."
            raise DataError(msg)
        return self.user_id

    def checked(self, values: Mapping[str, Any], row: M | None = None) -> dict[str, Any]:
        """The values as their columns take them; raises `InputError`."""
        columns = self.model.__table__.columns
        for name in values:
            if name not in columns or name in self.kept or name in ("id", "user_id"):
                msg = f"{name} of a {self.thing} cannot be set."
                raise InputError(msg)

        def fitted(name: str, value: Any) -> Any:
            column = columns[name]
            if isinstance(column.type, JSONB):
                decider = KIND_COLUMN.get((column.table.name, name), "")
                kind = values.get(decider, getattr(row, decider, None))
                return validate_column(column.table.name, name, value, kind=kind)
            if isinstance(column.type, String) and isinstance(value, str):
                return _fitting(value, column, self.thing)
            return value

        return {name: fitted(name, value) for name, value in values.items()}

    def _explained(self) -> Explained:
        return Explained(self.session, self.thing)


def _fitting(value: str, column: Column[Any], thing: str) -> str:
    """The text, if its column takes it."""
    if "\x00" in value:
        msg = f"The {column.name} of a {thing} holds a character that cannot be stored: remove it."
        raise InputError(msg)
    longest = getattr(column.type, "length", None)
    if longest is not None and len(value) > longest:
        msg = f"The {column.name} of a {thing} has {len(value)} characters: at most {longest} fit."
        raise InputError(msg)
    return value


class Explained:
    """A savepoint whose broken constraints become sentences; the transaction goes on."""

    def __init__(self, session: Session, thing: str) -> None:
        self._session = session
        self._thing = thing

    def __enter__(self) -> None:
        self._nested = self._session.begin_nested()
        self._nested.__enter__()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._nested.__exit__(kind, error, trace)
        if isinstance(error, IntegrityError):
            raise refusal(error, self._thing) from error
