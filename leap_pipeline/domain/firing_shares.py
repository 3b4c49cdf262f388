"""Who fires what: a job's own schedule or sensor in Dagster, or the dispatcher for all. Pure.

Dagster evaluates five to seven schedules or sensors a second on two cores, and its sensor loop
turns every five seconds. As long as there are few, each job's own clock fires it; what they cannot
manage in time, or do not know, is the dispatcher's. A firing is claimed before anything else
happens, so that both may reach for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

TURN_SECONDS = 5
# So many interval sensors are evaluated within a turn.
ON_EVERY_TURN = 8
SENSORS_A_SECOND = 2
FIRINGS_A_MINUTE = 200
# Their own clocks have looked at it by then, or will not for a while.
SENSOR_GRACE = timedelta(seconds=TURN_SECONDS + 2)
SCHEDULE_GRACE = timedelta(seconds=20)


@dataclass(frozen=True)
class Due:
    """A due time that nobody has claimed; `mirrored`: Dagster has a clock for the job."""

    job_id: int
    due_at: datetime
    interval: bool
    mirrored: bool = True


def sensor_seconds(intervals: int) -> int:
    """How often each of so many interval sensors looks, in seconds; 1 = on every turn."""
    if intervals <= ON_EVERY_TURN:
        return 1
    return max(TURN_SECONDS + 1, -(-intervals // SENSORS_A_SECOND))


def for_dispatcher(dues: Sequence[Due], now: datetime, intervals: int) -> list[Due]:
    """What the dispatcher takes now, the longest due first; the rest is left to their own clocks.

    `intervals` is how many interval sensors there are. Of the crontab jobs due in one minute the
    first `FIRINGS_A_MINUTE` by id are left to their schedules for a while.
    """
    on_every_turn = sensor_seconds(intervals) == 1
    left: Counter[datetime] = Counter()
    taken = []
    for due in sorted(dues, key=lambda each: (each.due_at, each.job_id)):
        if not due.mirrored:
            own_clock = False
        elif due.interval:
            own_clock = on_every_turn and now - due.due_at < SENSOR_GRACE
        else:
            left[due.due_at] += 1
            early = left[due.due_at] <= FIRINGS_A_MINUTE
            own_clock = early and now - due.due_at < SCHEDULE_GRACE
        if not own_clock:
            taken.append(due)
    return taken
