"""Looking again at recordings that their source still prepares, until they come or a day is over.

Only an answer of the source counts against a recording: while the source cannot be asked, nothing
is given up, and the source itself tells what is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select, update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording, SourceMetadata
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.states import DownloadStatus, RecordingStatus
from leap_pipeline.domain.wanted import GIVEN_UP, LONGEST_GAP, next_look
from leap_pipeline.domain.zoom_parts import uuid_of
from leap_pipeline.errors import LeapError, MustWaitError
from leap_pipeline.services.projection import lock_recording, refresh_status
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_sources import ZOOM
from leap_pipeline.services.zoom_sync import sync_meeting
from leap_pipeline.settings import Settings
from leap_pipeline.sources.zoom.errors import RecordingMissing

MOST_LOOKS = 500
ACTIVE = str(DeleteState.ACTIVE)


@dataclass(frozen=True)
class Look:
    """A recording to look at; without a source there is nobody to ask."""

    recording_id: int
    user_id: str
    key: str
    source_id: int | None
    credential_id: int | None
    due: datetime | None


def due_looks(database: Database, now: datetime) -> list[Look]:
    """Zoom's recordings whose time has come, oldest first; those without a time come first."""
    with database.system() as session:
        rows = session.execute(
            select(
                Recording.id,
                Recording.user_id,
                SourceMetadata.source_key,
                InputSource.id,
                InputSource.credential_id,
                Recording.next_look_at,
            )
            .join(SourceMetadata, SourceMetadata.recording_id == Recording.id)
            .join(User, User.id == Recording.user_id)
            .outerjoin(InputSource, InputSource.id == Recording.input_source_id)
            .where(
                Recording.status == str(RecordingStatus.PENDING_SOURCE),
                SourceMetadata.source_type == ZOOM,
                func.coalesce(Recording.delete_state, ACTIVE) == ACTIVE,
                User.is_active.is_(True),
                or_(Recording.next_look_at.is_(None), Recording.next_look_at <= now),
            )
            .order_by(Recording.next_look_at.asc().nulls_first(), Recording.id)
            .limit(MOST_LOOKS)
        ).all()
    return [Look(row[0], row[1] or "", row[2], row[3], row[4], row[5]) for row in rows]


def claim_look(database: Database, look: Look, until: datetime) -> bool:
    """Take a look for oneself; False where another did, or the recording has come meanwhile."""
    with database.tenant(look.user_id) as session:
        claimed = session.execute(
            update(Recording)
            .where(
                Recording.id == look.recording_id,
                Recording.status == str(RecordingStatus.PENDING_SOURCE),
                Recording.next_look_at.is_not_distinct_from(look.due),
            )
            .values(next_look_at=until)
            .returning(Recording.id)
            .execution_options(synchronize_session=False)
        ).all()
    return bool(claimed)


def look_again(
    database: Database,
    accounts: ZoomAccounts,
    look: Look,
    *,
    now: datetime,
    settings: Settings,
    created: list[str] | None = None,
) -> bool:
    """Ask the source for one recording; True where it is given up.

    Raises LeapErrors of a source that cannot be asked, after noting when to ask again.
    """
    try:
        if look.source_id is not None:
            sync_meeting(
                database,
                accounts,
                look.source_id,
                uuid_of(look.key),
                now=now,
                settings=settings,
                created=created,
            )
    except RecordingMissing:
        pass
    except LeapError as error:
        _settle(database, look, now, unasked=error)
        raise
    return _settle(database, look, now)


def _settle(
    database: Database, look: Look, now: datetime, *, unasked: LeapError | None = None
) -> bool:
    """Say when to look next, or give up; `unasked` is why the source did not answer."""
    with database.tenant(look.user_id) as session:
        recording = lock_recording(session, look.recording_id).recording
        pending = recording.download_status == DownloadStatus.PENDING_SOURCE
        if not pending or recording.skip_reason is not None:
            return False
        gap = next_look(now - (recording.created_at or now))
        if gap is None and unasked is None:
            recording.skip_reason, recording.next_look_at = GIVEN_UP, None
            refresh_status(session, look.recording_id)
            return True
        due = now + (gap or LONGEST_GAP)
        recording.next_look_at = (
            max(due, unasked.due_at) if isinstance(unasked, MustWaitError) else due
        )
        return False
