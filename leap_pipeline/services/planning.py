"""Plans of recordings as the database knows them, and the stage moves that a plan implies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.recordings import ProcessingStage
from leap_pipeline.db.models.templates import RecordingTemplate
from leap_pipeline.db.models.users import BaseConfig, User, UserConfig
from leap_pipeline.domain.config import ProcessingConfig, resolve_processing
from leap_pipeline.domain.planner import (
    Permissions,
    Plan,
    PlanInput,
    dependents,
    plan_prepare,
    plan_publish,
    refusal,
)
from leap_pipeline.domain.states import Phase, Platform, Stage, StageStatus
from leap_pipeline.errors import DataError
from leap_pipeline.services.holds import planned_holds
from leap_pipeline.services.moves import move_stage
from leap_pipeline.services.projection import Locked, lock_recording, refresh_status

# Where a block of defaults stands in a template's processing_config.
BLOCKS = {"processing": "video", "transcription": "transcription"}


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
    """The resolved processing config; raises `InputError` naming a wrong value's path."""
    recording = locked.recording
    defaults = session.scalars(
        select(BaseConfig)
        .where(
            BaseConfig.is_active.is_(True),
            BaseConfig.config_type.in_(list(BLOCKS)),
            or_(BaseConfig.user_id.is_(None), BaseConfig.user_id == recording.user_id),
        )
        .order_by(BaseConfig.user_id.is_not(None), BaseConfig.id)
    ).all()
    layers: list[Mapping[str, Any] | None] = [
        {BLOCKS[row.config_type or ""]: row.config_data} for row in defaults
    ]
    own = session.scalars(select(UserConfig).where(UserConfig.user_id == recording.user_id)).first()
    if own is not None:
        layers.append({"video": own.processing_config, "transcription": own.transcription_config})
    if recording.template_id is not None:
        template = session.get(RecordingTemplate, recording.template_id, options=[lazyload("*")])
        layers.append(template.processing_config if template is not None else None)
    preferences = recording.processing_preferences or {}
    layers.append({key: preferences.get(key) for key in BLOCKS.values()})
    return resolve_processing(layers)


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
        permissions=Permissions(
            can_process_video=owner.can_process_video,
            can_transcribe=owner.can_transcribe,
            can_upload=owner.can_upload,
        ),
        deleted=bool(recording.deleted),
        holds=planned_holds(session, recording.id),
        has_trimmed_video=recording.processed_video_path is not None,
        has_audio=recording.processed_audio_path is not None,
    )


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
