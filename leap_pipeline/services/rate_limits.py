"""How fast an outside account may be asked, for all processes and machines together.

The generic cell rate algorithm with a burst of one: a request reserves the next free instant of its
bucket, a row, and waits until then, so that no second of any length of work holds more requests
than the rate. A burst of b would let b more into one second, which is what Zoom refuses.

Only the database's clock is asked, and it answers in seconds to wait: clocks of machines may differ
as they like.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import delete, func, text
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import RateBucket
from leap_pipeline.errors import MustWaitError
from leap_pipeline.publishing.vk.limits import PER_SECOND as VK_PER_SECOND
from leap_pipeline.sources.zoom.limits import Category, rate_per_second

LONGEST_WAIT = timedelta(seconds=60)
# A daily limit ends within a day; a service that says later is not believed.
LONGEST_BLOCK = timedelta(hours=25)
# So long a reservation sleeps without a look at whether the bucket was blocked meanwhile.
SHORT_SECONDS = 0.25
LONGEST_KEY = 255
KEPT = timedelta(days=30)

# A row that is further ahead than any reservation gets is from a clock that was set back since.
# Evaluated under the row's lock, and once more as `clock_timestamp()` moves on, never earlier.
_FREE_AT = """
    greatest(
        clock_timestamp(),
        coalesce(bucket.blocked_until, '-infinity'),
        CASE WHEN bucket.next_free_at <= clock_timestamp() + make_interval(secs => :believed)
             THEN bucket.next_free_at ELSE '-infinity' END)
"""
RESERVE = text(f"""
    INSERT INTO rate_buckets AS bucket (key, next_free_at)
    VALUES (:key, clock_timestamp() + make_interval(secs => :spacing))
    ON CONFLICT (key) DO UPDATE
    SET next_free_at = {_FREE_AT} + make_interval(secs => :spacing)
    WHERE {_FREE_AT} <= clock_timestamp() + make_interval(secs => :ahead)
    RETURNING next_free_at - make_interval(secs => :spacing) AS reserved,
        extract(epoch FROM next_free_at - clock_timestamp()) - :spacing AS seconds
""")  # noqa: S608 - put together from constants
AHEAD = text(f"""
    SELECT extract(epoch FROM {_FREE_AT} - clock_timestamp()) FROM rate_buckets AS bucket
    WHERE key = :key
""")  # noqa: S608 - put together from constants
BLOCKED = text("""
    SELECT coalesce(blocked_until > clock_timestamp(), false) FROM rate_buckets WHERE key = :key
""")
BLOCK = text("""
    INSERT INTO rate_buckets AS bucket (key, next_free_at, blocked_until)
    VALUES (:key, clock_timestamp(), clock_timestamp() + make_interval(secs => :seconds))
    ON CONFLICT (key) DO UPDATE
    SET blocked_until = greatest(bucket.blocked_until, excluded.blocked_until)
""")


@dataclass(frozen=True)
class Reserved:
    """The instant of one request, by the database's clock, and how far off it is."""

    at: datetime
    seconds: float


class Bucket:
    """Lets requests of one kind to one account through at a rate. Safe to share.

    `key` names them; `service` is what sentences call the service, `what` the requests.
    """

    def __init__(
        self,
        database: Database,
        key: str,
        rate: int,
        *,
        service: str,
        what: str = "requests",
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._key = key if len(key) <= LONGEST_KEY else hashlib.sha256(key.encode()).hexdigest()
        self._spacing = _spacing(rate)
        self._said = f"{service} takes no more {what} of this account"
        self._sleep = sleep
        self._clock = clock

    def wait(self) -> None:
        """Return when the next request may go out.

        Raises MustWaitError where that is more than 60 s ahead; nothing is reserved then.
        """
        patience = LONGEST_WAIT.total_seconds()
        while True:
            found = self.reserve(patience)
            if found.seconds > 0:
                self._sleep(found.seconds)
            if found.seconds <= SHORT_SECONDS or not self._is_blocked():
                return
            patience -= found.seconds

    def reserve(self, ahead: float = LONGEST_WAIT.total_seconds()) -> Reserved:
        """Take the next free instant, at most `ahead` seconds from now; do not wait for it."""
        values = {
            "key": self._key,
            "spacing": self._spacing,
            "ahead": max(0.0, ahead),
            "believed": LONGEST_WAIT.total_seconds() + 2,  # a spacing is a second at most
        }
        with self._database.system() as session:
            row = session.execute(RESERVE, values).one_or_none()
            if row is not None:
                return Reserved(row.reserved, max(0.0, float(row.seconds)))
            seconds = float(session.execute(AHEAD, values).scalar_one())
        due_at = self._clock() + timedelta(seconds=seconds)
        msg = f"{self._said} for {math.ceil(seconds)} s."
        raise MustWaitError(msg, due_at)

    def block(self, until: datetime) -> None:
        """Let nobody through before `until`, which is by the clock of this process."""
        ahead = min(until - self._clock(), LONGEST_BLOCK)
        values = {"key": self._key, "seconds": max(0.0, ahead.total_seconds())}
        with self._database.system() as session:
            session.execute(BLOCK, values)

    def _is_blocked(self) -> bool:
        with self._database.system() as session:
            return bool(session.scalar(BLOCKED, {"key": self._key}))


class SharedGate:
    """Lets requests to one Zoom account through at the rate of its plan. Safe to share.

    `key` names the account; each category of requests has a bucket of its own under it.
    """

    def __init__(
        self,
        database: Database,
        key: str,
        plan: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if len(key) + len(":medium") > LONGEST_KEY:
            key = hashlib.sha256(key.encode()).hexdigest()
        self._of = partial(_zoom_bucket, database, key, plan, sleep, clock)

    def wait(self, category: Category) -> None:
        """As that of a Bucket."""
        self._of(category).wait()

    def reserve(self, category: Category, ahead: float = LONGEST_WAIT.total_seconds()) -> Reserved:
        """As that of a Bucket."""
        return self._of(category).reserve(ahead)

    def block(self, category: Category, until: datetime) -> None:
        """As that of a Bucket."""
        self._of(category).block(until)


def _zoom_bucket(
    database: Database,
    key: str,
    plan: str,
    sleep: Callable[[float], None],
    clock: Callable[[], datetime],
    category: Category,
) -> Bucket:
    return Bucket(
        database,
        f"{key}:{category}",
        rate_per_second(plan, category),
        service="Zoom",
        what=f"{category} requests",
        sleep=sleep,
        clock=clock,
    )


def vk_bucket(
    database: Database,
    token: str,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Bucket:
    """Three requests a second for one user's token, over all workers; `token` names it."""
    return Bucket(database, f"vk:{token}", VK_PER_SECOND, service="VK", sleep=sleep, clock=clock)


def sweep_buckets(session: Session) -> int:
    """Delete buckets that nobody has used for 30 days; returns how many."""
    return len(
        session.scalars(
            delete(RateBucket)
            .where(RateBucket.updated_at < func.now() - KEPT)
            .returning(RateBucket.id)
        ).all()
    )


def _spacing(rate: int) -> float:
    """Seconds between two requests, in whole microseconds and never one too short."""
    return math.ceil(1_000_000 / rate) / 1_000_000
