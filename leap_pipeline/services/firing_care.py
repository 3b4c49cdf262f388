"""Firings whose runs are gone, and those of long ago."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from leap_pipeline.db.models.automation import AutomationFiring
from leap_pipeline.services.automation_rows import (
    FAILED,
    LIVE,
    FiredBy,
    FiringState,
    close_firing,
    is_live,
    lock_firing,
    tell_job,
)

# Asked for this long ago and not begun, or begun: worth asking Dagster whether its run is there.
SUSPECT_AFTER = timedelta(seconds=60)
MOST_ATTEMPTS = 3


class Suspect(NamedTuple):
    """A firing whose run may be gone; `dagster_run_id` is None before it begun."""

    firing_id: int
    dagster_run_id: str | None
    attempts: int


def suspects(session: Session, now: datetime) -> list[Suspect]:
    """The firings that live for a while; Dagster knows their runs by the tag `leap/firing`."""
    begun = func.coalesce(AutomationFiring.started_at, AutomationFiring.requested_at)
    rows = session.execute(
        select(
            AutomationFiring.id, AutomationFiring.dagster_run_id, AutomationFiring.attempts
        ).where(is_live(), begun <= now - SUSPECT_AFTER)
    )
    return [Suspect(*row) for row in rows]


def lost(
    session: Session, now: datetime, gone: Callable[[Sequence[Suspect]], Iterable[int]]
) -> tuple[list[int], list[int]]:
    """Put firings whose run is gone back, to be asked for again (`to_request`).

    `gone` is asked which of the suspects (ids of firings) have no run that lives. After
    `MOST_ATTEMPTS` a firing fails. The ids of those put back, and of those that failed.
    """
    again: list[int] = []
    failed: list[int] = []
    told = suspects(session, now)
    tried = {each.firing_id: each.attempts for each in told}
    for firing_id in sorted(gone(told)) if told else ():
        firing = lock_firing(session, firing_id)
        # It moved on since it was a suspect.
        if firing is None or firing.state not in LIVE or firing.attempts != tried.get(firing_id):
            continue
        if firing.attempts + 1 >= MOST_ATTEMPTS:
            msg = f"Its run died {firing.attempts + 1} times before it was done."
            close_firing(session, firing, FiringState.FAILED, now, error=msg)
            tell_job(session, firing, FAILED, now, msg)
            failed.append(firing_id)
            continue
        firing.state = FiringState.CLAIMED
        firing.attempts += 1
        firing.dagster_run_id = firing.requested_at = None
        session.flush()
        again.append(firing_id)
    return again, failed


def forget_old(session: Session, before: datetime) -> int:
    """Delete ended firings from before an instant; the newest of each job stays."""
    newer = aliased(AutomationFiring)
    old = select(AutomationFiring.id).where(
        AutomationFiring.due_at < before,
        ~is_live(),
        exists().where(
            newer.job_id == AutomationFiring.job_id,
            newer.due_at > AutomationFiring.due_at,
            newer.fired_by != FiredBy.PERSON,
        ),
    )
    gone = session.execute(
        delete(AutomationFiring).where(AutomationFiring.id.in_(old)).returning(AutomationFiring.id)
    )
    return len(gone.all())
