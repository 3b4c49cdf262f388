"""Where a recording is published: a target for each platform of its presets, and their runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.models.publishing import TargetStep, UploadSession
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.domain.states import Phase, Platform, RunState, StepState, TargetStatus
from leap_pipeline.errors import AlreadyRunning, UserActionError
from leap_pipeline.services.configuration import load_configuration
from leap_pipeline.services.failing import fail_target
from leap_pipeline.services.planning import why_refused
from leap_pipeline.services.projection import Locked, lock_recording, refresh_status
from leap_pipeline.services.runs import Requested, end_run, live_run, new_run, request_run

AFTER_PREPARING = "after it was prepared"
UNPUBLISHED = (TargetStatus.NOT_UPLOADED, TargetStatus.FAILED)


def ensure_targets(session: Session, recording_id: int) -> Locked:
    """Give the recording its targets, and take away those that it is to have no more.

    One that was ever sent to stays. Raises `InputError` for a wrong configuration.
    """
    presets = load_configuration(session, recording_id).presets
    locked = lock_recording(session, recording_id)
    for platform, preset in presets.items():
        row = locked.targets.get(platform)
        if row is None:
            session.execute(
                insert(OutputTarget)
                .values(
                    recording_id=recording_id,
                    user_id=locked.recording.user_id,
                    target_type=platform,
                    preset_id=preset.id,
                )
                .on_conflict_do_nothing()
            )
        elif row.preset_id != preset.id:
            row.preset_id = preset.id
    for platform, row in locked.targets.items():
        if platform not in presets and never_sent(session, row):
            session.execute(delete(OutputTarget).where(OutputTarget.id == row.id))
            session.expunge(row)
    return refresh_status(session, recording_id)


def never_sent(session: Session, target: OutputTarget) -> bool:
    """Nothing of it was ever sent: it goes with the preset that it was made for."""
    if target.status not in UNPUBLISHED or target.target_meta:
        return False
    begun = select(UploadSession.id).where(UploadSession.target_id == target.id)
    return session.scalar(begun) is None


@dataclass(frozen=True)
class Asked:
    """What was queued, and the platforms for which nothing could be, each with its reason."""

    requested: Mapping[Platform, Requested]
    refused: Mapping[Platform, str]


def request_publishing(
    session: Session,
    recording_id: int,
    *,
    requested_by: str,
    platforms: Iterable[Platform] | None = None,
) -> Asked:
    """Queue what is left to publish on these platforms, or on all that the recording has.

    What was refused beside a video is left to do as well. A platform that is refused stops no
    other. Raises as `request_run` does where all are, and `InputError` for a wrong configuration.
    """
    locked = ensure_targets(session, recording_id)
    requested: dict[Platform, Requested] = {}
    refused: dict[Platform, UserActionError] = {}
    for platform in locked.targets if platforms is None else platforms:
        try:
            with session.begin_nested() as tried:
                row = locked.targets.get(platform)
                again = row is not None and _retry_failed(session, row.id)
                requested[platform] = request_run(
                    session,
                    recording_id,
                    requested_by=requested_by,
                    phase=Phase.PUBLISH,
                    platform=platform,
                )
                if again and requested[platform].run_id is None:
                    tried.rollback()  # nobody comes for what would be pending
        except UserActionError as error:
            refused[platform] = error
    if refused and not requested:
        raise next(iter(refused.values()))
    return Asked(requested, {platform: str(error) for platform, error in refused.items()})


def _retry_failed(session: Session, target_id: int) -> bool:
    """What was refused beside a video is to be tried again; False where nothing was."""
    again = (
        update(TargetStep)
        .where(TargetStep.target_id == target_id, TargetStep.state == StepState.FAILED)
        .values(state=StepState.PENDING, attempts=0)
        .returning(TargetStep.id)
    )
    return bool(session.scalars(again).all())


def publish_by_itself(session: Session, recording_id: int) -> None:
    """Queue the uploads of a recording that was just prepared, where its configuration says so.

    What a person took away from a platform comes back there by a person only.
    """
    try:
        if not load_configuration(session, recording_id).output().value.auto_upload:
            return
        locked = ensure_targets(session, recording_id)
    except UserActionError:
        return  # its configuration is wrong, which is said to whoever publishes by hand
    for platform, row in locked.targets.items():
        retracted = bool((row.target_meta or {}).get("history"))
        if row.status != TargetStatus.NOT_UPLOADED or retracted:
            continue
        try:
            with session.begin_nested():
                _queue_or_hold(session, locked, platform)
        except AlreadyRunning:
            continue
        except UserActionError as refused:
            fail_target(session, lock_recording(session, recording_id), platform, str(refused))
    refresh_status(session, recording_id)


def _queue_or_hold(session: Session, locked: Locked, platform: Platform) -> None:
    """What is held leaves a run that was ended because of it: a release takes it up again."""
    recording_id, phase = locked.recording.id, Phase.PUBLISH
    refused = why_refused(session, locked, phase, platform)
    if refused is None:
        request_run(
            session, recording_id, requested_by=AFTER_PREPARING, phase=phase, platform=platform
        )
    elif live_run(session, recording_id, phase, platform) is None:
        row = new_run(session, locked, phase, platform, AFTER_PREPARING)
        end_run(session, row, RunState.CANCELLED, refused)
