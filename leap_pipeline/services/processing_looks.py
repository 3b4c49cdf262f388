"""Looking at published videos until their platforms say that they can be watched, for three days.

What is due is claimed by moving its time forward (a lease). Accounts take turns, each in one thread
at a time; one that fails twice in a row is left alone for the rest of the tick. What settles a
matter is looked at once more, unless whoever reported it has said so by then:
`processing_rows.acknowledge`.

A platform may have shown a video so late that it was sent again: what was, is searched for at the
first look and after an hour, and two of it are for a person.
"""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.processing import (
    PROCESSED,
    PROCESSING,
    Judged,
    judge,
    rest,
    right_duration,
    searches_by,
)
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import LeapError, MustWaitError
from leap_pipeline.publishing.uploader import (
    Doubtful,
    Found,
    Processing,
    Upload,
    Uploader,
    Video,
)
from leap_pipeline.redaction import redact
from leap_pipeline.services.polling import GRACE_SECONDS, Task, Turns
from leap_pipeline.services.processing_rows import Look, due_looks, write

LEASE = timedelta(minutes=5)
ONCE_MORE = timedelta(minutes=10)
"""After which a settled matter is looked at again that nobody acknowledged."""
BROKEN_AFTER = 2  # errors in a row
WORKERS = 8
NOBODY = "Its account was deleted, so that nobody can ask about it."
logger = logging.getLogger(__name__)

UploaderOf = Callable[[str, int, Platform], Uploader]
"""The account of a user's credential at a platform; raises LeapErrors where it cannot be used."""


@dataclass(frozen=True)
class Outcome:
    """What became of a published video, for good; `looks` tells this outcome from a later one."""

    upload_id: int
    looks: int
    partition: str
    platform: Platform
    url: str
    state: str
    note: str | None
    sent_seconds: float | None
    there_seconds: float | None

    @property
    def processed(self) -> bool:
        return self.state == PROCESSED

    @property
    def right_duration(self) -> bool | None:
        """None where there is nothing to compare."""
        if not self.processed or self.sent_seconds is None:
            return None
        there = self.there_seconds
        return there is not None and right_duration(self.sent_seconds, there)


@dataclass
class LookReport:
    """What one tick did. `failed` gives the sentence by credential; `left` was due and not begun;
    `unfinished` are uploads whose platform had not answered by the end. `doubled` are those which
    their platform has more than once, and whose targets are held.
    """

    looked: list[int] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    failed: dict[int, str] = field(default_factory=dict)
    postponed: list[int] = field(default_factory=list)
    unfinished: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)
    left: int = 0


@dataclass
class _Account:
    """Used by one thread at a time."""

    uploader: Uploader | None = None
    failures: int = 0
    opens: datetime | None = None


@dataclass(frozen=True)
class _Told:
    """What a platform said of a video; `others` are addresses of the same one, as it was sent
    before, and `searches` says how often it was asked for them.
    """

    there: Processing
    searches: int
    others: Sequence[str] = ()


@dataclass
class _Tick:
    database: Database
    uploader_of: UploaderOf
    now: datetime
    report: LookReport = field(default_factory=LookReport)
    lock: threading.Lock = field(default_factory=threading.Lock)
    accounts: dict[int, _Account] = field(default_factory=dict)

    def task(self, look: Look) -> Task:
        account = self.accounts.setdefault(look.credential_id or 0, _Account())
        return Task(
            look.credential_id or 0, look.upload_id, look.due, partial(self.look, look, account)
        )

    def look(self, look: Look, account: _Account) -> None:
        """Ask for one video, if nobody else does and its account answers."""
        if look.credential_id is None:
            self._settle(look, Judged(PROCESSING, NOBODY, None), look.due)
            return
        if account.failures >= BROKEN_AFTER:
            self._postpone(look, look.due, account, None)
            return
        lease = self.now + LEASE
        if not write(self.database, look, look.due, next_look_at=lease):
            return
        try:
            told = self._ask(look, look.credential_id, account)
        except MustWaitError as wait:
            account.failures, account.opens = BROKEN_AFTER, wait.due_at
            self._postpone(look, lease, account, str(wait))
        except LeapError as error:
            account.failures += 1
            self._postpone(look, lease, account, str(error))
        except Exception as error:  # a bug over one video: told, and the others go on
            logger.exception("Upload %s", look.upload_id)
            account.failures += 1
            self._postpone(look, lease, account, redact(f"{type(error).__name__}: {error}"))
        else:
            account.failures = 0
            age, there = self.now - look.uploaded_at, told.there
            judged = judge(there.state, there.seconds, there.reason, age, sent=look.seconds)
            self._settle(look, judged, lease, told)

    def _ask(self, look: Look, credential_id: int, account: _Account) -> _Told:
        if account.uploader is None:
            account.uploader = self.uploader_of(look.user_id, credential_id, look.platform)
        there = account.uploader.processing(look.video)
        wanted = searches_by(self.now - look.uploaded_at)
        if look.resent is None or look.searches >= wanted:
            return _Told(there, look.searches)
        return _Told(there, wanted, _others(account.uploader, look.resent, look.video))

    def _settle(
        self, look: Look, judged: Judged, lease: datetime, told: _Told | None = None
    ) -> None:
        gap = ONCE_MORE if judged.gap is None else judged.gap
        others = () if told is None else told.others
        written = write(
            self.database,
            look,
            lease,
            others=others,
            processing=judged.state,
            processing_note=judged.note,
            looks=look.looks + 1,
            searches=look.searches if told is None else told.searches,
            next_look_at=self.now + gap,
        )
        if not written:
            return
        with self.lock:
            self.report.looked.append(look.upload_id)
            if others:
                self.report.doubled.append(look.upload_id)
            if judged.gap is None:
                seconds = None if told is None else told.there.seconds
                self.report.outcomes.append(_outcome(look, judged, seconds))

    def _postpone(
        self, look: Look, lease: datetime, account: _Account, sentence: str | None
    ) -> None:
        """Not asked, or not answered; without a sentence of its own its account's is known."""
        due = self.now + rest(self.now - look.uploaded_at)
        if account.opens is not None:
            due = max(due, account.opens)
        values = {} if sentence is None else {"processing_note": sentence}
        write(self.database, look, lease, next_look_at=due, **values)
        with self.lock:
            self.report.postponed.append(look.upload_id)
            if sentence is not None:
                self.report.failed[look.credential_id or 0] = sentence


def look_due(
    database: Database,
    uploader_of: UploaderOf,
    *,
    now: datetime,
    deadline: float,
    workers: int = WORKERS,
) -> LookReport:
    """Look at what is due until `deadline` (of `time.monotonic`).

    A platform that has not answered by then goes on in its thread, and what it says is written;
    until its lease ends nobody asks about that video again.
    """
    tick = _Tick(database, uploader_of, now)
    turns = Turns([tick.task(look) for look in due_looks(database, now)], 1, deadline)

    def work() -> None:
        while (task := turns.take()) is not None:
            try:
                task.run()
            except Exception as error:  # the database is gone, or a bug: told, and gone on
                logger.exception("Looking at upload %s", task.source_id)
                with tick.lock:
                    tick.report.failed[task.account] = redact(f"{type(error).__name__}: {error}")
            finally:
                turns.give_back(task)

    count = min(workers, len(tick.accounts))
    threads = [threading.Thread(target=work, name=f"look-{n}", daemon=True) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline + GRACE_SECONDS - time.monotonic()))
    running, left = turns.state()
    with tick.lock:
        tick.report.unfinished = [task.source_id for task in running]
        tick.report.left = left
        return copy.deepcopy(tick.report)  # what is unfinished goes on writing in its own


def _others(uploader: Uploader, resent: Upload, video: Video) -> Sequence[str]:
    """Addresses of what is this video as well. Where another account is asked it tells of none."""
    found: Sequence[str] = ()
    verdict = uploader.search(resent)
    if isinstance(verdict, Found):
        found = [verdict.video.url]
    elif isinstance(verdict, Doubtful):
        found = verdict.facts.get("videos", ())
    return [each for each in found if video.video_id not in each]


def _outcome(look: Look, judged: Judged, seconds: float | None) -> Outcome:
    return Outcome(
        upload_id=look.upload_id,
        looks=look.looks + 1,
        partition=look.partition,
        platform=look.platform,
        url=look.video.url,
        state=judged.state,
        note=judged.note,
        sent_seconds=look.seconds,
        there_seconds=seconds,
    )
