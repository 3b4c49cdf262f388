"""A process that is killed (SIGKILL) at a chosen point of what it does."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.storage.local import LocalStorage

PATIENCE = 60
Act = Callable[[Database, LocalStorage, Any], Any]
HALF_REMOVED, REMOVED, BEFORE_COMMIT = "half removed", "removed", "before commit"


class DoomedStorage(LocalStorage):
    """Ends its process in the middle of removing a folder, or right after it."""

    def __init__(self, root: Path, point: str) -> None:
        super().__init__(root)
        self._point = point

    def remove(self, relative: str) -> None:
        if self._point == HALF_REMOVED:
            files = sorted(path for path in self.path(relative).rglob("*") if path.is_file())
            for path in files[::2]:
                path.unlink()
            _die()
        super().remove(relative)
        if self._point == REMOVED:
            _die()
        event.listen(Session, "before_commit", lambda _session: _die())


def killed_at(point: str, act: Act, database: Database, root: Path, argument: Any) -> None:
    """`act(database, storage, argument)` in a process of its own, which dies at the point."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([act.__module__])
    child = context.Process(target=_run, args=(database.urls, root, point, act, argument))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == -signal.SIGKILL, child.exitcode


def _run(urls: Any, root: Path, point: str, act: Act, argument: Any) -> None:
    act(Database(urls), DoomedStorage(root, point), argument)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
