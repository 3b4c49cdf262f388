"""Rotations in processes of their own, started fast enough to be killed many times a second."""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Event

from sqlalchemy.engine import make_url

from leap_pipeline.db.engine import Database
from leap_pipeline.services.key_rotation import retire, rotate
from leap_pipeline.settings import Settings
from tests.support.postgres import urls_of


def run(settings: Settings, ready: Event, *, and_retire: bool) -> None:
    """One `leap credentials rotate`, with `--retire` or without; connected when `ready`."""
    database = Database(urls_of(make_url(str(settings.database_url))), pooled=True)
    with database.system():
        ready.set()
    (retire if and_retire else rotate)(database, settings)


def fork_server() -> ForkServerContext:
    """Processes that begin with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.rotations"])
    return context
