"""Syncs in processes of their own, each with its own copy of a fake Zoom that was saved."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session, configure_mappers

from leap_pipeline.db.engine import Database
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services import zoom_accounts, zoom_sources, zoom_sync
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.settings import Settings
from leap_pipeline.sources.zoom.limits import NoGate
from tests.support.zoom.serve import load

configure_mappers()  # once here, and not in every process that is forked from here
PATIENCE = 60
AFTER_WINDOW, BEFORE_COMMIT = "after a window", "before the commit of a page"


@dataclass(frozen=True)
class Job:
    """`times` syncs in a row; `die_at` is where the process kills itself, after `windows`."""

    settings: Settings
    world: Path
    source_id: int
    now: datetime
    times: int = 1
    die_at: str | None = None
    windows: int = 0


def sync_often(database: Database, job: Job) -> None:
    """For `at_once.race`. Nothing holds the requests back: the world is this process's own."""
    vars(zoom_accounts)["SharedGate"] = lambda *_given, **_named: NoGate()
    fake = load(job.world)
    accounts = ZoomAccounts(database, load_vault(job.settings), job.settings, http=fake.client())
    for _ in range(job.times):
        zoom_sync.sync_source(database, accounts, job.source_id, now=job.now, settings=job.settings)


def killed(database: Database, job: Job) -> None:
    """Sync in a process that ends by SIGKILL at the job's point."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    child = context.Process(target=_doomed, args=(database.urls, job))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == -signal.SIGKILL, child.exitcode


def _doomed(urls: Any, job: Job) -> None:
    ended = 0
    note_pause = zoom_sources.note_pause

    def noted(*given: Any) -> None:
        nonlocal ended
        note_pause(*given)
        ended += 1
        if ended == job.windows and job.die_at == AFTER_WINDOW:
            os.kill(os.getpid(), signal.SIGKILL)

    def committing(session: Session) -> None:
        wrote = session.info.get("wrote", False)
        if wrote and ended == job.windows and job.die_at == BEFORE_COMMIT:
            os.kill(os.getpid(), signal.SIGKILL)

    vars(zoom_sync)["note_pause"] = noted
    event.listen(Session, "before_commit", committing)
    event.listen(Session, "do_orm_execute", _remember_inserts)
    sync_often(Database(urls), job)


def _remember_inserts(state: Any) -> None:
    if state.is_insert:
        state.session.info["wrote"] = True
