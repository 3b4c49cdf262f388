"""One migration at a time a database, and no migration that blocks the others' work for long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from leap_pipeline.errors import TransientError

# "LEAPMIGR" in ASCII: the key of a session-level advisory lock, which is the database's own.
LOCK_KEY = 0x4C454150_4D494752
WAIT_FOR_OTHERS = "10min"
# Behind a waiting ALTER TABLE everybody else waits too, so it gives up soon.
LOCK_TIMEOUT = "10s"
STATEMENT_TIMEOUT = "15min"

SET = text("SELECT set_config(:name, :value, false)")


@contextmanager
def migrating(connection: Connection) -> Iterator[None]:
    """Hold the migration lock, with time-outs for locks and statements.

    Waits for another migration, up to 10 minutes. The connection must be in no transaction, and
    ends in none. Raises TransientError where the other one takes longer.
    """
    _configure(connection, WAIT_FOR_OTHERS, "0")
    try:
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": LOCK_KEY})
    except OperationalError as error:
        connection.rollback()
        if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise
        msg = f"Another migration of this database has been running for {WAIT_FOR_OTHERS}."
        raise TransientError(msg) from error
    _configure(connection, LOCK_TIMEOUT, STATEMENT_TIMEOUT)
    try:
        yield
    finally:
        # A broken connection has given the lock back by itself.
        if not (connection.closed or connection.invalidated):
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK_KEY})
            connection.execute(text("RESET lock_timeout"))
            connection.execute(text("RESET statement_timeout"))
            connection.commit()


def _configure(connection: Connection, lock_timeout: str, statement_timeout: str) -> None:
    connection.execute(SET, {"name": "lock_timeout", "value": lock_timeout})
    connection.execute(SET, {"name": "statement_timeout", "value": statement_timeout})
    connection.commit()
