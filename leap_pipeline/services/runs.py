"""Run rows: the home of due times, attempts and the run token (`generation`).

Whoever needs both locks a recording's row first and its run row after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.planner import DONE, Plan
from leap_pipeline.domain.states import LIVE_RUN_STATES, Phase, Platform, RunState, Stage
from leap_pipeline.errors import AlreadyRunning, UserActionError
from leap_pipeline.services.failing import release_begun
from leap_pipeline.services.liveness import let_go_when_frozen
from leap_pipeline.services.moves import Values, move_run, storable
from leap_pipeline.services.planning import (
    apply_plan,
    ensure_stages,
    make_plan,
    plan_input,
    reset_stage,
    why_refused,
)
from leap_pipeline.services.projection import Locked, lock_recording, lock_row, refresh_status
from leap_pipeline.services.quotas import count_recording, require_room


@dataclass(frozen=True)
class Requested:
    """The plan that was made, and its live run row; no row where nothing is to be done."""

    plan: Plan
    run_id: int | None
    generation: int = 0


def live_run(
    session: Session, recording_id: int, phase: Phase, platform: Platform | None = None
) -> RecordingRun | None:
    """The live row of a piece of work, locked; lock the recording before it."""
    return session.scalars(
        select(RecordingRun)
        .where(
            RecordingRun.recording_id == recording_id,
            RecordingRun.phase == phase,
            func.coalesce(RecordingRun.target_type, "") == (platform or ""),
            RecordingRun.state.in_([str(state) for state in LIVE_RUN_STATES]),
        )
        .options(lazyload("*"))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def lock_run(session: Session, run_id: int) -> RecordingRun | None:
    """A run row, locked after its recording as everywhere; None where it is gone."""
    recording_id = session.scalar(
        select(RecordingRun.recording_id).where(RecordingRun.id == run_id)
    )
    if recording_id is None or not lock_row(session, recording_id):
        return None
    return session.scalars(
        select(RecordingRun)
        .where(RecordingRun.id == run_id)
        .options(lazyload("*"))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def request_run(
    session: Session,
    recording_id: int,
    *,
    requested_by: str,
    phase: Phase = Phase.PREPARE,
    platform: Platform | None = None,
    force: Stage | None = None,
) -> Requested:
    """Plan a recording and queue what is missing.

    `force` names a stage that is redone with all that uses its result. A row that is queued or
    waiting is taken up again; one that a worker holds raises `AlreadyRunning`. A recording that
    cannot be run raises `UserActionError`, one that the owner's plan does not allow
    `QuotaExceeded`.
    """
    let_go_when_frozen(session)
    locked = lock_recording(session, recording_id)
    live = live_run(session, recording_id, phase, platform)
    if live is not None and live.state == RunState.RUNNING:
        msg = f"Recording {recording_id} is already being processed (run {live.id}): wait for it."
        raise AlreadyRunning(msg)
    refused = why_refused(session, locked, phase, platform)
    if refused is not None:
        msg = f"Recording {recording_id} cannot be run: {refused}."
        raise UserActionError(msg)
    ensure_stages(session, locked)
    if force is not None:
        locked = force_stage(session, recording_id, force)
    plan = settle_plan(session, locked, phase, platform)
    if not plan.selection:
        if live is not None:
            end_run(session, live, RunState.DONE)
        return Requested(plan, None)
    row = live or new_run(session, locked, phase, platform, requested_by)
    selection = [str(asset) for asset in plan.selection]
    # A launch that is on its way knows the old selection only: a new token makes it void.
    if live is not None and (live.state == RunState.WAITING or live.selection != selection):
        requeue(session, live)
    row.selection = selection
    if force is not None:
        row.forced_from = force
    session.flush()
    return Requested(plan, row.id, row.generation)


def force_stage(session: Session, recording_id: int, first: Stage) -> Locked:
    """Put a stage and all that uses its result back to PENDING, before anything is written."""
    locked = lock_recording(session, recording_id)
    ensure_stages(session, locked)
    reset_stage(session, recording_id, first)
    return refresh_status(session, recording_id)


def requeue(session: Session, row: RecordingRun, values: Values | None = None) -> None:
    """Put a run row (back) into the queue with a new token, to be launched anew."""
    fresh = {
        "generation": RecordingRun.generation + 1,
        "dagster_run_id": None,
        "requested_at": None,
        "due_at": None,
        "progress": None,
    }
    move_run(session, row.id, RunState.QUEUED, {**fresh, **(values or {})})
    session.refresh(row)


def end_run(
    session: Session, row: RecordingRun, wanted: RunState, reason: str | None = None
) -> None:
    """End a live run row and put back what it had begun; the recording is locked by the caller."""
    locked = lock_recording(session, row.recording_id)
    release_begun(session, locked, platform_of(row))
    move_run(session, row.id, wanted, {"reason": storable(reason) if reason else None})
    refresh_status(session, row.recording_id)


def platform_of(row: RecordingRun) -> Platform | None:
    """The platform of a publish run."""
    return Platform(row.target_type) if row.target_type else None


def settle_plan(session: Session, locked: Locked, phase: Phase, platform: Platform | None) -> Plan:
    """Plan, write the skipped stages, and plan again where that woke a stage."""
    plan = make_plan(plan_input(session, locked), phase, platform)
    if phase is not Phase.PREPARE or plan.refused is not None:
        return plan
    locked, woken = apply_plan(session, locked, plan)
    return make_plan(plan_input(session, locked), phase, platform) if woken else plan


def why_nothing(plan: Plan) -> str:
    """One line for a plan with an empty selection."""
    reasons = sorted({reason for reason in plan.left_out.values() if reason != DONE})
    return "; ".join(reasons) if reasons else "everything is already done"


def new_run(
    session: Session,
    locked: Locked,
    phase: Phase,
    platform: Platform | None,
    requested_by: str,
) -> RecordingRun:
    """A queued row; its generation goes on from the rows before it, so run keys never repeat.

    Raises `QuotaExceeded` where the owner's plan allows no more.
    """
    before = session.scalar(
        select(func.max(RecordingRun.generation)).where(
            RecordingRun.recording_id == locked.recording.id,
            RecordingRun.phase == phase,
            func.coalesce(RecordingRun.target_type, "") == (platform or ""),
        )
    )
    if phase is Phase.PREPARE:
        now = datetime.now(UTC)
        require_room(session, locked.recording.user_id or "", now)
        if before is None:  # a recording is counted once, with the first row that prepares it
            count_recording(session, locked.recording.user_id or "", locked.recording.id, now)
    row = RecordingRun(
        recording_id=locked.recording.id,
        user_id=locked.recording.user_id,
        phase=phase,
        target_type=platform,
        state=RunState.QUEUED,
        requested_by=requested_by,
        generation=(before or 0) + 1,
        attempts=0,
        selection=[],
    )
    session.add(row)
    session.flush()
    return row
