"""Zoom's rate limits: so many requests a second and category for a whole account, and a day's."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from tests.support.zoom.errors import Refused
from tests.support.zoom.faults import retry_after
from tests.support.zoom.world import Account

PER_SECOND: Mapping[str, Mapping[str, int]] = {
    "free": {"light": 4, "medium": 2, "heavy": 1},
    "pro": {"light": 30, "medium": 20, "heavy": 10},
    "business": {"light": 80, "medium": 60, "heavy": 40},
}
CATEGORIES = {"user": "medium", "account": "medium", "details": "light"}


@dataclass
class Rates:
    """Counts by account, category and second of Zoom's clock; refuses only where `enforced`."""

    enforced: bool
    _seconds: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    _days: dict[tuple[str, object], int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, account: Account, category: str, now: datetime) -> dict[str, str]:
        """Count a request; the headers of its answer, or Refused 429."""
        limit = PER_SECOND[account.plan][category]
        with self._lock:
            second, used = self._seconds.get((account.id, category), (0, 0))
            used = used if second == int(now.timestamp()) else 0
            today = self._days.get((account.id, now.date()), 0)
            headers = {
                "X-RateLimit-Category": category.capitalize(),
                "X-RateLimit-Type": "QPS",
                "X-RateLimit-Limit": str(limit),
                "X-RateLimit-Remaining": str(max(0, limit - used - 1)),
            }
            if account.daily_limit is not None and today >= account.daily_limit:
                midnight = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
                raise _too_many(which="daily", headers=headers | retry_after("iso", midnight, now))
            if self.enforced and used >= limit:
                reset = now.replace(microsecond=0) + timedelta(seconds=1)
                raise _too_many(
                    which="per-second", headers=headers | retry_after("reset", reset, now)
                )
            self._seconds[account.id, category] = (int(now.timestamp()), used + 1)
            self._days[account.id, now.date()] = today + 1
        return headers


def _too_many(*, which: str, headers: dict[str, str]) -> Refused:
    message = f"You have reached the maximum {which} rate limit for this API. Try again later."
    return Refused(429, 429, message, headers=headers)
