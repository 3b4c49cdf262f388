"""YouTube's quota of a project at Google: its days, what fits into one, what waits for another.

A project has 100 uploads a day, and 10,000 units for all other calls; both come back at midnight
of the Pacific: https://developers.google.com/youtube/v3/determine_quota_cost
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")
SPREAD = timedelta(minutes=10)
"""What waits for the same moment comes back within so long after it."""
GRACE = timedelta(minutes=15)
"""A refusal so soon after midnight may still be of the day before."""
LONGEST_FORECAST = 400  # days
VIDEO = "video"

_CLIENT_ID = re.compile(r"([0-9]+)[-.][^\s]*")
Dice = Callable[[float, float], float]


@dataclass(frozen=True)
class Limits:
    """What a project may do a day, or what is left of it; Google raises them on request."""

    inserts: int = 100
    units: int = 10_000

    def of(self, bucket: str) -> int:
        return self.inserts if bucket == "inserts" else self.units


@dataclass(frozen=True)
class Step:
    """Something to do beside a video, in units of the quota; priority 0 is served first."""

    kind: str
    units: int
    priority: int


def project_of(project_id: str | None, client_id: str | None) -> str | None:
    """The project whose quota an app spends; None where neither of its names tells.

    The number in front of a client id comes first: it is there whatever else a credential says,
    so that two credentials of one project are never counted apart.
    """
    found = _CLIENT_ID.fullmatch(client_id or "")
    return found.group(1) if found else project_id


def pacific_day(at: datetime) -> date:
    """The day of the quota that a moment (timezone-aware) is in."""
    return at.astimezone(PACIFIC).date()


def begin_of(day: date) -> datetime:
    """Midnight of the Pacific, in UTC; clocks there are moved at two, never at midnight."""
    return datetime.combine(day, time(), PACIFIC).astimezone(UTC)


def next_reset(at: datetime) -> datetime:
    """The moment (UTC) at which the quota comes back."""
    return begin_of(pacific_day(at) + timedelta(days=1))


def closed_until(refused_at: datetime) -> datetime:
    """How long a bucket is closed after Google itself refused at a moment."""
    grace_ends = begin_of(pacific_day(refused_at)) + GRACE
    return grace_ends if refused_at < grace_ends else next_reset(refused_at)


def back_at(opens: datetime, dice: Dice) -> datetime:
    """When one of many that wait for `opens` tries again; `dice` gives a number between two."""
    return opens + timedelta(seconds=dice(0.0, SPREAD.total_seconds()))


def kept_back(needs: Collection[tuple[Step, int]], priority: int) -> int:
    """The units that so many steps of higher priority still need."""
    return sum(step.units * count for step, count in needs if step.priority < priority)


def days_of(
    videos: int,
    pending: Mapping[Step, int],
    of_each_video: Sequence[Step],
    left: Limits,
    limits: Limits,
) -> dict[str, dict[int, int]]:
    """On which day (0 = today) how many of each kind fit, with nothing else to do meanwhile.

    `pending` are steps beside videos that are there; those of a video come after it. What fits into
    no day, or not within 400, is on none.
    """
    found: dict[str, dict[int, int]] = {VIDEO: {}}
    pool = dict.fromkeys(sorted({*pending, *of_each_video}, key=lambda step: step.priority), 0)
    pool |= pending
    for day in range(LONGEST_FORECAST):
        room = left if day == 0 else limits
        sent = max(0, min(videos, room.inserts))
        videos -= sent
        if sent:
            found[VIDEO][day] = sent
        for step in of_each_video:
            pool[step] += sent
        units = room.units
        for step in pool:
            done = max(0, min(pool[step], units // step.units))
            pool[step] -= done
            units -= done * step.units
            if done:
                found.setdefault(step.kind, {})[day] = done
        if not videos and not any(pool.values()):
            break
    return found
