"""What reached the fake and what it did, in order; nothing is ever changed or removed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One request. `call` is a method of the API, or session.put, .probe, .cancel.

    `did` tells what it changed: opened, kept, finished, cancelled, updated, deleted, inserted or
    nothing. `received` counts the bytes of its body, `kept` the session's bytes after it.
    """

    number: int
    at: datetime
    verb: str
    call: str
    params: Mapping[str, str]
    channel: str | None = None
    project: str | None = None
    status: int = 0
    reason: str | None = None
    did: str | None = None
    session: str | None = None
    video: str | None = None
    subject: str | None = None
    received: int = 0
    kept: int | None = None
    fault: str | None = None


@dataclass
class Ledger:
    entries: list[Entry] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def append(self, **values: Any) -> Entry:
        with self._lock:
            entry = Entry(number=len(self.entries), **values)
            self.entries.append(entry)
            return entry

    def of(self, *calls: str) -> list[Entry]:
        with self._lock:
            return [entry for entry in self.entries if entry.call in calls]

    def count(self, *calls: str) -> int:
        return len(self.of(*calls))

    def did(self, what: str) -> list[Entry]:
        with self._lock:
            return [entry for entry in self.entries if entry.did == what]

    def refused(self) -> list[Entry]:
        """What the contract refuses: 400, 405, 411 and 413 that no test planned."""
        with self._lock:
            entries = list(self.entries)
        return [
            each for each in entries if each.fault is None and each.status in (400, 405, 411, 413)
        ]

    def received(self, session: str | None = None) -> int:
        """Bytes of video that were sent, in all or to one session."""
        return sum(
            entry.received for entry in self.of("session.put") if session in (None, entry.session)
        )

    def as_json(self, since: int = 0) -> list[dict[str, Any]]:
        with self._lock:
            return [{**vars(each), "at": each.at.isoformat()} for each in self.entries[since:]]
