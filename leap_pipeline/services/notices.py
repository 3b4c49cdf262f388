"""Notices to owners: written with the fact, once for each fact; read, marked and forgotten.

Whether a notice is sent anywhere is decided when it is written, by the owner's channels of that
moment. Reading and marking are the tenant's own, within a tenant's transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Date, cast, delete, func, literal, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import SCOPE
from leap_pipeline.db.models.notices import Notice, NoticeChannel
from leap_pipeline.db.models.recordings import OutputTarget, Recording
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.notices import CHOSEN, KEPT, Channel, NoticeKind, Sending
from leap_pipeline.domain.states import RecordingStatus
from leap_pipeline.redaction import redact
from leap_pipeline.services.moves import storable

GROUPS, MEMBERS = 20, 50
LONGEST_SUBJECT = 500


@dataclass(frozen=True)
class Outcome:
    """What a recording's columns say came of it; equal to the one before where nothing did."""

    status: str
    at_stage: str | None
    failed_at: datetime | None

    @classmethod
    def of(cls, recording: Recording) -> Outcome:
        return cls(recording.status, recording.failed_at_stage, recording.failed_at)


@dataclass(frozen=True)
class Refused:
    """An account that its platform no longer takes; `title` is for people."""

    credential_id: int
    platform: str
    title: str


@dataclass(frozen=True)
class Group:
    """The notices of one kind about the same, of one day: how many, and the newest of them."""

    kind: NoticeKind
    about: str
    day: date
    count: int
    unread: int
    newest: Notice


# Writing


def tell_outcome(
    session: Session, recording: Recording, targets: Iterable[OutputTarget], before: Outcome
) -> None:
    """Tell that a recording has become READY or FAILED since `before`; nothing where it has not.

    An update of a published video is no new fact, another publication is. What is older than
    notices are kept is not told: its notice may have been forgotten, and with it that it was told.
    A second target that fails beside one that failed is told when it is what the recording says.
    """
    if recording.user_id is None or Outcome.of(recording) == before:
        return
    if recording.delete_state not in (None, DeleteState.ACTIVE):
        return
    if recording.status == RecordingStatus.FAILED:
        if _is_old(recording.failed_at):
            return
        stage = recording.failed_at_stage or ""
        fact = f"failed:{recording.id}:{stage}:{_moment(recording.failed_at)}"
        values = {"about": stage, "reason": recording.failed_reason}
        _tell(session, recording.user_id, NoticeKind.FAILED, fact, _of(recording) | values)
    elif recording.status == RecordingStatus.READY:
        published = max((row.uploaded_at for row in targets if row.uploaded_at), default=None)
        if _is_old(published):
            return
        fact = f"ready:{recording.id}:{_moment(published)}"
        _tell(session, recording.user_id, NoticeKind.READY, fact, _of(recording))


def tell_held(
    session: Session, recording: Recording, hold_id: int, kind: HoldKind, reason: str
) -> None:
    """Tell that a recording waits for a person."""
    if recording.user_id is not None:
        values = _of(recording) | {"about": str(kind), "reason": reason}
        _tell(session, recording.user_id, NoticeKind.HELD, f"held:{hold_id}", values)


def tell_refused(
    session: Session, user_id: str, account: Refused, reason: str, since: datetime | None
) -> None:
    """Tell that an account must be connected again; `since` is when it was changed last."""
    fact = f"connect:{account.credential_id}:{_moment(since)}"
    values = {
        "credential_id": account.credential_id,
        "subject": account.title,
        "about": account.platform,
        "reason": reason,
    }
    _tell(session, user_id, NoticeKind.CONNECT, fact, values)


def tell_test(session: Session, at: datetime) -> bool:
    """Put a notice on all channels that there are; False where one of this quarter is there."""
    quarter = at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)
    return _tell(
        session, _owner(session), NoticeKind.TEST, f"test:{_moment(quarter)}", {"subject": "LEAP"}
    )


def _tell(
    session: Session, user_id: str, kind: NoticeKind, fact: str, values: dict[str, Any]
) -> bool:
    texts = {"subject": storable(values["subject"], LONGEST_SUBJECT)}
    if values.get("reason"):
        texts["reason"] = storable(redact(values["reason"]))
    statement = (
        insert(Notice)
        .values(
            user_id=user_id,
            kind=str(kind),
            fact=fact,
            mail_state=_wanted(user_id, Channel.MAIL, kind),
            webhook_state=_wanted(user_id, Channel.WEBHOOK, kind),
            **{**values, **texts},
        )
        .on_conflict_do_nothing()
        .returning(Notice.id)
    )
    return session.scalar(statement) is not None


def _wanted(user_id: str, channel: Channel, kind: NoticeKind) -> Any:
    found = select(literal(str(Sending.DUE))).where(
        NoticeChannel.user_id == user_id, NoticeChannel.channel == str(channel)
    )
    if kind in CHOSEN:
        found = found.where(NoticeChannel.kinds.contains([str(kind)]))
    return found.scalar_subquery()


def _of(recording: Recording) -> dict[str, Any]:
    return {"recording_id": recording.id, "subject": recording.display_name}


def _is_old(at: datetime | None) -> bool:
    return at is not None and at < datetime.now(UTC) - KEPT


def _moment(at: datetime | None) -> str:
    return "" if at is None else str(int(at.timestamp() * 1_000_000))


# Reading


def groups(
    session: Session, zone: ZoneInfo, *, unread: bool = False, before: int | None = None
) -> list[Group]:
    """The newest 20 groups by the days of a time zone, those whose newest id is below `before`."""
    conditions = [Notice.user_id == _owner(session)]
    if unread:
        conditions.append(Notice.read_at.is_(None))
    day = cast(func.timezone(zone.key, Notice.created_at), Date)
    newest = func.max(Notice.id)
    query = (
        select(
            Notice.kind,
            Notice.about,
            day.label("day"),
            func.count(),
            func.count().filter(Notice.read_at.is_(None)),
            newest,
        )
        .where(*conditions)
        .group_by(Notice.kind, Notice.about, "day")
        .order_by(newest.desc())
        .limit(GROUPS)
    )
    if before is not None:
        query = query.having(newest < before)
    found = session.execute(query).all()
    rows = session.scalars(select(Notice).where(Notice.id.in_([each[5] for each in found])))
    by_id = {row.id: row for row in rows}
    return [
        Group(NoticeKind(kind), about, on, count, new, by_id[last])
        for kind, about, on, count, new, last in found
        if last in by_id
    ]


def members(
    session: Session, group: Group, zone: ZoneInfo, *, before: int | None = None
) -> Sequence[Notice]:
    """The newest 50 notices of a group, those whose id is below `before`."""
    query = select(Notice).where(*_within(session, group, zone))
    if before is not None:
        query = query.where(Notice.id < before)
    return session.scalars(query.order_by(Notice.id.desc()).limit(MEMBERS)).all()


def mark_read(session: Session, group: Group, zone: ZoneInfo) -> int:
    """Mark a group as read, up to the newest that was seen; how many were not."""
    return _mark(session, *_within(session, group, zone))


def mark_all_read(session: Session, up_to: int) -> int:
    """Mark everything as read, up to the newest that was seen; how many were not."""
    return _mark(session, Notice.user_id == _owner(session), Notice.id <= up_to)


def forget_old(session: Session, at: datetime) -> int:
    """Delete what is older than 30 days, of all users; how many."""
    gone = delete(Notice).where(Notice.created_at < at - KEPT).returning(Notice.id)
    return len(session.scalars(gone).all())


def _mark(session: Session, *conditions: ColumnElement[bool]) -> int:
    statement = (
        update(Notice)
        .where(*conditions, Notice.read_at.is_(None))
        .values(read_at=func.now())
        .returning(Notice.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(statement).all())


def _within(session: Session, group: Group, zone: ZoneInfo) -> list[ColumnElement[bool]]:
    begins = datetime(group.day.year, group.day.month, group.day.day, tzinfo=zone)
    following = group.day + timedelta(days=1)
    ends = datetime(following.year, following.month, following.day, tzinfo=zone)
    return [
        Notice.user_id == _owner(session),
        Notice.kind == str(group.kind),
        Notice.about == group.about,
        Notice.created_at >= begins,
        Notice.created_at < ends,
        Notice.id <= group.newest.id,
    ]


def _owner(session: Session) -> str:
    owner: str = session.info[SCOPE]
    return owner
