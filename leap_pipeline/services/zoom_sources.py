"""`input_sources` rows of Zoom accounts, as syncing reads and writes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.shapes.registry import read_column, validate_column
from leap_pipeline.domain.shapes.sources import SyncCounts, SyncCursor, ZoomSource
from leap_pipeline.domain.sync_windows import poll_gap
from leap_pipeline.errors import InputError, LeapError, MustWaitError, NotFound, UserActionError
from leap_pipeline.redaction import redact
from leap_pipeline.services.moves import storable
from leap_pipeline.settings import Settings

ZOOM = "ZOOM"


@dataclass(frozen=True)
class SyncedSource:
    """A source when its sync began; `failures` in a row before it."""

    id: int
    name: str
    user_id: str
    slug: int
    credential_id: int | None
    config: ZoomSource
    cursor: SyncCursor
    failures: int
    created_at: datetime | None

    def require_credential(self) -> int:
        if self.credential_id is None:
            msg = f"The source “{self.name}” has no Zoom account: give it one, or delete it."
            raise UserActionError(msg)
        return self.credential_id


def load_source(database: Database, source_id: int) -> SyncedSource:
    """Raises `NotFound`, and `InputError` for a source that is no Zoom account."""
    with database.system() as session:
        row = session.execute(
            select(
                InputSource.name,
                InputSource.source_type,
                InputSource.user_id,
                User.user_slug,
                InputSource.credential_id,
                InputSource.config,
                InputSource.cursor,
                InputSource.failures,
                InputSource.created_at,
            )
            .join(User, User.id == InputSource.user_id)
            .where(InputSource.id == source_id)
        ).one_or_none()
    if row is None:
        msg = f"There is no source {source_id}: `leap source list` shows the ones there are."
        raise NotFound(msg)
    if row.source_type != ZOOM:
        msg = f"The source “{row.name}” is no Zoom account: its files are handed over by hand."
        raise InputError(msg)
    config = read_column("input_sources", "config", row.config, kind=ZOOM).value
    cursor = read_column("input_sources", "cursor", row.cursor).value
    return SyncedSource(
        source_id,
        row.name,
        row.user_id,
        row.user_slug,
        row.credential_id,
        config if isinstance(config, ZoomSource) else ZoomSource(),
        cursor if isinstance(cursor, SyncCursor) else SyncCursor(),
        row.failures,
        row.created_at,
    )


def note_sync(
    database: Database,
    source: SyncedSource,
    cursor: SyncCursor,
    counts: SyncCounts,
    *,
    now: datetime,
    settings: Settings,
) -> None:
    """A sync that read everything: it is due again after the source's own time."""
    _write(
        database,
        source,
        {
            "cursor": _cursor(cursor),
            "last_sync_at": now,
            "last_result": counts.model_dump(),
            "failures": 0,
            "last_error": None,
            "next_poll_at": now + _interval(source, settings),
        },
    )


def note_pause(
    database: Database, source: SyncedSource, cursor: SyncCursor, due_at: datetime | None
) -> None:
    """A sync that read a part; `due_at` where it ended there, and goes on at the next poll."""
    due = {} if due_at is None else {"next_poll_at": due_at, "failures": 0, "last_error": None}
    _write(database, source, {"cursor": _cursor(cursor), **due})


def note_failure(
    database: Database, source: SyncedSource, error: Exception, *, now: datetime, settings: Settings
) -> None:
    """Say on the source why it could not be synced, and let it rest; longer each time.

    What must wait is no failure: it is due when it may go on.
    """
    told = str(error) if isinstance(error, LeapError) else f"{type(error).__name__}: {error}"
    waits = isinstance(error, MustWaitError)
    failures = source.failures + (0 if waits else 1)
    due = now + poll_gap(_interval(source, settings), failures)
    if isinstance(error, MustWaitError):
        due = max(error.due_at, now)
    sentence = storable(redact(told))
    values = {"failures": failures, "last_error": sentence, "next_poll_at": due}
    _write(database, source, values)


def _interval(source: SyncedSource, settings: Settings) -> timedelta:
    own = source.config.poll_interval_minutes
    return timedelta(minutes=settings.poll_interval_minutes if own is None else own)


def _cursor(cursor: SyncCursor) -> Any:
    said = cursor.model_dump(mode="json", exclude_none=True)
    return validate_column("input_sources", "cursor", said)


def _write(database: Database, source: SyncedSource, values: Mapping[str, Any]) -> None:
    with database.tenant(source.user_id) as session:
        session.execute(
            update(InputSource)
            .where(InputSource.id == source.id)
            .values(**values)
            .execution_options(synchronize_session=False)
        )
