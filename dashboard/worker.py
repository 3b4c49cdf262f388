"""The thread of the console that carries bulk actions out, while the console is served.

It looks every few seconds for what other consoles left behind; what is asked for in this process
wakes it at once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from leap_pipeline.db.engine import Database
from leap_pipeline.errors import LeapError
from leap_pipeline.services.bulk_actions import carry_out_next

IDLE_SECONDS = 5.0
TROUBLE_SECONDS = 2.0
STOP_SECONDS = 10.0
logger = logging.getLogger("leap.console")

_awake = threading.Event()


def wake() -> None:
    """There is something to do: look at once."""
    _awake.set()


@contextmanager
def working(database: Database) -> Iterator[None]:
    """Carry out bulk actions until the block ends; the recording that it is at is finished."""
    closing = threading.Event()
    thread = threading.Thread(
        target=_work, args=(database, closing), name="bulk-actions", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        closing.set()
        wake()
        thread.join(STOP_SECONDS)


def _work(database: Database, closing: threading.Event) -> None:
    while not closing.is_set():
        _awake.clear()
        try:
            busy = carry_out_next(database)
        except LeapError as error:
            logger.warning("Bulk actions wait: %s", error)
            closing.wait(TROUBLE_SECONDS)
        except Exception:
            logger.exception("Bulk actions met an error")
            closing.wait(TROUBLE_SECONDS)
        else:
            if not busy and not closing.is_set():
                _awake.wait(IDLE_SECONDS)
