"""Many processes that do the same thing at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any

from leap_pipeline.db.engine import Database
from leap_pipeline.errors import LeapError

PATIENCE = 60
Act = Callable[[Database, Any], Any]


def race(database: Database, act: Act, arguments: Sequence[Any]) -> list[str]:
    """`act(database, argument)` in a process of its own for each argument, all begun at once.

    Returns what each made of it: "ok", or the name of the `LeapError` that refused it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([act.__module__])
    barrier, outcomes = context.Barrier(len(arguments)), context.Queue()
    racers = [
        context.Process(target=_run, args=(database.urls, act, each, barrier, outcomes))
        for each in arguments
    ]
    for racer in racers:
        racer.start()
    found = [outcomes.get(timeout=PATIENCE) for _ in racers]
    for racer in racers:
        racer.join(PATIENCE)
    return found


def _run(urls: Any, act: Act, argument: Any, barrier: Barrier, outcomes: Queue[str]) -> None:
    database = Database(urls)
    try:
        barrier.wait(PATIENCE)
        act(database, argument)
        outcomes.put("ok")
    except LeapError as refused:
        outcomes.put(type(refused).__name__)
    except BaseException as error:
        outcomes.put(f"{type(error).__name__}: {error}")
        raise
