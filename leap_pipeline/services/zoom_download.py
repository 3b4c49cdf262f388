"""The file of a part of a Zoom meeting, on its way into storage.

A link and its token are asked of Zoom for each attempt that needs them, and go into no log. What
Zoom does not have now is looked for again with growing gaps, for a day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import SourceMetadata
from leap_pipeline.db.models.runs import RecordingRun, StoredObject
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.domain.shapes.registry import read_column, validate_column
from leap_pipeline.domain.shapes.sources import ZoomMeta
from leap_pipeline.domain.wanted import next_look
from leap_pipeline.domain.zoom_parts import Part, in_seconds, is_ready, parts_of, uuid_of
from leap_pipeline.errors import (
    InputError,
    LeapError,
    MustWaitError,
    TransientError,
    UserActionError,
)
from leap_pipeline.progress import ProgressCallback
from leap_pipeline.redaction import remember
from leap_pipeline.services.quotas import require_storage
from leap_pipeline.services.work import Work
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.settings import Settings
from leap_pipeline.sources.http_file import Fetched, Tuning, UnfinishedFile, download
from leap_pipeline.sources.http_file_requests import Link, NotServed, NotThere
from leap_pipeline.sources.zoom.client import ZoomClient
from leap_pipeline.sources.zoom.errors import RecordingMissing
from leap_pipeline.sources.zoom.models import ZoomFile, ZoomMeeting

ZOOM = "ZOOM"


class NotReady(LeapError):
    """Zoom has the recording, and still prepares its video."""


@dataclass(frozen=True)
class Wanted:
    """Which part of which meeting, and through which credential it is had."""

    key: str
    meta: ZoomMeta
    credential_id: int


class ZoomFileSource:
    """Links to the best view of a part; keeps to the view it chose first while Zoom has it.

    `chosen` is told of a view before its first byte is asked for.
    """

    def __init__(
        self,
        client: Callable[[], ZoomClient],
        wanted: Wanted,
        chosen: Callable[[ZoomFile], None],
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._chosen = chosen
        self._view: ZoomFile | None = None

    def fresh(self) -> Link:
        """Raises what the client raises, `RecordingMissing` and `NotReady`."""
        client = self._client()
        meeting = client.meeting(uuid_of(self._wanted.key), for_download=True)
        view = self._best(part_of(meeting, self._wanted))
        if view is None or view.download_url is None:
            msg = "Zoom still prepares the video."
            raise NotReady(msg)
        if self._view is None or _identity(view) != _identity(self._view):
            self._chosen(view)
        self._view = view
        token = meeting.download_access_token or client.access_token()
        headers = {"Authorization": SecretStr(f"Bearer {token.get_secret_value()}")}
        remember(view.download_url.get_secret_value())
        return Link(view.download_url, headers, _identity(view))

    def _best(self, part: Part[ZoomFile] | None) -> ZoomFile | None:
        if part is None:
            msg = "Zoom has no video of this part of the meeting."
            raise RecordingMissing(msg)
        if self._view is not None:
            same = [each for each in part.files if _identity(each) == _identity(self._view)]
            if same and is_ready(same[0]):
                return same[0]
        return part.best


def part_of(meeting: ZoomMeeting, wanted: Wanted) -> Part[ZoomFile] | None:
    """The part that is meant; for a key without a moment, by what else was known of it."""
    parts = parts_of(meeting.uuid, meeting.files)
    meta = wanted.meta
    for part in parts:
        if part.key == wanted.key:
            return part
    if uuid_of(wanted.key) != wanted.key:
        return None
    for part in parts:
        if meta.recording_start is not None and part.start == in_seconds(meta.recording_start):
            return part
    for part in parts:
        if meta.view is not None and meta.view.file_size in {each.file_size for each in part.files}:
            return part
    return parts[0] if parts else None


def wanted_part(session: Session, recording_id: int) -> Wanted:
    """What the database says; raises `InputError` where no credential leads to the recording."""
    key, meta, credential_id = session.execute(
        select(SourceMetadata.source_key, SourceMetadata.meta, InputSource.credential_id)
        .outerjoin(InputSource, InputSource.id == SourceMetadata.input_source_id)
        .where(SourceMetadata.recording_id == recording_id)
    ).one()
    if credential_id is None:
        msg = (
            f"The source of recording {recording_id} is gone or has no Zoom account: "
            "add the source with its account again, and sync it."
        )
        raise InputError(msg)
    found = read_column("source_metadata", "meta", meta, kind=ZOOM).value
    return Wanted(key, found if isinstance(found, ZoomMeta) else ZoomMeta(), credential_id)


def fetch(
    work: Work,
    target: UnfinishedFile,
    accounts: ZoomAccounts,
    settings: Settings,
    *,
    progress: ProgressCallback,
    tuning: Tuning | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> tuple[Fetched, int | None]:
    """Bring the part's best view into `target`; also its size as Zoom lists it, in bytes.

    Raises `MustWaitError` while it is worth waiting for Zoom, then a `UserActionError`.
    """
    with work.fenced() as session:
        wanted = wanted_part(session, work.recording_id)
        begun_at = _begun_at(session, work)
    listed = wanted.meta.view.file_size if wanted.meta.view is not None else None

    def client() -> ZoomClient:
        return accounts.client(work.user_id, wanted.credential_id)

    def chosen(view: ZoomFile) -> None:
        nonlocal listed
        listed = view.file_size
        _note_view(work, view)

    def admit(size: int) -> None:
        with work.database.tenant(work.user_id) as session:
            kept = _bytes_at(session, work.user_id, work.paths.source())
            require_storage(session, work.user_id, max(size - kept, 0), now())

    source = ZoomFileSource(client, wanted, chosen)
    with _patience(now, begun_at):
        fetched = download(
            source, target, tuning=tuning or tuning_of(settings), admit=admit, progress=progress
        )
    return fetched, listed


def tuning_of(settings: Settings) -> Tuning:
    return Tuning(
        connections=settings.download_connections,
        private_addresses=settings.download_private_addresses,
        most_bytes=settings.download_max_bytes,
    )


@contextmanager
def _patience(now: Callable[[], datetime], begun_at: datetime) -> Iterator[None]:
    """Zoom's refusals as sentences; what may be otherwise later is waited for."""
    try:
        yield
    except (RecordingMissing, NotThere):
        gone = (
            "Zoom has no such recording, a day after it was asked for: it was deleted there or "
            "never made, so restore it at Zoom or skip it here."
        )
        raise _later(now(), begun_at, "Zoom does not have the recording now", gone) from None
    except NotReady:
        never = "Zoom did not finish preparing the video within a day: skip it, or retry later."
        raise _later(now(), begun_at, "Zoom still prepares the video", never) from None
    except NotServed as refused:
        raise UserActionError(_REFUSED.get(refused.status, str(refused))) from None
    except TransientError as failed:
        why = str(failed)
        raise _later(now(), begun_at, why, f"{why} That went on for a day: retry.") from failed


_FORBIDDEN = (
    "Zoom refuses to give the file out ({}), also with a new token: allow downloads of cloud "
    "recordings in this Zoom account, or connect one that may download."
)
_REFUSED = {
    200: (
        "Zoom sends a page to sign in or to enter a passcode instead of the recording: allow this "
        "app to download without the passcode, or connect the Zoom account again."
    ),
    401: _FORBIDDEN.format(401),
    403: _FORBIDDEN.format(403),
}


def _later(at: datetime, begun_at: datetime, waiting: str, over: str) -> LeapError:
    gap = next_look(at - begun_at)
    if gap is None:
        return UserActionError(over)
    return MustWaitError(f"{waiting.rstrip('.')}; it is asked again later.", at + gap)


def _identity(file: ZoomFile) -> str:
    """Which view it is, whatever id Zoom gives it: that changes when a better view appears."""
    start = "" if file.recording_start is None else in_seconds(file.recording_start).isoformat()
    return f"{start} {file.recording_type} {file.file_size}"


def _begun_at(session: Session, work: Work) -> datetime:
    """When this run was first taken up: what it waited in the queue is no patience spent."""
    found = session.scalar(select(RecordingRun.started_at).where(RecordingRun.id == work.run_id))
    return found or datetime.now(UTC)


def _bytes_at(session: Session, user_id: str, path: str) -> int:
    """What a file takes that will be replaced."""
    return int(
        session.scalar(
            select(func.coalesce(func.sum(StoredObject.bytes), 0)).where(
                StoredObject.user_id == user_id, StoredObject.path == path
            )
        )
        or 0
    )


def _note_view(work: Work, view: ZoomFile) -> None:
    """What later views are compared with."""
    with work.fenced() as session:
        row = select(SourceMetadata.meta).where(SourceMetadata.recording_id == work.recording_id)
        stored: Mapping[str, Any] = session.scalar(row) or {}
        said = {
            "file_id": view.id,
            "recording_type": view.recording_type,
            "file_size": view.file_size,
            "status": view.status,
        }
        meta = {key: value for key, value in stored.items() if key != "better_view"} | {
            "view": {key: value for key, value in said.items() if value is not None}
        }
        session.execute(
            update(SourceMetadata)
            .where(SourceMetadata.recording_id == work.recording_id)
            .values(meta=validate_column("source_metadata", "meta", meta, kind=ZOOM))
        )
