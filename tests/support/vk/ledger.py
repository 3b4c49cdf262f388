"""What reached the fake of VK and what it did, in order; nothing is ever changed or removed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One request. `route` is the method, or `upload`, `thumb`, `unknown`.

    `video` is `OWNER_ID`; `did` what came of it: announced, stored, replaced, edited, deleted, …;
    `received` the bytes of the body, and `whole` whether all came; `size` and `sha256` those of the
    file in it; `fault` what a test had planned. No secret is in `params`.
    """

    number: int
    at: datetime
    route: str
    params: Mapping[str, str]
    user_id: int | None = None
    video: str | None = None
    status: int = 0
    code: int | None = None
    did: str | None = None
    received: int = 0
    whole: bool = True
    size: int | None = None
    sha256: str | None = None
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

    def of(self, *routes: str) -> list[Entry]:
        with self._lock:
            return [entry for entry in self.entries if entry.route in routes]

    def count(self, *routes: str) -> int:
        return len(self.of(*routes))

    def bytes_received(self) -> int:
        """Of all uploads of videos, whole or not."""
        return sum(entry.received for entry in self.of("upload"))

    def refused(self) -> list[Entry]:
        """What the contract refuses: codes that no test planned and that no good client meets."""
        met = (5, 6, 29, 800)
        with self._lock:
            entries = list(self.entries)
        return [
            entry
            for entry in entries
            if entry.fault is None and (entry.status >= 400 or entry.code not in (None, *met))
        ]

    def peak(self, user_id: int) -> int:
        """The most calls of one user in one second of VK's clock that were not refused as such."""
        with self._lock:
            seconds = Counter(
                int(entry.at.timestamp())
                for entry in self.entries
                if entry.user_id == user_id and "." in entry.route and entry.code != 6
            )
        return max(seconds.values(), default=0)

    def as_json(self, since: int = 0) -> list[dict[str, Any]]:
        with self._lock:
            return [{**asdict(each), "at": each.at.isoformat()} for each in self.entries[since:]]
