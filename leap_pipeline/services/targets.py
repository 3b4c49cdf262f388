"""Where a recording is published: a target for each platform of its presets, and their runs."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.domain.states import Phase, Platform, TargetStatus
from leap_pipeline.errors import AlreadyRunning, UserActionError
from leap_pipeline.services.configuration import load_configuration
from leap_pipeline.services.failing import fail_target
from leap_pipeline.services.projection import Locked, lock_recording, refresh_status
from leap_pipeline.services.runs import Requested, request_run

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
        if platform not in presets and row.status in UNPUBLISHED and not row.target_meta:
            begun = select(UploadSession.id).where(UploadSession.target_id == row.id)
            if session.scalar(begun) is None:
                session.execute(delete(OutputTarget).where(OutputTarget.id == row.id))
                session.expunge(row)
    return refresh_status(session, recording_id)


def request_publishing(
    session: Session,
    recording_id: int,
    *,
    requested_by: str,
    platforms: Iterable[Platform] | None = None,
) -> dict[Platform, Requested]:
    """Queue what is left to publish on these platforms, or on all that the recording has.

    Raises as `request_run` does, and `InputError` for a platform that has no preset.
    """
    locked = ensure_targets(session, recording_id)
    wanted = list(locked.targets) if platforms is None else list(platforms)
    return {
        platform: request_run(
            session,
            recording_id,
            requested_by=requested_by,
            phase=Phase.PUBLISH,
            platform=platform,
        )
        for platform in wanted
    }


def publish_by_itself(session: Session, recording_id: int) -> None:
    """Queue the uploads of a recording that was just prepared, where its configuration says so."""
    try:
        if not load_configuration(session, recording_id).output().value.auto_upload:
            return
        locked = ensure_targets(session, recording_id)
    except UserActionError:
        return  # its configuration is wrong, which is said to whoever publishes by hand
    for platform, row in locked.targets.items():
        if row.status != TargetStatus.NOT_UPLOADED:
            continue
        try:
            with session.begin_nested():
                request_run(
                    session,
                    recording_id,
                    requested_by=AFTER_PREPARING,
                    phase=Phase.PUBLISH,
                    platform=platform,
                )
        except AlreadyRunning:
            continue
        except UserActionError as refused:
            fail_target(session, lock_recording(session, recording_id), platform, str(refused))
    refresh_status(session, recording_id)
