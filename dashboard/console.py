"""What the console has open, once a process: settings, database, storage, keys, sessions.

Pages and routes take it from `current()`. Whoever starts the console, or tests a page, puts it
there with `install`.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.errors import DataError
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.sessions import Sessions
from leap_pipeline.settings import Settings
from leap_pipeline.storage.local import LocalStorage


@dataclass(frozen=True)
class Console:
    """Shared by all threads."""

    settings: Settings
    database: Database
    storage: LocalStorage
    vault: Vault
    sessions: Sessions

    @property
    def is_https(self) -> bool:
        """Do browsers reach it by HTTPS? Then cookies are sent by nothing else."""
        return urlsplit(self.settings.public_url).scheme == "https"


def open_console(settings: Settings) -> Console:
    """Migrates nothing: `leap up` or `leap db upgrade` does."""
    database = Database(resolve(settings), pooled=True)
    return Console(
        settings,
        database,
        LocalStorage(settings.storage),
        load_vault(settings),
        Sessions(database, settings),
    )


_installed: list[Console] = []


def install(console: Console) -> None:
    """From here on this process's console; the last one that was installed counts."""
    _installed[:] = [console]


def current() -> Console:
    if not _installed:
        msg = "A page was asked for before the console was started."
        raise DataError(msg)
    return _installed[0]
