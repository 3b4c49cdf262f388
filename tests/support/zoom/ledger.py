"""What reached the fake and what it answered, in order; nothing is ever changed or removed."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One request: `route` is one of token, user, account, details, download, cdn, unknown.

    `account` is the Zoom account of the token; `code` Zoom's own error code in the body; `subject`
    the user, account, meeting UUID or file that was asked for; `fault` what a test had planned.
    """

    number: int
    at: datetime
    method: str
    route: str
    path: str
    params: Mapping[str, str]
    account: str | None = None
    subject: str | None = None
    status: int = 0
    code: int | None = None
    category: str | None = None
    fault: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Body:
    """How many bytes of the answer to request `number` went out, and whether to its end."""

    number: int
    sent: int
    whole: bool


@dataclass
class Ledger:
    entries: list[Entry] = field(default_factory=list)
    bodies: list[Body] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def append(self, **values: Any) -> Entry:
        with self._lock:
            entry = Entry(number=len(self.entries), **values)
            self.entries.append(entry)
            return entry

    def close(self, number: int, sent: int, *, whole: bool) -> None:
        with self._lock:
            self.bodies.append(Body(number, sent, whole))

    def of(self, *routes: str) -> list[Entry]:
        with self._lock:
            return [entry for entry in self.entries if entry.route in routes]

    def count(self, *routes: str) -> int:
        return len(self.of(*routes))

    def refused(self) -> list[Entry]:
        """Requests that the contract refuses: 4xx that no test planned.

        What a good client meets too is not among them: 401, 404, 416, 429, dead page tokens.
        """
        with self._lock:
            entries = list(self.entries)
        return [
            entry
            for entry in entries
            if 400 <= entry.status < 500
            and entry.fault is None
            and entry.status not in (401, 404, 416, 429)
            and entry.note != "page token"
        ]

    def bytes_sent(self, *routes: str) -> int:
        numbers = {entry.number for entry in self.of(*(routes or ("cdn",)))}
        with self._lock:
            return sum(body.sent for body in self.bodies if body.number in numbers)

    def peak(self, account: str, category: str) -> int:
        """The most answers other than 429 of one category in one second of Zoom's clock."""
        with self._lock:
            seconds = Counter(
                int(entry.at.timestamp())
                for entry in self.entries
                if (entry.account, entry.category) == (account, category) and entry.status != 429
            )
        return max(seconds.values(), default=0)

    def as_json(self) -> dict[str, Any]:
        with self._lock:
            return {
                "entries": [{**asdict(one), "at": one.at.isoformat()} for one in self.entries],
                "bodies": [asdict(one) for one in self.bodies],
            }
