"""A file that a browser sends: judged before its first byte, then taken over like a local one."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.file_names import uploaded_name
from leap_pipeline.errors import DataError, InputError, UserActionError
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.ingest import Ingested, ingest_file
from leap_pipeline.services.quotas import require_storage
from leap_pipeline.settings import Settings
from leap_pipeline.storage.local import LocalStorage

SCRATCH_PREFIX = "upload-"
ABANDONED_SECONDS = 3600.0
# So much stays free for the database and for what is being processed.
LEFT_FREE = 512 * 1024**2
OLDEST = datetime(1990, 1, 1, tzinfo=UTC)


def require_uploadable(
    database: Database,
    storage: LocalStorage,
    settings: Settings,
    user_id: str,
    name: str,
    size: int | None,
) -> str:
    """The file's name, where a file of that size (bytes; None: unknown) may come.

    Raises `InputError` for its name or size, `QuotaExceeded` and `UserActionError` where there is
    no room for it.
    """
    name = uploaded_name(name)
    if size == 0:
        msg = f"“{name}” is empty (0 bytes): choose a recording."
        raise InputError(msg)
    if size is not None and size > settings.download_max_bytes:
        raise too_large(name, settings)
    with database.tenant(user_id) as session:
        require_storage(session, user_id, size or 1, datetime.now(UTC))
    require_disk(storage, name, size or 1)
    return name


def require_disk(storage: LocalStorage, name: str, size: int = 0) -> None:
    """Raises `UserActionError` where the disk has no room for so many more bytes of that file.

    Asked while a file is written too: others write at the same time, and not every size is known.
    """
    free = shutil.disk_usage(_there(storage.root)).free
    if size + LEFT_FREE > free:
        msg = f"The server's disk has no room for “{name}”: ask an admin to free some space."
        raise UserActionError(msg)


def take_upload(
    database: Database,
    storage: LocalStorage,
    settings: Settings,
    path: Path,
    *,
    name: str,
    email: str,
    actor: Actor,
    modified: float | None = None,
) -> Ingested:
    """Make a recording of a whole file in the storage's scratch, which is moved.

    `modified` is when it was last written on its owner's machine, in seconds of the epoch: for want
    of better that is when the lecture was held. Refusals name the file, not where it lies here.
    """
    try:
        found = ingest_file(
            database,
            storage,
            settings,
            path,
            email=email,
            file_name=name,
            # Never as the file's own date here: by that an upload that still lives is told from
            # one that was abandoned.
            written=_date(modified),
            keep=False,
        )
    except (InputError, DataError) as error:
        raise type(error)(str(error).replace(str(path), f"“{name}”")) from error
    if found.created and actor.id is not None:
        with database.tenant(actor.id) as session:
            record(
                session,
                actor,
                "recording.upload",
                "recording",
                found.recording_id,
                owner_id=actor.id,
                after={"file": name},
            )
    return found


def too_large(name: str, settings: Settings) -> InputError:
    """The refusal of a file over the limit."""
    limit = settings.download_max_bytes / 1e9
    return InputError(f"“{name}” is larger than {limit:.1f} GB, the most that is taken: cut it.")


def _date(modified: float | None) -> datetime | None:
    latest = datetime.now(UTC) + timedelta(days=1)
    if modified is None or not OLDEST.timestamp() <= modified <= latest.timestamp():
        return None
    return datetime.fromtimestamp(modified, tz=UTC)


def _there(folder: Path) -> Path:
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
