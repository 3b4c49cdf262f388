"""Zoom sources read into recordings: window by window, page by page, each in its own transaction.

A sync can end anywhere and be done again, by anybody and by several at once: what is known already
is not written again, so it makes one row of each part of a meeting.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import islice

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.shapes.sources import SyncCounts, SyncCursor
from leap_pipeline.domain.sync_windows import LONGEST_WINDOW, first_day, read_to, spans
from leap_pipeline.domain.wanted import Bounds
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_sources import (
    SyncedSource,
    load_source,
    note_failure,
    note_pause,
    note_sync,
)
from leap_pipeline.services.zoom_sync_rows import Rules, Templates, write_page
from leap_pipeline.settings import Settings
from leap_pipeline.sources.zoom.client import Window
from leap_pipeline.sources.zoom.models import ZoomMeeting

PAGE = 300
MINUTE = 60


@dataclass
class _Sync:
    """One sync on its way."""

    database: Database
    source: SyncedSource
    rules: Rules
    dry_run: bool
    until: float | None
    created: list[str] | None
    templates: Templates = field(default_factory=Templates)
    counts: Counter[str] = field(default_factory=Counter)
    counted: set[str] = field(default_factory=set)

    @property
    def is_over(self) -> bool:
        return self.until is not None and time.monotonic() >= self.until

    @property
    def result(self) -> SyncCounts:
        return SyncCounts(**self.counts)

    def write(self, page: Iterable[ZoomMeeting]) -> None:
        """Write a page, and count what was not counted yet."""
        page = list(page)
        written = write_page(
            self.database,
            self.rules,
            self.templates,
            page,
            counted=self.counted,
            dry_run=self.dry_run,
        )
        self.counts.update(written.counts)
        self.counted.update(each.uuid for each in page)
        if self.created is not None:
            self.created += [partition_key(self.source.slug, each) for each in written.created]


def sync_source(
    database: Database,
    accounts: ZoomAccounts,
    source_id: int,
    *,
    now: datetime,
    settings: Settings,
    dry_run: bool = False,
    until: float | None = None,
    created: list[str] | None = None,
) -> SyncCounts:
    """Read a source from where the last sync ended, and some days before.

    `until` is a `time.monotonic()` after which it ends between two pages; the next sync goes on
    from there. New recordings' partitions are added to `created`. With `dry_run` nothing is
    written. Raises LeapErrors, which the source tells of until a sync succeeds.
    """
    source = load_source(database, source_id)
    rules = rules_of(source, settings, now)
    sync = _Sync(database, source, rules, dry_run, until, created)
    try:
        _read(sync, accounts, settings)
    except Exception as error:
        if not dry_run:
            note_failure(database, source, error, now=now, settings=settings)
        raise
    return sync.result


def sync_meeting(
    database: Database,
    accounts: ZoomAccounts,
    source_id: int,
    uuid: str,
    *,
    now: datetime,
    settings: Settings,
    created: list[str] | None = None,
) -> SyncCounts:
    """Read one meeting by its details. Raises RecordingMissing where Zoom has no recording of it,
    or not yet; nothing is written then.
    """
    source = load_source(database, source_id)
    client = accounts.client(source.user_id, source.require_credential())
    rules = rules_of(source, settings, now)
    sync = _Sync(database, source, rules, dry_run=False, until=None, created=created)
    sync.write([client.meeting(uuid)])
    return sync.result


def rules_of(source: SyncedSource, settings: Settings, now: datetime) -> Rules:
    """What the source takes: its own bounds, else the installation's."""
    config = source.config
    own, most = config.min_duration_minutes, config.max_duration_minutes
    bounds = Bounds(
        min_seconds=settings.blank_max_seconds if own is None else own * MINUTE,
        min_bytes=settings.blank_max_bytes,
        max_seconds=None if most is None else most * MINUTE,
        skip_blank=config.skip_blank_recordings,
        own_minimum=own is not None,
    )
    return Rules(source.user_id, source.id, bounds, config.skip_unmatched, now)


def _read(sync: _Sync, accounts: ZoomAccounts, settings: Settings) -> None:
    source, now = sync.source, sync.rules.now
    client, credential = accounts.open(source.user_id, source.require_credential())
    who = accounts.who(source.config, credential)
    days = source.cursor.window_days or LONGEST_WINDOW
    read = source.cursor.read_to
    windows = list(spans(_first_day(source, settings, now), now, days))
    for span, following in zip(windows, [*windows[1:], None], strict=True):
        if not _read_window(sync, client.recordings(Window(*span), who)):
            shorter = max(1, ((span[1] - span[0]).days + 1) // 2)
            cursor = SyncCursor(read_to=read, resume_on=span[0], window_days=shorter)
            _pause(sync, cursor, over=True)
            return
        read = max(read_to(span, now), read or datetime.min.replace(tzinfo=UTC))
        if following is not None:
            over = sync.is_over
            cursor = SyncCursor(read_to=read, resume_on=following[0], window_days=days)
            _pause(sync, cursor, over=over)
            if over:
                return
    if not sync.dry_run:
        # Where shorter windows were needed, the next sync tries longer ones again.
        wider = None if 2 * days >= LONGEST_WINDOW else 2 * days
        cursor = SyncCursor(read_to=read, window_days=wider)
        note_sync(sync.database, source, cursor, sync.result, now=now, settings=settings)


def _pause(sync: _Sync, cursor: SyncCursor, *, over: bool) -> None:
    if not sync.dry_run:
        note_pause(sync.database, sync.source, cursor, sync.rules.now if over else None)


def _first_day(source: SyncedSource, settings: Settings, now: datetime) -> date:
    said = source.config.lookback_days
    return source.cursor.resume_on or first_day(
        now=now,
        made_at=source.created_at or now,
        read_to=source.cursor.read_to,
        lookback_days=settings.lookback_days if said is None else said,
        sync_from=source.config.sync_from_date,
        history_days=settings.history_days,
    )


def _read_window(sync: _Sync, meetings: Iterator[ZoomMeeting]) -> bool:
    """Read a window to its end; False where the time was over before."""
    while page := list(islice(meetings, PAGE)):
        sync.write(page)
        if len(page) == PAGE and sync.is_over:
            return False
    return True
