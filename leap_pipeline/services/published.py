"""What a person does about a published video: change it, take it away, settle a doubt about it.

Always by the id that is stored, never by looking for a title.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.publishing import TargetStep, UploadSession
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.permissions import Permission, require
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.states import (
    Phase,
    Platform,
    RunState,
    StepState,
    TargetStatus,
    UploadState,
)
from leap_pipeline.errors import AlreadyRunning, UserActionError
from leap_pipeline.publishing.uploader import Publisher, Video
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.holds import live_holds, release
from leap_pipeline.services.liveness import WorkLock, lock_class
from leap_pipeline.services.moves import move_target
from leap_pipeline.services.projection import Locked, lock_recording, refresh_status
from leap_pipeline.services.runs import Requested, end_run, live_run, request_run
from leap_pipeline.services.target_steps import LISTING
from leap_pipeline.services.upload_rows import FIRST_LOOK, MARKER_BYTES, video_of

UPDATE = "update"
"""`recording_runs.forced_from` of a run that was asked for to change what is published."""
LOCK_SECONDS = 5.0
CHANGED = "what is published was changed by hand"


def request_update(
    session: Session, recording_id: int, platform: Platform, editor: Editor
) -> Requested:
    """Queue a run that makes what stands beside a published video what is configured now.

    Nothing is changed where the plan leaves it out, which says why. Raises UserActionError where
    the person may not, or where nothing is published there.
    """
    require(editor.rights, Permission.UPDATE_UPLOADED_VIDEOS)
    target = _published(lock_recording(session, recording_id), platform)
    with session.begin_nested() as tried:
        _want_listing(session, target)
        requested = request_run(
            session,
            recording_id,
            requested_by=editor.actor.name,
            phase=Phase.PUBLISH,
            platform=platform,
        )
        if requested.run_id is None:
            tried.rollback()
            return requested
    session.execute(
        update(RecordingRun).where(RecordingRun.id == requested.run_id).values(forced_from=UPDATE)
    )
    _tell(session, editor.actor, "update", target)
    return requested


def retract(
    database: Database,
    publisher: Publisher,
    user_id: str,
    recording_id: int,
    platform: Platform,
    editor: Editor,
    reason: str,
) -> None:
    """Delete the video on the platform, and forget the upload: it may be published anew.

    Killed in between it is said again: a video that is gone is no error. Raises UserActionError
    where the person may not, where nothing is published, and where an upload or update goes on.
    """
    require(editor.rights, Permission.UPDATE_UPLOADED_VIDEOS)
    with _nobody_works(database, recording_id, platform):
        with database.tenant(user_id) as session:
            locked = lock_recording(session, recording_id)
            target = _published(locked, platform)
            video = video_of(session, target)
            live = live_run(session, recording_id, Phase.PUBLISH, platform)
            if live is not None:
                end_run(session, live, RunState.CANCELLED, CHANGED)
        publisher.retract(video)
        with database.tenant(user_id) as session:
            locked = lock_recording(session, recording_id)
            target = _published(locked, platform)
            forget_upload(session, target.id)
            move_target(session, recording_id, platform, TargetStatus.NOT_UPLOADED, reason=reason)
            refresh_status(session, recording_id)
            _tell(session, editor.actor, "retract", target, reason=reason, video=video.video_id)


def settle_doubt(
    session: Session,
    recording_id: int,
    platform: Platform,
    video: Video | None,
    now: datetime,
    editor: Editor,
) -> None:
    """A person has looked: this is the video, or there is none and it may be sent again.

    Releases the hold, and queues what is left to do where nothing else stops it. Raises
    UserActionError where there is no doubt about that upload, and where what is published is to be
    sent again.
    """
    require(editor.rights, Permission.UPLOAD)
    locked = lock_recording(session, recording_id)
    doubts = [
        row
        for row in live_holds(session, recording_id)
        if row.kind == HoldKind.DOUBTFUL_UPLOAD and row.target_type == platform
    ]
    target = locked.targets.get(platform)
    name = PLATFORM_NAMES[platform]
    if target is None or not doubts:
        msg = f"There is no doubt about the {name} upload of recording {recording_id}."
        raise UserActionError(msg)
    if video is None and target.status == TargetStatus.UPLOADED:
        msg = f"Recording {recording_id} is on {name}: retract it before it is sent again."
        raise UserActionError(msg)
    if video is None:
        # Another marker: what turns up with the old one is not taken for the new upload.
        session.execute(
            update(UploadSession)
            .where(UploadSession.target_id == target.id)
            .values(
                state=UploadState.PLANNED,
                marker=secrets.token_hex(MARKER_BYTES),
                generation=UploadSession.generation + 1,
                session=None,
                video_id=None,
                owner_id=None,
                account=None,
                opened_at=None,
                closing_at=None,
                absences=0,
                absent_at=None,
                failures=0,
                uploaded_at=None,
                processing=None,
                processing_note=None,
                looks=0,
                searches=0,
                next_look_at=None,
            )
        )
    else:
        _take_for_uploaded(session, target, video, now)
    for row in doubts:
        release(session, row.id, editor.actor)
    refresh_status(session, recording_id)
    said = video.video_id if video is not None else None
    _tell(session, editor.actor, "settle", target, video=said)
    with suppress(UserActionError), session.begin_nested():
        request_run(
            session,
            recording_id,
            requested_by=editor.actor.name,
            phase=Phase.PUBLISH,
            platform=platform,
        )


def forget_upload(session: Session, target_id: int) -> None:
    """Nothing of the upload counts any more."""
    session.execute(delete(TargetStep).where(TargetStep.target_id == target_id))
    session.execute(delete(UploadSession).where(UploadSession.target_id == target_id))


@contextmanager
def _nobody_works(database: Database, recording_id: int, platform: Platform) -> Iterator[None]:
    """Hold the lock of the target's worker."""
    lock = WorkLock(database.lock_connection(), lock_class(Phase.PUBLISH, platform), recording_id)
    try:
        if not lock.acquire(LOCK_SECONDS):
            name = PLATFORM_NAMES[platform]
            msg = f"An upload of recording {recording_id} to {name} goes on: cancel it or wait."
            raise AlreadyRunning(msg)
        yield
    finally:
        lock.release()


def _published(locked: Locked, platform: Platform) -> OutputTarget:
    target = locked.targets.get(platform)
    if target is None or target.status != TargetStatus.UPLOADED:
        name = PLATFORM_NAMES[platform]
        msg = f"Recording {locked.recording.id} is not published on {name}: publish it first."
        raise UserActionError(msg)
    return target


def _want_listing(session: Session, target: OutputTarget) -> None:
    """There is something to do beside the video, also where it has no steps yet."""
    session.execute(
        insert(TargetStep)
        .values(user_id=target.user_id, target_id=target.id, kind=LISTING)
        .on_conflict_do_update(constraint="uq_target_steps_name", set_={"state": StepState.PENDING})
    )


def _take_for_uploaded(session: Session, target: OutputTarget, video: Video, now: datetime) -> None:
    if (target.target_meta or {}).get("video_id") not in (None, video.video_id):
        # What stands beside the other one does not stand beside this one.
        session.execute(delete(TargetStep).where(TargetStep.target_id == target.id))
    _want_listing(session, target)
    account = select(OutputPreset.credential_id).where(OutputPreset.id == target.preset_id)
    session.execute(
        update(UploadSession)
        .where(UploadSession.target_id == target.id)
        .values(
            credential_id=account.scalar_subquery(),
            state=UploadState.UPLOADED,
            session=None,
            video_id=video.video_id,
            owner_id=video.owner_id,
            uploaded_at=now,
            processing="processing",
            next_look_at=now + FIRST_LOOK,
            looks=0,
            searches=0,
        )
    )
    platform = Platform(target.target_type)
    if target.status != TargetStatus.UPLOADING:
        move_target(session, target.recording_id, platform, TargetStatus.UPLOADING)
    meta: dict[str, object] = {"video_id": video.video_id, "url": video.url}
    if video.owner_id is not None:
        meta["owner_id"] = video.owner_id
    move_target(session, target.recording_id, platform, TargetStatus.UPLOADED, meta=meta)


def _tell(
    session: Session, actor: Actor, action: str, target: OutputTarget, **said: object
) -> None:
    record(
        session,
        actor,
        f"publication.{action}",
        "recording",
        target.recording_id,
        owner_id=target.user_id,
        after={"target": target.target_type, **said},
    )
