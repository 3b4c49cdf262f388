"""A console that is killed (SIGKILL) while it carries a bulk action out."""

from __future__ import annotations

import multiprocessing
import os
import signal
from typing import Any

from sqlalchemy import event, inspect
from sqlalchemy.orm import Session, configure_mappers

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.bulk import BulkAction
from leap_pipeline.services.bulk_actions import carry_out_next

configure_mappers()  # once here, and not in every process that is forked from here
PATIENCE = 180


def killed_at_recording(database: Database, number: int) -> None:
    """Carry out in a process of its own, which dies with the effect on the `number`th recording
    done, and its transaction not yet committed.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    child = context.Process(target=_carry_out, args=(database.urls, number))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == -signal.SIGKILL, child.exitcode


def _carry_out(urls: Any, number: int) -> None:
    def die(session: Session, *_rest: object) -> None:
        stepped = [each for each in session if isinstance(each, BulkAction) and each.done == number]
        if stepped and not inspect(stepped[0]).modified:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Session, "after_flush_postexec", die)
    database = Database(urls)
    while carry_out_next(database):
        pass
