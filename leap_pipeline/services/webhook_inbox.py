"""What is done about events that arrived: the meeting of each is read again, source by source.

An event is leased, one at a time, by moving its `due_at`: who is killed meanwhile loses nothing, it
is due again after the lease. A webhook is a hint and polling is the truth, so what fails 8 times is
left to the next poll of its source, which is then due at once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import WebhookEvent
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.errors import LeapError, MustWaitError, TransientError, UserActionError
from leap_pipeline.redaction import redact
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.webhook_sources import ConcernedSources
from leap_pipeline.services.webhooks import ZOOM

logger = logging.getLogger(__name__)

# Longer than one meeting can take to be read, with all that the client waits for.
LEASE = timedelta(minutes=5)
ATTEMPTS = 8
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)
WORKERS = 4
# A worker that is just reading a meeting is waited for so long; then it ends by itself.
STRAGGLER_SECONDS = 20.0
KEPT = timedelta(days=7)
LATE = timedelta(minutes=10)

SyncMeeting = Callable[[int, str], Iterable[str]]
"""Reads one meeting (source id, UUID) into the catalogue: the partitions of new recordings. Raises
a LeapError.
"""


@dataclass
class Drained:
    """The events of one pass, by id: done, to be tried again, and given up; what is new by them."""

    partitions: list[str] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    again: list[int] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)


@dataclass
class _Failures:
    """Why sources could not be read; one that fails for its own reasons is not asked again."""

    of_source: dict[int, LeapError] = field(default_factory=dict)


class Inbox:
    """The events of Zoom that wait. Safe to share."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        sync: SyncMeeting,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._concerned = ConcernedSources(database, vault)
        self._sync = sync
        self._clock = clock

    def has_due(self) -> bool:
        """Is there anything to do? One statement, by an index."""
        with self._database.system() as session:
            due = select(WebhookEvent.id).where(*_due(self._clock())).limit(1)
            return session.scalar(due) is not None

    def drain(self, deadline: float) -> Drained:
        """Work until nothing is due or `deadline` (time.monotonic()) is over."""
        report, failing = Drained(), _Failures()

        def work() -> None:
            try:
                while time.monotonic() < deadline and self.take_one(report, failing):
                    pass
            except LeapError as error:  # the database is away: leases end by themselves
                logger.warning("The inbox is left for now: %s", error)

        workers = [
            threading.Thread(target=work, name=f"inbox-{number}", daemon=True)
            for number in range(WORKERS)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(max(0.0, deadline + STRAGGLER_SECONDS - time.monotonic()))
        return report

    def take_one(self, report: Drained, failing: _Failures) -> bool:
        """Lease the event that is due first, and do what it asks for; False where none is."""
        event = self._claim()
        if event is None:
            return False
        found = self._concerned.of(event)
        sure = [each for each, certain in found if certain]
        doubtful = [each for each, certain in found if not certain]
        if event.attempts > ATTEMPTS:
            self._finish(event, f"Whoever read it died {ATTEMPTS} times.", sure + doubtful)
            report.given_up.append(event.id)
            return True
        failures = self._read(event, sure, report, failing)
        if not failures:
            self._finish(event, None if found else "No source reads this account.", doubtful)
            report.done.append(event.id)
        elif all(isinstance(each, UserActionError) for each in failures.values()):
            self._finish(event, _told(failures), doubtful)  # nothing changes until a person acts
            report.given_up.append(event.id)
        elif event.attempts >= ATTEMPTS:
            self._finish(event, _told(failures), [*failures, *doubtful])
            report.given_up.append(event.id)
        else:
            self._put_back(event, failures)
            report.again.append(event.id)
        return True

    def _claim(self) -> Row[Any] | None:
        now = self._clock()
        first = (
            select(WebhookEvent.id)
            .where(*_due(now))
            .order_by(WebhookEvent.due_at, WebhookEvent.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .scalar_subquery()
        )
        statement = (
            update(WebhookEvent)
            .where(WebhookEvent.id == first)
            .values(attempts=WebhookEvent.attempts + 1, due_at=now + LEASE)
            .returning(*WebhookEvent.__table__.columns)
        )
        with self._database.system() as session:
            return session.execute(statement).one_or_none()

    def _read(
        self, event: Row[Any], sources: list[int], report: Drained, failing: _Failures
    ) -> dict[int, LeapError]:
        failures: dict[int, LeapError] = {}
        for source_id in sources:
            error = failing.of_source.get(source_id)
            error = error or self._sync_one(source_id, event.subject, report)
            if error is not None:
                failures[source_id] = error
            if isinstance(error, TransientError | MustWaitError):
                failing.of_source[source_id] = error
        return failures

    def _sync_one(self, source_id: int, meeting: str, report: Drained) -> LeapError | None:
        try:
            report.partitions += self._sync(source_id, meeting)
        except LeapError as error:
            return error
        except Exception as error:  # a bug over one event: the others are read all the same
            logger.exception("Source %s, told of a meeting, failed unexpectedly", source_id)
            return LeapError(f"Unexpected {type(error).__name__}: {error}")
        return None

    def _put_back(self, event: Row[Any], failures: dict[int, LeapError]) -> None:
        waits = [each.due_at for each in failures.values() if isinstance(each, MustWaitError)]
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (event.attempts - 1))
        due_at = max([self._clock() + pause, *waits])
        self._write(event, [], due_at=due_at, error=_told(failures))

    def _finish(self, event: Row[Any], error: str | None, poll: list[int]) -> None:
        self._write(event, poll, finished_at=self._clock(), error=error)

    def _write(self, event: Row[Any], poll: list[int], **values: Any) -> None:
        """Unless another worker has taken the event over since."""
        mine = (WebhookEvent.id == event.id, WebhookEvent.attempts == event.attempts)
        with self._database.system() as session:
            session.execute(update(WebhookEvent).where(*mine).values(**values))
            if poll:
                now = self._clock()
                session.execute(
                    update(InputSource)
                    .where(InputSource.id.in_(poll))
                    .values(next_poll_at=func.least(InputSource.next_poll_at, now))
                )


def late_events(database: Database, now: datetime) -> int:
    """How many events are due for over 10 minutes."""
    with database.system() as session:
        late = select(func.count(WebhookEvent.id)).where(*_due(now - LATE))
        return session.scalar(late) or 0


def sweep_inbox(session: Session) -> int:
    """Delete what was finished over 7 days ago; returns how many."""
    return len(
        session.scalars(
            delete(WebhookEvent)
            .where(WebhookEvent.finished_at < func.now() - KEPT)
            .returning(WebhookEvent.id)
        ).all()
    )


def _due(now: datetime) -> tuple[Any, ...]:
    return (
        WebhookEvent.finished_at.is_(None),
        WebhookEvent.due_at <= now,
        WebhookEvent.provider == ZOOM,
    )


def _told(failures: dict[int, LeapError]) -> str:
    return redact("; ".join(f"source {number}: {error}" for number, error in failures.items()))
