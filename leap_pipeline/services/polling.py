"""One bounded poll: the sources that are due, and what a source still prepares.

What is due is claimed by moving its time forward (a lease), so that several may poll at once, and
what a dead poller claimed comes up again. Zoom accounts take turns, each with a part of the
workers at most: one that is slow, or has a thousand sources, holds up nobody else.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import or_, select, update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.shapes.sources import SyncCounts
from leap_pipeline.errors import LeapError, MustWaitError
from leap_pipeline.redaction import redact
from leap_pipeline.services.looking import Look, claim_look, due_looks, look_again
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_sources import ZOOM
from leap_pipeline.services.zoom_sync import sync_source
from leap_pipeline.settings import Settings

LEASE = timedelta(minutes=5)
GRACE_SECONDS = 2.0
MOST_SOURCES = 5000
logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass
class PollReport:
    """What one poll did. `failed` gives the sentence by source, `unfinished` names the sources
    that still answer slowly, `left` is how much was due and not begun; `partitions` are new.
    """

    polled: list[int] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    waiting: dict[int, str] = field(default_factory=dict)
    looked: list[int] = field(default_factory=list)
    given_up: list[int] = field(default_factory=list)
    unfinished: list[int] = field(default_factory=list)
    left: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    partitions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Task:
    """Something due at a Zoom account, named by its credential."""

    account: int
    source_id: int
    due: datetime | None
    run: Callable[[], None]


@dataclass
class _Poll:
    database: Database
    accounts: ZoomAccounts
    now: datetime
    settings: Settings
    deadline: float
    report: PollReport = field(default_factory=PollReport)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def source(self, source_id: int, due: datetime | None) -> None:
        """Sync one source, if nobody else does."""
        if not self._claim_source(source_id, due):
            return
        created: list[str] = []

        def sync() -> SyncCounts:
            return sync_source(
                self.database,
                self.accounts,
                source_id,
                now=self.now,
                settings=self.settings,
                until=self.deadline,
                created=created,
            )

        counts = self._guarded(source_id, sync)
        with self.lock:
            self.report.partitions += created
            if counts is not None:
                self.report.polled.append(source_id)
                self.report.counts.update(counts.model_dump())

    def look(self, look: Look) -> None:
        """Look once more at what a source prepares."""
        if not claim_look(self.database, look, self.now + LEASE):
            return
        created: list[str] = []

        def again() -> bool:
            return look_again(
                self.database,
                self.accounts,
                look,
                now=self.now,
                settings=self.settings,
                created=created,
            )

        given_up = self._guarded(look.source_id or 0, again)
        with self.lock:
            self.report.partitions += created
            self.report.looked.append(look.recording_id)
            if given_up:
                self.report.given_up.append(look.recording_id)

    def _guarded(self, source_id: int, act: Callable[[], T]) -> T | None:
        """Nothing that one source does ends the poll of the others."""
        try:
            return act()
        except MustWaitError as error:
            with self.lock:
                self.report.waiting[source_id] = str(error)
        except LeapError as error:
            with self.lock:
                self.report.failed[source_id] = str(error)
        except Exception as error:  # a bug over one source: told, and the others go on
            logger.exception("Source %s", source_id)
            with self.lock:
                self.report.failed[source_id] = redact(f"{type(error).__name__}: {error}")
        return None

    def _claim_source(self, source_id: int, due: datetime | None) -> bool:
        with self.database.system() as session:
            claimed = session.execute(
                update(InputSource)
                .where(
                    InputSource.id == source_id,
                    InputSource.is_active.is_(True),
                    InputSource.next_poll_at.is_not_distinct_from(due),
                )
                .values(next_poll_at=self.now + LEASE)
                .returning(InputSource.id)
                .execution_options(synchronize_session=False)
            ).all()
        return bool(claimed)


class Turns:
    """Tasks handed out to workers: account by account, in each the oldest first.

    At most `most` of an account are out at once.
    """

    def __init__(self, tasks: Iterable[Task], most: int, deadline: float) -> None:
        self._most = most
        self._deadline = deadline
        self._tasks: defaultdict[int, deque[Task]] = defaultdict(deque)
        for task in tasks:
            self._tasks[task.account].append(task)
        self._ready = deque(self._tasks)
        self._changed = threading.Condition()
        self._running: list[Task] = []

    def take(self) -> Task | None:
        """The next task, waiting for a turn; None where the time is over or nothing is left."""
        with self._changed:
            while not self._ready:
                patience = self._deadline - time.monotonic()
                if patience <= 0 or not any(self._tasks.values()):
                    return None
                self._changed.wait(patience)
            if time.monotonic() >= self._deadline:
                return None
            account = self._ready.popleft()
            task = self._tasks[account].popleft()
            self._running.append(task)
            if self._tasks[account] and self._out(account) < self._most:
                self._ready.append(account)
            return task

    def give_back(self, task: Task) -> None:
        with self._changed:
            was_full = self._out(task.account) == self._most
            self._running.remove(task)
            if was_full and self._tasks[task.account]:
                self._ready.append(task.account)
            self._changed.notify_all()

    def state(self) -> tuple[list[Task], int]:
        """The tasks that are out, and how many were never begun."""
        with self._changed:
            return list(self._running), sum(map(len, self._tasks.values()))

    def _out(self, account: int) -> int:
        return sum(task.account == account for task in self._running)


def poll_due(
    database: Database,
    accounts: ZoomAccounts,
    *,
    now: datetime,
    settings: Settings,
    deadline: float,
) -> PollReport:
    """Poll what is due until `deadline` (of `time.monotonic`).

    A source that has not answered by then goes on in its thread, and writes what it finds; until
    its lease ends nobody begins with it again.
    """
    poll = _Poll(database, accounts, now, settings, deadline)
    turns = Turns(_due(poll), max(1, settings.poll_workers // 4), deadline)

    def work() -> None:
        while (task := turns.take()) is not None:
            try:
                task.run()
            except Exception as error:  # the database is gone, or a bug: told, and gone on
                logger.exception("Polling source %s", task.source_id)
                with poll.lock:
                    poll.report.failed[task.source_id] = redact(f"{type(error).__name__}: {error}")
            finally:
                turns.give_back(task)

    count = min(settings.poll_workers, turns.state()[1])
    workers = [threading.Thread(target=work, name=f"poll-{n}", daemon=True) for n in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(0.0, deadline + GRACE_SECONDS - time.monotonic()))
    running, left = turns.state()
    with poll.lock:
        poll.report.unfinished = [task.source_id for task in running]
        poll.report.left = left
        return poll.report


def _due(poll: _Poll) -> list[Task]:
    """What is due, oldest first; never polled comes before all."""
    tasks = [
        Task(credential or 0, source_id, due, partial(poll.source, source_id, due))
        for source_id, credential, due in _due_sources(poll)
    ]
    tasks += [
        Task(look.credential_id or 0, look.source_id or 0, look.due, partial(poll.look, look))
        for look in due_looks(poll.database, poll.now)
    ]
    return sorted(tasks, key=lambda task: (task.due is not None, task.due or poll.now))


def _due_sources(poll: _Poll) -> list[tuple[int, int | None, datetime | None]]:
    with poll.database.system() as session:
        rows = session.execute(
            select(InputSource.id, InputSource.credential_id, InputSource.next_poll_at)
            .join(User, User.id == InputSource.user_id)
            .where(
                InputSource.source_type == ZOOM,
                InputSource.is_active.is_(True),
                User.is_active.is_(True),
                or_(InputSource.next_poll_at.is_(None), InputSource.next_poll_at <= poll.now),
            )
            .order_by(InputSource.next_poll_at.asc().nulls_first(), InputSource.id)
            .limit(MOST_SOURCES)
        ).all()
    return [(row.id, row.credential_id, row.next_poll_at) for row in rows]
