"""What a person does to a recording's work: cancel it, release it, skip it, want it again."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.runs import RecordingHold, RecordingRun
from leap_pipeline.domain.states import LIVE_RUN_STATES, DownloadStatus, Phase, RunState
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.services import holds
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.holds import as_planned
from leap_pipeline.services.moves import move_download, storable
from leap_pipeline.services.projection import Locked, lock_recording, refresh_status
from leap_pipeline.services.runs import end_run, platform_of, request_run


def cancel(
    session: Session, recording_id: int, *, actor: Actor, reason: str = "it was cancelled"
) -> tuple[int, ...]:
    """End every live run of a recording; what was in progress is put back. The runs' ids.

    A worker learns of it at its next write or sign of progress, which is refused.
    """
    locked = lock_recording(session, recording_id)
    ended = _end_live_runs(session, locked, reason)
    if ended:
        _record(session, actor, "recording.cancel", locked, {"runs": list(ended), "reason": reason})
    return ended


def release(session: Session, hold_id: int, actor: Actor) -> tuple[int, ...]:
    """Release a hold, and queue again the work that ended because of it. The new runs' ids.

    What may not go on for another reason stays as it is. Raises as `holds.release`.
    """
    held = session.get(RecordingHold, hold_id, options=[lazyload("*")])
    holds.release(session, hold_id, actor)
    if held is None:
        return ()
    rows = session.scalars(
        select(RecordingRun)
        .where(RecordingRun.recording_id == held.recording_id)
        .order_by(RecordingRun.id)
        .options(lazyload("*"))
    ).all()
    newest = {(row.phase, row.target_type): row for row in rows}
    sentence = as_planned(held).sentence
    stopped = [
        row
        for row in newest.values()
        if row.state == RunState.CANCELLED and sentence in (row.reason or "")
    ]
    return tuple(run for row in stopped if (run := _ask_again(session, row, actor)) is not None)


def _ask_again(session: Session, row: RecordingRun, actor: Actor) -> int | None:
    try:
        with session.begin_nested():
            return request_run(
                session,
                row.recording_id,
                requested_by=f"{actor.name}, by a release",
                phase=Phase(row.phase),
                platform=platform_of(row),
            ).run_id
    except UserActionError:  # held for another reason too, or no room in the plan
        return None


def skip(session: Session, recording_id: int, reason: str, *, actor: Actor) -> None:
    """Take a recording out of all work, with the reason; what is running is cancelled."""
    if not reason.strip():
        msg = "Skipping a recording needs a reason: say why it is not wanted."
        raise InputError(msg)
    locked = lock_recording(session, recording_id)
    locked.recording.skip_reason = storable(reason)
    session.flush()
    _end_live_runs(session, locked, f"the recording was skipped: {reason}")
    refresh_status(session, recording_id)
    _record(session, actor, "recording.skip", locked, {"reason": reason})


def unskip(session: Session, recording_id: int, *, actor: Actor) -> bool:
    """Take the reason away, whoever gave it; False where the recording was not skipped.

    A download that failed before is to be made anew: why it failed was told by the columns that
    SKIPPED cleared.
    """
    locked = lock_recording(session, recording_id)
    reason, locked.recording.skip_reason = locked.recording.skip_reason, None
    if reason is None:
        return False
    if locked.facts.download is DownloadStatus.FAILED:
        move_download(session, recording_id, DownloadStatus.PENDING)
    refresh_status(session, recording_id)
    _record(session, actor, "recording.unskip", locked, {"was": reason})
    return True


def _end_live_runs(session: Session, locked: Locked, reason: str) -> tuple[int, ...]:
    rows = session.scalars(
        select(RecordingRun)
        .where(
            RecordingRun.recording_id == locked.recording.id,
            RecordingRun.state.in_([str(state) for state in LIVE_RUN_STATES]),
        )
        .order_by(RecordingRun.id)
        .options(lazyload("*"))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    for row in rows:
        end_run(session, row, RunState.CANCELLED, reason)
    return tuple(row.id for row in rows)


def _record(
    session: Session, actor: Actor, action: str, locked: Locked, after: dict[str, object]
) -> None:
    recording = locked.recording
    record(
        session,
        actor,
        action,
        "recording",
        recording.id,
        owner_id=recording.user_id,
        after=after,
    )
