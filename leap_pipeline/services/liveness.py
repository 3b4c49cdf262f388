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

# Two-integer advisory locks: the first says what is locked, the second which recording.
NAMESPACE = 0x4C454100
PING_SECONDS = 3.0


def lock_class(phase: Phase, platform: Platform | None) -> int:
    """The lock's first integer."""
    pieces = (Phase.PREPARE, *Platform)
    return NAMESPACE + pieces.index(phase if phase is Phase.PREPARE else platform or phase)


class WorkLock:
    """An advisory lock on a connection of its own, watched by a thread."""

    def __init__(self, connection: psycopg.Connection, classid: int, recording_id: int) -> None:
        self._connection = connection
        self._key = (classid, recording_id)
        self._closing = threading.Event()
        self.lost = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="leap-lock", daemon=True)

    def acquire(self, wait: float) -> bool:
        """Try for `wait` seconds; on success the lock is watched until `release`."""
        deadline = time.monotonic() + wait
        while True:
            row = self._connection.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", self._key
            ).fetchone()
            if row is not None and row[0]:
                self._watcher.start()
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.2)

    def release(self) -> None:
        """Closing the connection frees the lock."""
        self._closing.set()
        self._connection.close()

    def _watch(self) -> None:
        while not self._closing.wait(PING_SECONDS):
            try:
                self._connection.execute("SELECT 1")
            except psycopg.Error:
                if not self._closing.is_set():
                    self.lost.set()
                return


def try_claim_dead(session: Session, classid: int, recording_id: int) -> bool:
    """Whether nobody lives; if so, nobody can begin before this transaction ends."""
    return bool(
        session.scalar(
            text("SELECT pg_try_advisory_xact_lock(:classid, :recording)"),
            {"classid": classid, "recording": recording_id},
        )
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
