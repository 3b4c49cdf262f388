"""Deleting recordings and users.

The one place that writes the columns of a deletion, all of them together. What is published stays
where it is, and so do the rows of the targets, which say where that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, select, update
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.notices import Notice
from leap_pipeline.db.models.publishing import TargetStep, UploadSession
from leap_pipeline.db.models.recordings import (
    OutputTarget,
    ProcessingStage,
    Recording,
    SourceMetadata,
)
from leap_pipeline.db.models.runs import RecordingHold, RecordingRun, StoredObject
from leap_pipeline.db.models.users import User, UserConfig
from leap_pipeline.domain.deletion import (
    ACTIVE,
    TOMBSTONE,
    TOMBSTONE_NAME,
    DeleteState,
    DeletionReason,
    expire_at,
    hard_delete_at,
    soft_deleted,
)
from leap_pipeline.domain.permissions import Permission, Rights, require, require_admin
from leap_pipeline.domain.shapes.accounts import Preferences, Retention
from leap_pipeline.domain.shapes.registry import read_column
from leap_pipeline.domain.states import LIVE_RUN_STATES, RunState
from leap_pipeline.errors import InputError
from leap_pipeline.services.audit import SYSTEM, Actor, record
from leap_pipeline.services.moves import move_deletion
from leap_pipeline.services.projection import lock_recording, refresh_status
from leap_pipeline.services.quotas import refresh_storage
from leap_pipeline.services.steering import cancel
from leap_pipeline.services.users import remove_user, rights_of, set_active
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.paths import RecordingPaths, user_folder

WHY_CANCELLED = "the recording was deleted"


def soft_delete(
    session: Session, recording_id: int, *, reason: DeletionReason, actor: Actor, at: datetime
) -> datetime:
    """Delete a recording, whose live runs are cancelled; until when it can be restored.

    Raises `UserActionError` where the actor may not, and where it is deleted already.
    """
    recording = lock_recording(session, recording_id).recording
    _require_may_delete(session, recording, actor)
    if _state(recording) is not DeleteState.ACTIVE:
        msg = f"Recording {recording_id} is deleted already."
        raise InputError(msg)
    cancel(session, recording_id, actor=actor, reason=WHY_CANCELLED)
    until = hard_delete_at(retention_of(session, recording.user_id), at)
    move_deletion(
        session, recording_id, DeleteState.SOFT_DELETED, asdict(soft_deleted(reason, at, until))
    )
    after = {"reason": reason, "hard_delete_at": until}
    _record(session, actor, "recording.delete", recording, after)
    return until


def restore(session: Session, recording_id: int, *, actor: Actor, at: datetime) -> None:
    """Bring a deleted recording back; one that had expired does not expire again.

    Raises `UserActionError` where the actor may not, or where it is too late.
    """
    recording = lock_recording(session, recording_id).recording
    _require_may_delete(session, recording, actor)
    state, until = _state(recording), recording.hard_delete_at
    if state is DeleteState.ACTIVE:
        msg = f"Recording {recording_id} is not deleted."
        raise InputError(msg)
    if state is DeleteState.HARD_DELETED or until is None or at >= until:
        when = "" if until is None else f" ({until:%Y-%m-%d %H:%M} UTC)"
        msg = f"Recording {recording_id} cannot be restored: the time for it is over{when}."
        raise InputError(msg)
    expired = recording.expire_at is not None and recording.expire_at <= at
    kept = {"expire_at": None} if expired else {}
    move_deletion(session, recording_id, DeleteState.ACTIVE, {**asdict(ACTIVE), **kept})
    _record(session, actor, "recording.restore", recording, None)


def hard_delete(database: Database, storage: LocalStorage, recording_id: int, at: datetime) -> bool:
    """Delete a recording for good where its time has come; False where it has not.

    Files go first, then what names them, under the recording's lock: no worker can write meanwhile.
    Where this dies in between, the rows are as they were, and doing it again ends it.
    """
    with database.system() as session:
        recording = lock_recording(session, recording_id).recording
        due = recording.hard_delete_at is not None and recording.hard_delete_at <= at
        if _state(recording) is not DeleteState.SOFT_DELETED or not due:
            return False
        cancel(session, recording_id, actor=SYSTEM, reason=WHY_CANCELLED)
        freed = _remove_files(session, storage, recording)
        _forget_content(session, recording_id)
        move_deletion(session, recording_id, DeleteState.HARD_DELETED, TOMBSTONE)
        refresh_status(session, recording_id)
        if recording.user_id is not None:
            refresh_storage(session, recording.user_id, at)
        _record(session, SYSTEM, "recording.hard_delete", recording, {"bytes": freed})
    return True


def expire(session: Session, recording_id: int, at: datetime) -> bool:
    """Soft-delete a recording whose `expire_at` has come; False where it has not, or where a
    worker is at it: then a later sweep takes it.
    """
    recording = lock_recording(session, recording_id).recording
    due = recording.expire_at is not None and recording.expire_at <= at
    busy = select(RecordingRun.id).where(
        RecordingRun.recording_id == recording_id, RecordingRun.state == RunState.RUNNING
    )
    if _state(recording) is not DeleteState.ACTIVE or not due or session.scalar(busy.limit(1)):
        return False
    soft_delete(session, recording_id, reason=DeletionReason.EXPIRED, actor=SYSTEM, at=at)
    return True


def delete_user(database: Database, storage: LocalStorage, user_id: str, *, actor: Actor) -> int:
    """Delete a user with all rows and files; the user's slug.

    The account is switched off first, so that a death in between leaves one that nobody uses;
    doing it again ends it. Raises `UserActionError` for the last active admin.
    """
    with database.system() as session:
        set_active(session, user_id, active=False, actor=actor)
        live = select(RecordingRun.recording_id).where(
            RecordingRun.user_id == user_id,
            RecordingRun.state.in_([str(state) for state in LIVE_RUN_STATES]),
        )
        busy = sorted(set(session.scalars(live)))
    for recording_id in busy:
        with database.system() as session:
            cancel(session, recording_id, actor=actor, reason="the user was deleted")
    with database.system() as session:
        # The rows go first here: from then on no worker and no ingest can put a file in place,
        # and where removing the files fails, the rows are back.
        slug = remove_user(session, user_id, actor)
        storage.remove(user_folder(slug))
    for recording_id in busy:
        storage.sweep_scratch(f"{recording_id}-")
        storage.sweep_partials(f"{recording_id}-")
    return slug


def retention_of(session: Session, user_id: str | None) -> Retention:
    """The user's days; what is not said there is the default's."""
    said = session.scalar(select(UserConfig.preferences).where(UserConfig.user_id == user_id))
    found = read_column("user_configs", "preferences", said).value
    return found.retention if isinstance(found, Preferences) else Retention()


def expiry_of(session: Session, user_id: str, at: datetime) -> datetime | None:
    """When a recording that the user gets now expires; None = never."""
    return expire_at(retention_of(session, user_id), at)


def _state(recording: Recording) -> DeleteState:
    return DeleteState(recording.delete_state or DeleteState.ACTIVE)


def _require_may_delete(session: Session, recording: Recording, actor: Actor) -> None:
    if actor.id is None:
        return
    acting = session.get(User, actor.id, options=[lazyload("*")])
    rights = rights_of(acting) if acting is not None and acting.is_active else Rights()
    if recording.user_id != actor.id:
        require_admin(rights)
    require(rights, Permission.DELETE_RECORDINGS)


def _remove_files(session: Session, storage: LocalStorage, recording: Recording) -> int:
    """Everything in storage that belongs to the recording; its bytes as the rows had them."""
    rows = session.execute(
        select(StoredObject.path, StoredObject.bytes).where(
            StoredObject.recording_id == recording.id
        )
    ).all()
    slug = session.scalar(select(User.user_slug).where(User.id == recording.user_id))
    folder = "" if slug is None else RecordingPaths(slug, recording.id).folder
    for path in (folder, *(row.path for row in rows if not row.path.startswith(f"{folder}/"))):
        if path:
            storage.remove(path)
    storage.sweep_scratch(f"{recording.id}-")
    storage.sweep_partials(f"{recording.id}-")
    session.execute(
        delete(StoredObject)
        .where(StoredObject.recording_id == recording.id)
        .execution_options(synchronize_session=False)
    )
    return sum(row.bytes for row in rows)


def _forget_content(session: Session, recording_id: int) -> None:
    """What other rows hold of the recording's content: notes, reasons that quote it, file names."""
    skipped = case((Recording.skip_reason.is_not(None), TOMBSTONE_NAME))
    targets = select(OutputTarget.id).where(OutputTarget.recording_id == recording_id)
    for statement in (
        update(Recording).where(Recording.id == recording_id).values(skip_reason=skipped),
        update(SourceMetadata).where(SourceMetadata.recording_id == recording_id).values(meta=None),
        update(ProcessingStage)
        .where(ProcessingStage.recording_id == recording_id)
        .values(stage_meta=None, failed_reason=None),
        update(RecordingRun).where(RecordingRun.recording_id == recording_id).values(reason=None),
        delete(RecordingHold).where(RecordingHold.recording_id == recording_id),
        delete(Notice).where(Notice.recording_id == recording_id),
        update(UploadSession)
        .where(UploadSession.target_id.in_(targets))
        .values(sent={}, session=None, processing_note=None, next_look_at=None),
        update(TargetStep).where(TargetStep.target_id.in_(targets)).values(reason=None),
    ):
        session.execute(statement.execution_options(synchronize_session=False))
    for row in session.scalars(
        select(OutputTarget)
        .where(OutputTarget.recording_id == recording_id, OutputTarget.target_meta.is_not(None))
        .options(lazyload("*"))
    ):
        row.target_meta = _without_texts(row.target_meta or {})
    session.flush()


def _without_texts(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Where a video is, and was, without what was written to it."""
    kept = {name: value for name, value in meta.items() if name != "sent"}
    if isinstance(kept.get("history"), list):
        kept["history"] = [_without_texts(each) for each in kept["history"]]
    return kept


def _record(
    session: Session,
    actor: Actor,
    action: str,
    recording: Recording,
    after: Mapping[str, Any] | None,
) -> None:
    owner = recording.user_id
    record(session, actor, action, "recording", recording.id, owner_id=owner, after=after)
