"""Plans of recordings as the database knows them, and the stage moves that a plan implies."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.publishing import TargetStep
from leap_pipeline.db.models.recordings import OutputTarget, ProcessingStage
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.planner import (
    Plan,
    PlanInput,
    dependents,
    plan_prepare,
    plan_publish,
    refusal,
)
from leap_pipeline.domain.shapes.processing import ProcessingConfig
from leap_pipeline.domain.states import (
    Phase,
    Platform,
    Stage,
    StageStatus,
    StepState,
    TargetStatus,
)
from leap_pipeline.errors import DataError
from leap_pipeline.services.configuration import load_processing
from leap_pipeline.services.holds import planned_holds
from leap_pipeline.services.moves import move_stage
from leap_pipeline.services.projection import Locked, lock_recording, refresh_status
from leap_pipeline.services.users import rights_of


def ensure_stages(session: Session, locked: Locked) -> None:
    """Give the recording its four stage rows."""
    missing = [stage for stage in Stage if stage not in locked.stages]
    for stage in missing:
        row = ProcessingStage(
            recording_id=locked.recording.id,
            user_id=locked.recording.user_id,
            stage_type=stage,
            status=StageStatus.PENDING,
        )
        session.add(row)
        locked.stages[stage] = row
    session.flush()


def processing_config(session: Session, locked: Locked) -> ProcessingConfig:
    """The resolved processing config; raises `InputError` naming a wrong value's row and path."""
    return load_processing(session, locked.recording.id).processing().value


def plan_input(session: Session, locked: Locked) -> PlanInput:
    """Everything the planner asks of the database."""
    recording = locked.recording
    owner = session.get(User, recording.user_id, options=[lazyload("*")])
    if owner is None:
        msg = f"Recording {recording.id} has no owner, so nothing can be planned for it."
        raise DataError(msg)
    return PlanInput(
        facts=locked.facts,
        config=processing_config(session, locked),
        rights=rights_of(owner),
        deleted=bool(recording.deleted),
        holds=planned_holds(session, recording.id),
        has_trimmed_video=recording.processed_video_path is not None,
        has_audio=recording.processed_audio_path is not None,
        steps_left=_steps_left(session, locked),
    )


def _steps_left(session: Session, locked: Locked) -> frozenset[Platform]:
    """Asked of the database only where something is published."""
    if all(row.status != TargetStatus.UPLOADED for row in locked.targets.values()):
        return frozenset()
    found = session.scalars(
        select(OutputTarget.target_type)
        .join(TargetStep, TargetStep.target_id == OutputTarget.id)
        .where(
            OutputTarget.recording_id == locked.recording.id, TargetStep.state == StepState.PENDING
        )
        .distinct()
    )
    return frozenset(Platform(each) for each in found)


def why_refused(
    session: Session, locked: Locked, phase: Phase, platform: Platform | None
) -> str | None:
    """Why a piece of work may not be begun, whatever its configuration; None where it may."""
    return refusal(
        locked.facts,
        phase,
        platform,
        deleted=bool(locked.recording.deleted),
        holds=planned_holds(session, locked.recording.id),
    )


def make_plan(given: PlanInput, phase: Phase, platform: Platform | None) -> Plan:
    if phase is Phase.PREPARE:
        return plan_prepare(given)
    if platform is None:
        msg = "A publish run needs its target."
        raise DataError(msg)
    return plan_publish(given, platform)


def apply_plan(session: Session, locked: Locked, plan: Plan) -> tuple[Locked, bool]:
    """Write the plan's SKIPPED stages and wake those whose reason is gone.

    Returns the recording after it, and whether something was woken: then plan again.
    """
    recording_id = locked.recording.id
    for stage, reason in plan.skip.items():
        if locked.stages[stage].status == StageStatus.FAILED:
            move_stage(session, recording_id, stage, StageStatus.PENDING)
        move_stage(session, recording_id, stage, StageStatus.SKIPPED, reason)
    if Stage.TRIM in plan.skip:
        _forget_trimmed(locked)
    for stage in plan.unskip:
        reset_stage(session, recording_id, stage)
    return refresh_status(session, recording_id), bool(plan.unskip)


def reset_stage(session: Session, recording_id: int, first: Stage) -> None:
    """Put a stage and all that uses its result back to PENDING, so that they are done again."""
    locked = lock_recording(session, recording_id)
    for stage in dependents(first):
        status = StageStatus(locked.stages[stage].status)
        unmade = (StageStatus.PENDING, StageStatus.IN_PROGRESS)
        if status in unmade or (status is StageStatus.SKIPPED and stage is not first):
            continue
        move_stage(session, recording_id, stage, StageStatus.PENDING)
    if first is Stage.TRIM:
        _forget_trimmed(locked)
    session.flush()


def _forget_trimmed(locked: Locked) -> None:
    """What is made from now on comes from the raw video, or from one that is trimmed anew."""
    locked.recording.processed_video_path = None
    locked.recording.processed_audio_path = None
