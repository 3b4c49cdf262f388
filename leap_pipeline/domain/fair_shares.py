"""Who gets the free slots: max-min fair shares, what each already holds counted.

Slots are given one by one, each to whoever holds fewest of those that still want one. So nobody
gets a second while another, who may have one, holds none. A slot once given is not taken back.
https://en.wikipedia.org/wiki/Max-min_fairness
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

_NEVER = datetime.min.replace(tzinfo=UTC)
_NOW = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Claimant:
    """One user: slots held, pieces of work that wait, and the most slots at once (None = any).

    `waits_since` is when the oldest of the work began to wait, `last_served` when the user last
    got a slot (None = never); both timezone-aware.
    """

    user_id: str
    running: int
    queued: int
    limit: int | None
    waits_since: datetime | None = None
    last_served: datetime | None = None

    @property
    def wanted(self) -> int:
        """How many more slots the user could use and may have."""
        room = self.queued if self.limit is None else min(self.queued, self.limit - self.running)
        return max(room, 0)


def fair_shares(claimants: Iterable[Claimant], free: int) -> dict[str, int]:
    """How many of `free` slots each user gets now; users that get none are in it with 0.

    Among users who hold as many, the one who was served longest ago comes first, then the one who
    waits longest.
    """
    everyone = list(claimants)
    shares = {each.user_id: 0 for each in everyone}
    heap = [_turn(each, 0) for each in everyone if each.wanted]
    heapq.heapify(heap)
    wanted = {each.user_id: each for each in everyone}
    while heap and free > 0:
        user_id = heapq.heappop(heap)[-1]
        shares[user_id] += 1
        free -= 1
        claimant = wanted[user_id]
        if shares[user_id] < claimant.wanted:
            heapq.heappush(heap, _turn(claimant, shares[user_id]))
    return shares


def _turn(claimant: Claimant, given: int) -> tuple[int, datetime, datetime, str]:
    """What is smallest is served next; the user's id makes the order one and the same."""
    return (
        claimant.running + given,
        _NOW if given else claimant.last_served or _NEVER,
        claimant.waits_since or _NOW,
        claimant.user_id,
    )
