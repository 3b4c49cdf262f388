"""The whole platform in figures: counted by the database, in few statements."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from sqlalchemy import ColumnElement, Date, case, cast, func, literal, select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import Recording, RecordingCount
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.subscriptions import QuotaUsage
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Rights, require_admin
from leap_pipeline.domain.states import LIVE_RUN_STATES, Phase, RecordingStatus, RunState
from leap_pipeline.settings import Settings

DAYS = 30
LARGEST_USERS = 10


class Outcome(StrEnum):
    """What has become of a recording."""

    READY = "ready"
    UNDER_WAY = "under way"
    SKIPPED = "skipped"
    FAILED = "failed"


OF_STATUS = {
    RecordingStatus.READY: Outcome.READY,
    RecordingStatus.PROCESSED: Outcome.READY,
    RecordingStatus.SKIPPED: Outcome.SKIPPED,
    RecordingStatus.FAILED: Outcome.FAILED,
}


@dataclass(frozen=True)
class Day:
    """One day in UTC: the recordings that came, by what has become of them, and the work on them.

    `typical` and `slow` are the median and the 95th percentile of the seconds that a recording's
    preparation ran, of those that ended on that day; None where none did.
    """

    day: date
    came: dict[Outcome, int]
    prepared: int = 0
    typical: float | None = None
    slow: float | None = None


@dataclass(frozen=True)
class StorageOfUser:
    user_id: str
    email: str
    gigabytes: Decimal


@dataclass(frozen=True)
class Overview:
    """`failures`: stage → recordings that have failed there and wait for somebody."""

    users: int
    recordings: int
    days: tuple[Day, ...]
    failures: dict[str, int]
    storage_gb: Decimal
    largest: tuple[StorageOfUser, ...]


@dataclass(frozen=True)
class Disk:
    """Bytes of the disk that the storage is on."""

    total: int
    free: int


def overview(session: Session, rights: Rights, now: datetime, *, days: int = DAYS) -> Overview:
    """All of it; six statements, in the system's scope."""
    require_admin(rights)
    today = now.astimezone(UTC).date()
    span = [today - timedelta(days=back) for back in reversed(range(days))]
    came, work = _came(session, span[0]), _prepared(session, span[0])
    storage, largest = _storage(session)
    return Overview(
        users=session.scalar(select(func.count()).where(User.is_active)) or 0,
        recordings=_recordings(session),
        days=tuple(Day(day, came.get(day, {}), *work.get(day, (0, None, None))) for day in span),
        failures=_failures(session),
        storage_gb=storage,
        largest=largest,
    )


def queues(session: Session, rights: Rights) -> dict[RunState, int]:
    """How many runs are queued, running or waiting; one statement."""
    require_admin(rights)
    rows = session.execute(
        select(RecordingRun.state, func.count())
        .where(RecordingRun.state.in_([str(state) for state in LIVE_RUN_STATES]))
        .group_by(RecordingRun.state)
    )
    found = {RunState(row[0]): row[1] for row in rows}
    return {state: found.get(state, 0) for state in LIVE_RUN_STATES}


def disk(settings: Settings, rights: Rights) -> Disk | None:
    """Of the local storage; None where its folder is not there."""
    require_admin(rights)
    try:
        found = shutil.disk_usage(settings.storage)
    except OSError:
        return None
    return Disk(found.total, found.free)


def _day_of(moment: ColumnElement[datetime]) -> ColumnElement[date]:
    return cast(func.timezone("UTC", moment), Date)


def _start(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _came(session: Session, since: date) -> dict[date, dict[Outcome, int]]:
    named = {str(status): str(outcome) for status, outcome in OF_STATUS.items()}
    outcome = case(named, value=Recording.status, else_=literal(str(Outcome.UNDER_WAY)))
    day = _day_of(Recording.created_at).label("day")  # type: ignore[arg-type]
    rows = session.execute(
        select(day, outcome.label("outcome"), func.count())
        .where(
            Recording.created_at >= _start(since),
            Recording.delete_state.is_distinct_from("hard_deleted"),
        )
        .group_by("day", "outcome")
    )
    found: dict[date, dict[Outcome, int]] = {}
    for when, name, count in rows:
        found.setdefault(when, {})[Outcome(name)] = count
    return found


def _prepared(session: Session, since: date) -> dict[date, tuple[int, float | None, float | None]]:
    run = RecordingRun
    seconds = func.extract("epoch", run.finished_at - run.started_at)
    day = _day_of(run.finished_at).label("day")  # type: ignore[arg-type]
    rows = session.execute(
        select(
            day,
            func.count(),
            func.percentile_cont(0.5).within_group(seconds),
            func.percentile_cont(0.95).within_group(seconds),
        )
        .where(
            run.phase == Phase.PREPARE,
            run.state == RunState.DONE,
            run.finished_at >= _start(since),
            run.started_at.is_not(None),
        )
        .group_by("day")
    )
    return {row[0]: (row[1], row[2], row[3]) for row in rows}


def _failures(session: Session) -> dict[str, int]:
    rows = session.execute(
        select(func.coalesce(Recording.failed_at_stage, ""), func.count())
        .where(Recording.failed.is_(True), Recording.deleted.is_not(True))
        .group_by(Recording.failed_at_stage)
        .order_by(func.count().desc())
    )
    return {row[0]: row[1] for row in rows}


def _recordings(session: Session) -> int:
    counted = select(func.coalesce(func.sum(RecordingCount.recordings), 0)).where(
        RecordingCount.delete_state != "hard_deleted"
    )
    return int(session.scalar(counted) or 0)


def _storage(session: Session) -> tuple[Decimal, tuple[StorageOfUser, ...]]:
    """The sum of what users store, and the largest of them, as their newest month has it."""
    newest = (
        select(QuotaUsage.user_id, func.max(QuotaUsage.period).label("period"))
        .group_by(QuotaUsage.user_id)
        .subquery()
    )
    rows = session.execute(
        select(
            User.id,
            User.email,
            func.coalesce(QuotaUsage.storage_used_gb, 0),
            func.sum(QuotaUsage.storage_used_gb).over(),
        )
        .join(QuotaUsage, QuotaUsage.user_id == User.id)
        .join(
            newest,
            (newest.c.user_id == QuotaUsage.user_id) & (newest.c.period == QuotaUsage.period),
        )
        .order_by(QuotaUsage.storage_used_gb.desc().nulls_last(), User.id)
        .limit(LARGEST_USERS)
    ).all()
    total = rows[0][3] if rows else None
    return total or Decimal(0), tuple(StorageOfUser(row[0], row[1], row[2]) for row in rows)
