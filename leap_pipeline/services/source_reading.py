"""A source read by hand: tried, read now, or only looked at, within the time that a poll has."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from leap_pipeline.db.engine import Database
from leap_pipeline.db.repositories.catalogue import Sources
from leap_pipeline.domain.shapes.sources import SyncCounts
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_sources import load_source
from leap_pipeline.services.zoom_sync import sync_source
from leap_pipeline.settings import Settings


@dataclass(frozen=True)
class Reading:
    """What was found; not `is_whole`: the time was over before, and the next poll goes on."""

    counts: SyncCounts
    dry_run: bool
    is_whole: bool


@dataclass(frozen=True)
class SourceReader:
    """Reads the sources of one user; those of others are not there."""

    database: Database
    vault: Vault
    settings: Settings
    user_id: str

    def read(self, source_id: int, *, dry_run: bool = False) -> Reading:
        """Read a source now, for `poll_budget_seconds` at most; a dry run writes nothing.

        Raises `NotFound`, and what the source's platform says.
        """
        self._require(source_id)
        until = time.monotonic() + self.settings.poll_budget_seconds
        with self._accounts() as accounts:
            counts = sync_source(
                self.database,
                accounts,
                source_id,
                now=datetime.now(UTC),
                settings=self.settings,
                dry_run=dry_run,
                until=until,
            )
        return Reading(counts, dry_run, is_whole=time.monotonic() < until)

    def check(self, source_id: int) -> str:
        """Ask the source's account for today; one sentence on what it lets LEAP read.

        Raises as `read` does.
        """
        self._require(source_id)
        found = load_source(self.database, source_id)
        with self._accounts() as accounts:
            return accounts.check(found.user_id, found.require_credential())

    def _require(self, source_id: int) -> None:
        with self.database.tenant(self.user_id) as session:
            Sources(session).require(source_id)

    def _accounts(self) -> ZoomAccounts:
        return ZoomAccounts(self.database, self.vault, self.settings)
