"""A local file becomes a recording: verified first, stored whole, matched, and only once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, lazyload
from ulid import ULID

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording, SourceMetadata
from leap_pipeline.db.models.runs import StoredObject
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.names import clean_name
from leap_pipeline.errors import DataError, InputError, LeapError, TransientError
from leap_pipeline.media.probe import MediaInfo, require_lecture
from leap_pipeline.progress import ProgressCallback, ignore
from leap_pipeline.services.deletion import expiry_of
from leap_pipeline.services.matching import matcher_of
from leap_pipeline.services.planning import ensure_stages
from leap_pipeline.services.projection import lock_recording, refresh_status
from leap_pipeline.services.quotas import refresh_storage, require_storage
from leap_pipeline.services.users import find_user
from leap_pipeline.settings import Settings
from leap_pipeline.sources.local_file import copy_verified, digest, storage_suffix
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.paths import RecordingPaths

LOCAL_FILE = "LOCAL_FILE"
ABANDONED_SECONDS = 3600.0


@dataclass(frozen=True)
class Ingested:
    """`created` is False where the user had this very file already."""

    recording_id: int
    partition: str
    created: bool
    template_id: int | None


class _Taken(Exception):
    """Another ingest of the same file committed first."""


@dataclass(frozen=True)
class _Incoming:
    file_name: str
    name: str
    key: str
    size: int
    media: MediaInfo
    written: datetime


def ingest_file(
    database: Database,
    storage: LocalStorage,
    settings: Settings,
    path: Path,
    *,
    email: str,
    file_name: str | None = None,
    written: datetime | None = None,
    keep: bool = True,
    progress: ProgressCallback = ignore,
) -> Ingested:
    """Take a video file over; raises `InputError` or `QuotaExceeded` with nothing left.

    `file_name` is what its owner calls it, and `written` when it was last written there, where the
    path does not say so. Without `keep` the file itself is moved, which must lie in the storage's
    scratch.
    """
    with database.system() as session:
        user = find_user(session, email)
        user_id, slug = user.id, user.user_slug
    media = require_lecture(path)
    key = f"sha256:{digest(path, lambda fraction: progress(fraction * 0.4))}"
    incoming = _incoming(path, Path(file_name or path.name), key, media, written)
    with database.tenant(user_id) as session:
        known = _known(session, user_id, slug, key)
        if known is None:
            require_storage(session, user_id, incoming.size, datetime.now(UTC))
    if known is not None:
        return known
    storage.sweep_scratch("ingest-", idle=ABANDONED_SECONDS)
    with storage.scratch(f"ingest-{ULID()}") as folder:
        copy = folder / "source"
        if keep:
            copy_verified(
                path,
                copy,
                key.removeprefix("sha256:"),
                lambda fraction: progress(0.4 + fraction * 0.6),
            )
        else:
            path.replace(copy)
            storage.settle(copy)
        try:
            return _store(database, storage, settings, incoming, copy, user_id, slug)
        except _Taken:
            with database.tenant(user_id) as session:
                known = _known(session, user_id, slug, key)
    if known is None:
        msg = f"{path} was ingested and removed at the same moment: ingest it again."
        raise TransientError(msg)
    return known


def _store(
    database: Database,
    storage: LocalStorage,
    settings: Settings,
    incoming: _Incoming,
    copy: Path,
    user_id: str,
    slug: int,
) -> Ingested:
    paths: RecordingPaths | None = None
    try:
        with database.tenant(user_id) as session:
            now = datetime.now(UTC)
            require_storage(session, user_id, incoming.size, now)
            recording = _recording(settings, incoming, user_id)
            recording.expire_at = expiry_of(session, user_id, now)
            match_template(session, recording)
            session.add(recording)
            session.flush()
            paths = RecordingPaths(slug, recording.id)
            final = paths.source(storage_suffix(Path(incoming.file_name)))
            _claim_key(session, recording, incoming, final)
            size = storage.put(copy, final)
            session.add(
                StoredObject(
                    user_id=user_id,
                    recording_id=recording.id,
                    kind="raw_video",
                    path=final,
                    bytes=size,
                    sha256=incoming.key.removeprefix("sha256:"),
                )
            )
            refresh_storage(session, user_id, now)
            ensure_stages(session, lock_recording(session, recording.id))
            refresh_status(session, recording.id)
            return Ingested(
                recording_id=recording.id,
                partition=partition_key(slug, recording.id),
                created=True,
                template_id=recording.template_id,
            )
    except BaseException:
        if paths is not None and not _committed(database, user_id, paths.recording_id):
            storage.remove(paths.folder)
        raise


def _committed(database: Database, user_id: str, recording_id: int) -> bool:
    """Whether the recording is there: a connection may break after the commit, before its answer.

    Where that cannot be found out the file stays, since a row without its file is worse.
    """
    try:
        with database.tenant(user_id) as session:
            return session.get(Recording, recording_id, options=[lazyload("*")]) is not None
    except LeapError:
        return True


def match_template(session: Session, recording: Recording) -> None:
    """Map a recording to the first of its owner's live templates that matches."""
    matcher = matcher_of(session, recording.user_id or "")
    found = matcher.first(recording.display_name, recording.input_source_id)
    recording.template_id = found.id if found else None
    recording.is_mapped = found is not None


def source_file(meta: Mapping[str, Any] | None) -> tuple[str, int]:
    """Where ingest put a local file, and its size in bytes; raises `DataError`."""
    content = meta or {}
    if "stored_path" not in content or "bytes" not in content:
        msg = "The source of this recording does not say where its file is: ingest the file again."
        raise DataError(msg)
    return str(content["stored_path"]), int(content["bytes"])


def _incoming(
    path: Path, called: Path, key: str, media: MediaInfo, written: datetime | None
) -> _Incoming:
    found = path.stat()
    return _Incoming(
        file_name=clean_name(called.name),
        name=clean_name(called.stem),
        key=key,
        size=found.st_size,
        media=media,
        written=written or datetime.fromtimestamp(found.st_mtime, tz=UTC),
    )


def _recording(settings: Settings, incoming: _Incoming, user_id: str) -> Recording:
    duration = round(incoming.media.duration)
    blank = duration < settings.blank_max_seconds or incoming.size < settings.blank_max_bytes
    return Recording(
        user_id=user_id,
        display_name=incoming.name,
        start_time=incoming.written,
        duration=duration,
        video_file_size=incoming.size,
        blank_record=blank,
    )


def _claim_key(session: Session, recording: Recording, incoming: _Incoming, final: str) -> None:
    """Write the source row; raises `_Taken` where another ingest of the same file came first."""
    meta = {
        "file_name": incoming.file_name,
        "stored_path": final,
        "bytes": incoming.size,
    }
    _free_key(session, recording.user_id, incoming.key)
    row = session.execute(
        insert(SourceMetadata)
        .values(
            recording_id=recording.id,
            user_id=recording.user_id,
            source_type=LOCAL_FILE,
            source_key=incoming.key,
            meta=meta,
        )
        .on_conflict_do_nothing()
        .returning(SourceMetadata.id)
    ).first()
    if row is None:
        raise _Taken


def _free_key(session: Session, user_id: str | None, key: str) -> None:
    """Take the key from a tombstone: a person who hands a file over again wants it back."""
    gone = select(Recording.id).where(
        Recording.id == SourceMetadata.recording_id,
        Recording.delete_state == DeleteState.HARD_DELETED,
    )
    session.execute(
        update(SourceMetadata)
        .where(
            SourceMetadata.user_id == user_id,
            SourceMetadata.source_type == LOCAL_FILE,
            SourceMetadata.source_key == key,
            gone.exists(),
        )
        .values(source_key=func.concat(key, "#", SourceMetadata.recording_id))
        .execution_options(synchronize_session=False)
    )


def _known(session: Session, user_id: str, slug: int, key: str) -> Ingested | None:
    """The recording of the file; raises `InputError` where it is deleted and can be restored."""
    found = session.execute(
        select(Recording.id, Recording.template_id, Recording.delete_state)
        .join(SourceMetadata, SourceMetadata.recording_id == Recording.id)
        .where(
            SourceMetadata.user_id == user_id,
            SourceMetadata.source_type == LOCAL_FILE,
            SourceMetadata.source_key == key,
        )
    ).one_or_none()
    if found is None or found[2] == DeleteState.HARD_DELETED:
        return None
    if found[2] == DeleteState.SOFT_DELETED:
        msg = (
            f"This file is recording {found[0]}, which is deleted: restore it from the bin "
            f"(leap restore {found[0]})."
        )
        raise InputError(msg)
    return Ingested(
        recording_id=found[0],
        partition=partition_key(slug, found[0]),
        created=False,
        template_id=found[1],
    )
