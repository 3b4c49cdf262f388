"""Is anything stuck, or broken without saying so? And what has failed, and what is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from leap_pipeline.db.models.automation import AutomationFiring
from leap_pipeline.db.models.inbox import WebhookEvent
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.runs import RecordingHold, RecordingRun
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.domain.states import Phase, Platform, RecordingStatus, RunState
from leap_pipeline.services.concurrency import concurrency_limits
from leap_pipeline.services.liveness import living, lock_class

NAMED = 5
REASONS = 20
OVERDUE = timedelta(minutes=5)
DEAD_FOR = timedelta(minutes=2)
UNBEGUN = timedelta(minutes=10)
UNPOLLED = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(hours=25)
"""A source gets 24 hours to prepare a recording, and the look that gives it up an hour more."""
RECENT = timedelta(days=1)
SOURCE_FAILURES = 5


@dataclass(frozen=True)
class Finding:
    """Something that does not go on as it should: how many, and which (the first of them)."""

    name: str
    count: int
    sentence: str


@dataclass(frozen=True)
class Health:
    """`failed`: (stage, reason, recordings), most frequent first; `holds`: kind → how many live."""

    findings: tuple[Finding, ...]
    failed: tuple[tuple[str, str, int], ...]
    holds: dict[str, int]

    @property
    def sound(self) -> bool:
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        return {
            "sound": self.sound,
            "findings": [vars(each) for each in self.findings],
            "failed": [
                {"stage": stage, "reason": reason, "recordings": count}
                for stage, reason, count in self.failed
            ],
            "holds": self.holds,
        }


def look(session: Session, now: datetime) -> Health:
    """A fixed number of statements, whatever there is; for a transaction of the system."""
    findings = [found for check in CHECKS if (found := check(session, now)) is not None]
    return Health(tuple(findings), _failed(session), _holds(session))


def _waiting(session: Session, now: datetime) -> Finding | None:
    run = RecordingRun
    return _of(
        session,
        "overdue",
        "waiting runs are overdue and nobody wakes them: is the sensor reconcile running? Runs",
        run.id,
        (run.state == RunState.WAITING, run.due_at < now - OVERDUE),
    )


def _dead(session: Session, now: datetime) -> Finding | None:
    rows = session.execute(
        select(
            RecordingRun.id,
            RecordingRun.phase,
            RecordingRun.target_type,
            RecordingRun.recording_id,
        )
        .where(RecordingRun.state == RunState.RUNNING, RecordingRun.updated_at < now - DEAD_FOR)
        .order_by(RecordingRun.id)
    ).all()
    if not rows:
        return None
    alive = living(session)
    dead = [
        run_id
        for run_id, phase, target, recording_id in rows
        if (lock_class(Phase(phase), Platform(target) if target else None), recording_id)
        not in alive
    ]
    said = "runs have no living worker and nobody puts them back: is reconcile running? Runs"
    return _finding("dead", len(dead), said, dead[:NAMED])


def _not_launched(session: Session, now: datetime) -> Finding | None:
    """Users of whom nothing runs or stands in Dagster's queue, though something waits for long."""
    unasked = (RecordingRun.state == RunState.QUEUED) & RecordingRun.requested_at.is_(None)
    since = func.min(RecordingRun.updated_at).filter(unasked)
    users = session.scalars(
        select(RecordingRun.user_id)
        .where(RecordingRun.state.in_([str(RunState.QUEUED), str(RunState.RUNNING)]))
        .group_by(RecordingRun.user_id)
        .having(func.count().filter(~unasked) == 0, since < now - UNBEGUN)
        .order_by(since)
    ).all()
    limits = concurrency_limits(session, users, now) if users else {}
    stuck = [user for user in users if limits[user] != 0]
    said = "users' queued runs are not launched: is the sensor launch running? Users"
    return _finding("not launched", len(stuck), said, stuck[:NAMED])


def _stands_still(session: Session, now: datetime) -> Finding | None:
    run = RecordingRun
    running = session.scalar(select(run.id).where(run.state == RunState.RUNNING).limit(1))
    if running is not None:
        return None
    return _of(
        session,
        "queue stands still",
        "runs stand in Dagster's queue and none is begun: is its daemon running? Runs",
        run.id,
        (
            run.state == RunState.QUEUED,
            run.requested_at.is_not(None),
            run.created_at < now - UNBEGUN,
        ),
    )


def _pending_source(session: Session, now: datetime) -> Finding | None:
    return _of(
        session,
        "source never ready",
        "recordings are still awaited at their source after a day and not given up. Recordings",
        Recording.id,
        (
            Recording.status == RecordingStatus.PENDING_SOURCE,
            Recording.deleted.is_not(True),
            Recording.created_at < now - GIVEN_UP_AFTER,
        ),
    )


def _not_looked_at(session: Session, now: datetime) -> Finding | None:
    return _of(
        session,
        "not looked at",
        "recordings should have been looked for at their source an hour ago. Recordings",
        Recording.id,
        (Recording.next_look_at < now - UNPOLLED, Recording.deleted.is_not(True)),
    )


def _failing_sources(session: Session, now: datetime) -> Finding | None:  # noqa: ARG001
    source = InputSource
    return _of(
        session,
        "failing sources",
        f"sources have failed {SOURCE_FAILURES} times in a row or more: see why with "
        "`leap source list`. Sources",
        source.id,
        (source.is_active.is_(True), source.failures >= SOURCE_FAILURES),
    )


def _unpolled_sources(session: Session, now: datetime) -> Finding | None:
    source = InputSource
    return _of(
        session,
        "sources not polled",
        "sources should have been polled an hour ago: is the sensor zoom_poll running? Sources",
        source.id,
        (source.is_active.is_(True), source.next_poll_at < now - UNPOLLED),
    )


def _inbox(session: Session, now: datetime) -> Finding | None:
    event = WebhookEvent
    given_up = event.finished_at.is_not(None) & event.error.is_not(None)
    late = event.finished_at.is_(None) & (event.due_at < now - UNBEGUN)
    return _of(
        session,
        "webhooks",
        "webhooks of the last day were given up or are not taken up. Events",
        event.id,
        (event.received_at > now - RECENT, given_up | late),
    )


def _firings(session: Session, now: datetime) -> Finding | None:
    firing = AutomationFiring
    return _of(
        session,
        "firings not begun",
        "firings of automation jobs were claimed and have not begun. Firings",
        firing.id,
        (firing.state == "claimed", firing.updated_at < now - UNBEGUN),
    )


CHECKS: tuple[Callable[[Session, datetime], Finding | None], ...] = (
    _waiting,
    _dead,
    _not_launched,
    _stands_still,
    _pending_source,
    _not_looked_at,
    _failing_sources,
    _unpolled_sources,
    _inbox,
    _firings,
)


def _of(
    session: Session,
    name: str,
    said: str,
    key: InstrumentedAttribute[int],
    where: tuple[ColumnElement[bool], ...],
) -> Finding | None:
    """What the conditions find: the count and the first keys, in one statement."""
    rows = session.execute(
        select(key, func.count().over()).where(*where).order_by(key).limit(NAMED)
    ).all()
    return _finding(name, rows[0][1], said, [row[0] for row in rows]) if rows else None


def _finding(name: str, count: int, said: str, keys: list[Any]) -> Finding | None:
    if not count:
        return None
    more = " …" if count > len(keys) else ""
    return Finding(name, count, f"{count} {said}: {', '.join(map(str, keys))}{more}")


def _failed(session: Session) -> tuple[tuple[str, str, int], ...]:
    stage, reason = Recording.failed_at_stage, func.left(Recording.failed_reason, 200)
    statement = (
        select(func.coalesce(stage, ""), func.coalesce(reason, ""), func.count())
        .where(Recording.failed.is_(True), Recording.deleted.is_not(True))
        .group_by(stage, reason)
        .order_by(func.count().desc(), stage, reason)
        .limit(REASONS)
    )
    return tuple((row[0], row[1], row[2]) for row in session.execute(statement))


def _holds(session: Session) -> dict[str, int]:
    rows = session.execute(
        select(RecordingHold.kind, func.count())
        .where(RecordingHold.released_at.is_(None))
        .group_by(RecordingHold.kind)
        .order_by(RecordingHold.kind)
    )
    return {row[0]: row[1] for row in rows}
