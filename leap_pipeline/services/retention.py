"""The daily sweep: what has expired goes, and what is counted is counted again.

Each step looks for its own work, takes one recording or user a transaction, and can be stopped
and begun again at any point. With `dry_run` it tells what it would do and does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.runs import StoredObject
from leap_pipeline.db.models.subscriptions import QuotaUsage
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.quotas import period_of, stored_gb
from leap_pipeline.domain.states import DownloadStatus
from leap_pipeline.errors import LeapError
from leap_pipeline.services.counts import compact_counts
from leap_pipeline.services.deletion import expire, hard_delete
from leap_pipeline.services.firing_care import forget_old
from leap_pipeline.services.notices import forget_old as forget_notices
from leap_pipeline.services.quotas import refresh_storage
from leap_pipeline.services.rate_limits import sweep_buckets
from leap_pipeline.services.sessions import sweep
from leap_pipeline.services.webhook_inbox import sweep_inbox
from leap_pipeline.storage.local import LocalStorage

UNFINISHED_SECONDS = 7 * 24 * 3600.0
FIRINGS_KEPT = timedelta(days=90)
_STATE = func.coalesce(Recording.delete_state, DeleteState.ACTIVE)


@dataclass
class Swept:
    """The recordings of one step: done, left for later, and failed with the reason."""

    done: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)


def expire_recordings(database: Database, at: datetime, *, dry_run: bool = False) -> Swept:
    """Soft-delete what has reached its `expire_at`."""
    due = select(Recording.id).where(_STATE == DeleteState.ACTIVE, Recording.expire_at <= at)

    def step(recording_id: int) -> bool:
        with database.system() as session:
            return expire(session, recording_id, at)

    return _each(_ids(database, due), step, dry_run=dry_run)


def delete_for_good(
    database: Database, storage: LocalStorage, at: datetime, *, dry_run: bool = False
) -> Swept:
    """Hard-delete what can no longer be restored."""
    due = select(Recording.id).where(
        Recording.delete_state == DeleteState.SOFT_DELETED, Recording.hard_delete_at <= at
    )

    def step(recording_id: int) -> bool:
        return hard_delete(database, storage, recording_id, at)

    return _each(_ids(database, due), step, dry_run=dry_run)


def recount_storage(database: Database, at: datetime, *, dry_run: bool = False) -> list[str]:
    """Set the storage of users for whom this month's number is not the sum; their ids."""
    with database.system() as session:
        stored = session.execute(
            select(StoredObject.user_id, func.sum(StoredObject.bytes)).group_by(
                StoredObject.user_id
            )
        )
        sums = {user_id: stored_gb(int(found)) for user_id, found in stored}
        counted = session.execute(
            select(QuotaUsage.user_id, QuotaUsage.storage_used_gb).where(
                QuotaUsage.period == period_of(at)
            )
        )
        told = {user_id: found or 0 for user_id, found in counted}
    wrong = [
        user_id
        for user_id in sorted(sums.keys() | told.keys())
        if told.get(user_id, 0) != sums.get(user_id, 0)
    ]
    for user_id in () if dry_run else wrong:
        with database.system() as session:
            if session.get(User, user_id) is not None:
                refresh_storage(session, user_id, at)
    return wrong


def tidy(database: Database) -> dict[str, int]:
    """Remove ended sessions, links, old login attempts, finished webhooks, rate buckets that nobody
    uses, firings and notices of long ago, and sum up counts; how many rows.
    """
    with database.system() as session:
        swept = sweep(session) | {"notices": forget_notices(session, datetime.now(UTC))}
        swept |= {"webhooks": sweep_inbox(session), "rate_buckets": sweep_buckets(session)}
        swept |= {"firings": forget_old(session, datetime.now(UTC) - FIRINGS_KEPT)}
    return {**swept, "counts": compact_counts(database)}


def sweep_unfinished(
    database: Database, storage: LocalStorage, *, dry_run: bool = False
) -> list[str]:
    """Remove downloads that nobody goes on with: the recording is gone or has its file, or nothing
    was written for a week; their names.
    """
    names = storage.partials()
    numbers = {int(name.partition("-")[0]) for name in names if name[:1].isdigit()}
    with database.system() as session:
        wanted = set(
            session.scalars(
                select(Recording.id).where(
                    Recording.id.in_(numbers),
                    _STATE != DeleteState.HARD_DELETED,
                    Recording.download_status != DownloadStatus.COMPLETED,
                )
            )
        )
    over = [name for name in names if name.partition("-")[0] not in map(str, wanted)]
    if dry_run:
        return over
    swept = [each for name in over for each in storage.sweep_partials(name, exact=True)]
    return sorted({*swept, *storage.sweep_partials("", idle=UNFINISHED_SECONDS)})


def live_partitions(session: Session) -> set[str]:
    """The partitions of all recordings that are not deleted for good."""
    rows = session.execute(
        select(User.user_slug, Recording.id)
        .join(Recording, Recording.user_id == User.id)
        .where(_STATE != DeleteState.HARD_DELETED)
    )
    return {partition_key(slug, recording_id) for slug, recording_id in rows}


def _ids(database: Database, due: Select[int]) -> list[int]:
    with database.system() as session:
        return list(session.scalars(due.order_by(Recording.id)))


def _each(recordings: list[int], step: Callable[[int], bool], *, dry_run: bool) -> Swept:
    """One that fails, such as by a file that cannot be removed, does not hold up the others."""
    if dry_run:
        return Swept(done=recordings)
    swept = Swept()
    for recording_id in recordings:
        try:
            (swept.done if step(recording_id) else swept.left).append(recording_id)
        except (LeapError, OSError) as error:
            swept.failed[recording_id] = str(error)
    return swept
