"""How many pieces of work of one user may be carried out at once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.subscriptions import SubscriptionPlan, UserSubscription
from leap_pipeline.domain.states import Phase, Platform, RunState, SubscriptionState
from leap_pipeline.domain.states import subscription_state as state_of
from leap_pipeline.errors import QuotaExceeded
from leap_pipeline.services.liveness import living, lock_class
from leap_pipeline.services.quotas import effective_limits, free_plan


def concurrency_limits(
    session: Session, user_ids: Collection[str], at: datetime
) -> dict[str, int | None]:
    """Each user's `max_concurrent_tasks` at a moment, in two statements; None = unlimited.

    As `quotas.effective_limits` says it, for many users at once; who has no subscription that
    counts, or is not known at all, has the Free plan's.
    """
    own = session.execute(
        select(
            UserSubscription.user_id,
            func.coalesce(
                UserSubscription.custom_max_concurrent_tasks, SubscriptionPlan.max_concurrent_tasks
            ),
            UserSubscription.starts_at,
            UserSubscription.expires_at,
        )
        .join(SubscriptionPlan, SubscriptionPlan.id == UserSubscription.plan_id)
        .where(UserSubscription.user_id.in_(user_ids))
    ).all()
    free = free_plan(session).max_concurrent_tasks
    limits: dict[str, int | None] = dict.fromkeys(user_ids, free)
    return limits | {
        user_id: limit
        for user_id, limit, starts_at, expires_at in own
        if state_of(starts_at, expires_at, at) is SubscriptionState.ACTIVE
    }


def owner_of(session: Session, recording_id: int) -> str | None:
    """The recording's user; None where there is no such recording."""
    return session.scalar(select(Recording.user_id).where(Recording.id == recording_id))


def running_of(session: Session, user_id: str) -> int:
    """How many pieces of the user's work living workers carry out now."""
    rows = session.execute(
        select(RecordingRun.phase, RecordingRun.target_type, RecordingRun.recording_id).where(
            RecordingRun.user_id == user_id, RecordingRun.state == RunState.RUNNING
        )
    ).all()
    if not rows:
        return 0
    alive = living(session)
    return sum((_class_of(phase, target), recording) in alive for phase, target, recording in rows)


def may_start(session: Session, user_id: str, at: datetime) -> bool:
    """Whether the user's plan has room for one more; for a transaction of the system.

    Raises `QuotaExceeded` where it allows none at all. Whoever asks holds `turn_of` the user until
    the work is claimed, so that two who ask at once do not both take the last place.
    """
    limit = effective_limits(session, user_id, at).concurrent_tasks
    if limit is not None and limit <= 0:
        msg = "The plan allows 0 recordings at once: an admin has to raise the limit."
        raise QuotaExceeded(msg)
    return limit is None or running_of(session, user_id) < limit


def turn_of(session: Session, user_id: str) -> bool:
    """Take the user's turn to begin work, till this transaction ends; False where it is taken."""
    return bool(
        session.scalar(
            text("SELECT pg_try_advisory_xact_lock(hashtextextended(:whose, 0))"),
            {"whose": f"leap.turn.{user_id}"},
        )
    )


def _class_of(phase: str, target: str | None) -> int:
    return lock_class(Phase(phase), Platform(target) if target else None)
