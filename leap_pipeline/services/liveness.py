"""Who lives: one session-level advisory lock a piece of work.

The lock says that its worker lives; it is not what makes writes safe. A database restart frees it
under a living worker, so every write is fenced by the run token as well (`services.work`).
"""

from __future__ import annotations

import threading
import time

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from leap_pipeline.domain.states import Phase, Platform
from leap_pipeline.errors import TransientError

# Two-integer advisory locks: the first says what is locked, the second which recording
# (or which firing of an automation).
NAMESPACE = 0x4C454100
FIRING_CLASS = NAMESPACE + 0x80
PING_SECONDS = 3.0
FROZEN_SECONDS = 30
RELEASE_SECONDS = 2.0
_IDLE_TIMEOUT_SINCE = 140_000  # PostgreSQL 14 has idle_session_timeout


def lock_class(phase: Phase, platform: Platform | None) -> int:
    """The lock's first integer."""
    pieces = (Phase.PREPARE, *Platform)
    return NAMESPACE + pieces.index(phase if phase is Phase.PREPARE else platform or phase)


def firing_key(firing_id: int) -> tuple[int, int]:
    """The lock of an automation's firing: class and id, as `living` tells them."""
    return FIRING_CLASS, firing_id % 2**31


class WorkLock:
    """An advisory lock on a connection of its own, watched by a thread."""

    def __init__(self, connection: psycopg.Connection, classid: int, recording_id: int) -> None:
        self._connection = connection
        self._key = (classid, recording_id)
        self._closing = threading.Event()
        self.lost = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="leap-lock", daemon=True)

    def acquire(self, wait: float) -> bool:
        """Try for `wait` seconds; on success the lock is watched until `release`.

        Raises `TransientError` where the connection breaks.
        """
        try:
            taken = self._taken_within(wait)
        except psycopg.Error as error:
            msg = "The connection that locks the work broke: try again."
            raise TransientError(msg) from error
        if taken:
            self._watcher.start()
        return taken

    def release(self) -> None:
        """Closing the connection frees the lock."""
        self._closing.set()
        if self._watcher.is_alive():
            self._watcher.join(RELEASE_SECONDS)  # it may be in the middle of a ping
        self._connection.close()

    def _taken_within(self, wait: float) -> bool:
        if self._connection.info.server_version >= _IDLE_TIMEOUT_SINCE:
            # The pings of a worker that is frozen stop, so the server lets go of its lock.
            self._connection.execute(f"SET idle_session_timeout = '{FROZEN_SECONDS}s'")
        deadline = time.monotonic() + wait
        while True:
            row = self._connection.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", self._key
            ).fetchone()
            if row is not None and row[0]:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)

    def _watch(self) -> None:
        try:
            while not self._closing.wait(PING_SECONDS):
                self._connection.execute("SELECT 1")
        except psycopg.Error:
            pass
        finally:
            if not self._closing.is_set():
                self.lost.set()


def try_claim_dead(session: Session, classid: int, recording_id: int) -> bool:
    """Whether nobody lives; if so, nobody can begin before this transaction ends."""
    return bool(
        session.scalar(
            text("SELECT pg_try_advisory_xact_lock(:classid, :recording)"),
            {"classid": classid, "recording": recording_id},
        )
    )


def let_go_when_frozen(session: Session) -> None:
    """Have the server end this transaction where its process stops talking in the middle of it.

    Otherwise the row locks of a frozen worker would hold up everybody for as long as it sleeps.
    """
    session.execute(
        text("SELECT set_config('idle_in_transaction_session_timeout', :limit, true)"),
        {"limit": f"{FROZEN_SECONDS}s"},
    )


def wait_little(session: Session, seconds: int) -> None:
    """Have this transaction raise `TransientError` where it waits longer for a row's lock."""
    session.execute(
        text("SELECT set_config('lock_timeout', :limit, true)"), {"limit": f"{seconds}s"}
    )


def living(session: Session) -> set[tuple[int, int]]:
    """Every piece of work that has a living worker: (lock class, recording)."""
    rows = session.execute(
        text(
            "SELECT classid::bigint, objid::bigint FROM pg_locks "
            "WHERE locktype = 'advisory' AND objsubid = 2 AND granted "
            "AND classid::bigint BETWEEN :low AND :high "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ),
        {"low": NAMESPACE, "high": NAMESPACE + 0xFF},
    )
    return {(row[0], row[1]) for row in rows}
