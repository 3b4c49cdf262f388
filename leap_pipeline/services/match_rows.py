"""Matching's statements: the lock, the templates, and recordings by the ten thousand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from sqlalchemy import (
    ColumnElement,
    Integer,
    Row,
    Select,
    and_,
    any_,
    bindparam,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.templates import RecordingTemplate
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.matcher import Candidate
from leap_pipeline.errors import NotFound

# A two-integer advisory lock; the second is a hash of the user.
LOCK_CLASS = 0x4C454110
BATCH = 10_000

# What is gone for good stays as it is.
THERE = Recording.delete_state.is_distinct_from(DeleteState.HARD_DELETED)
UNMAPPED = Recording.template_id.is_(None)

# (id, display_name, input_source_id, template_id)
Facts = Row[int, str, int | None, int | None]


def lock_matching(session: Session, user_id: str, *, shared: bool) -> None:
    """Shared by those who match recordings; alone for who changes templates or mappings."""
    lock = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
    session.execute(
        text(f"SELECT {lock}(:class, hashtext(:user))"), {"class": LOCK_CLASS, "user": user_id}
    )


def load_candidates(session: Session, user_id: str) -> list[Candidate]:
    """All templates of the user, drafts and inactive ones too."""
    rows = session.execute(
        select(
            RecordingTemplate.id,
            RecordingTemplate.name,
            RecordingTemplate.created_at,
            RecordingTemplate.matching_rules,
            RecordingTemplate.is_active,
            RecordingTemplate.is_draft,
        ).where(RecordingTemplate.user_id == user_id)
    )
    return [
        Candidate(
            id=row.id,
            created_at=row.created_at or datetime.min.replace(tzinfo=UTC),
            rules=row.matching_rules,
            name=row.name,
            is_active=row.is_active is not False,
            is_draft=row.is_draft is True,
        )
        for row in rows
    ]


def keep_template(session: Session, user_id: str, template_id: int) -> None:
    """Keep a template from being deleted until the transaction ends; raises `NotFound`."""
    found = session.scalar(
        select(RecordingTemplate.id)
        .where(RecordingTemplate.id == template_id, RecordingTemplate.user_id == user_id)
        .with_for_update(read=True, key_share=True)
    )
    if found is None:
        msg = f"There is no template {template_id}."
        raise NotFound(msg)


def recordings_in_batches(
    session: Session, user_id: str, *conditions: ColumnElement[bool]
) -> Iterator[Sequence[Facts]]:
    """The user's recordings that are not gone for good, by id."""
    last = 0
    while True:
        batch = session.execute(
            _facts(user_id, *conditions)
            .where(Recording.id > last)
            .order_by(Recording.id)
            .limit(BATCH)
        ).all()
        if batch:
            yield batch
        if len(batch) < BATCH:
            return
        last = batch[-1].id


def recordings_with_ids(
    session: Session, user_id: str, ids: Iterable[int], *conditions: ColumnElement[bool]
) -> Iterator[Sequence[Facts]]:
    """Those of the recordings that there are."""
    for some in _batches(sorted(set(ids))):
        yield session.execute(
            _facts(user_id, *conditions).where(with_ids(some)).order_by(Recording.id)
        ).all()


def _facts(
    user_id: str, *conditions: ColumnElement[bool]
) -> Select[int, str, int | None, int | None]:
    return select(
        Recording.id, Recording.display_name, Recording.input_source_id, Recording.template_id
    ).where(Recording.user_id == user_id, THERE, *conditions)


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[begin : begin + BATCH] for begin in range(0, len(ids), BATCH))


def unmapped_or_of(template_id: int) -> ColumnElement[bool]:
    return or_(UNMAPPED, Recording.template_id == template_id)


def of_another_template(template_id: int) -> ColumnElement[bool]:
    return and_(Recording.template_id.is_not(None), Recording.template_id != template_id)


def with_ids(ids: Sequence[int]) -> ColumnElement[bool]:
    """As one parameter, however many they are."""
    return Recording.id == any_(bindparam(None, list(ids), ARRAY(Integer)))


def count_recordings(session: Session, user_id: str, *conditions: ColumnElement[bool]) -> int:
    return (
        session.scalar(select(func.count()).where(Recording.user_id == user_id, THERE, *conditions))
        or 0
    )


def names_of(session: Session, user_id: str, recording_ids: Sequence[int]) -> dict[int, str]:
    """Names by id, for a page of a preview's ids."""
    rows = session.execute(
        select(Recording.id, Recording.display_name)
        .where(Recording.user_id == user_id, with_ids(recording_ids))
        .order_by(Recording.id)
    )
    return {row.id: row.display_name for row in rows}


def names_kept(
    session: Session, user_id: str, template_id: int, without: Sequence[int], number: int
) -> dict[int, str]:
    """Names by id of the newest recordings that a template has, some left out."""
    rows = session.execute(
        select(Recording.id, Recording.display_name)
        .where(
            Recording.user_id == user_id,
            THERE,
            Recording.template_id == template_id,
            ~with_ids(without),
        )
        .order_by(Recording.id.desc())
        .limit(number)
    )
    return {row.id: row.display_name for row in rows}


def write_mapping(
    session: Session,
    user_id: str,
    ids: Sequence[int],
    *conditions: ColumnElement[bool],
    template_id: int | None,
) -> list[int]:
    """Give recordings their template, or None; the ids of those that were still so.

    Rows are locked by id, so that two who write many never wait for each other in a ring. Two
    statements, since a planner without statistics would join the rows to themselves in a loop.
    """
    written: list[int] = []
    for some in _batches(sorted(ids)):
        locked = session.scalars(
            select(Recording.id)
            .where(Recording.user_id == user_id, with_ids(some), *conditions)
            .order_by(Recording.id)
            .with_for_update()
        ).all()
        session.execute(
            update(Recording)
            .where(Recording.user_id == user_id, with_ids(locked))
            .values(template_id=template_id, is_mapped=template_id is not None)
            .execution_options(synchronize_session=False)
        )
        written += locked
    return written
