"""The published videos that are looked at until their platforms have processed them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, case, func, or_, select, tuple_, update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.publishing import UploadSession
from leap_pipeline.db.models.recordings import OutputTarget, Recording
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.identity import partition_key
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.processing import (
    FAILED,
    GONE,
    PROCESSED,
    PROCESSING,
    SEARCHED_AGAIN_AFTER,
)
from leap_pipeline.domain.states import Platform, UploadState
from leap_pipeline.publishing.uploader import Upload, Video
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.holds import hold
from leap_pipeline.services.projection import lock_recording

MOST_OF_AN_ACCOUNT = 50
ACTIVE = str(DeleteState.ACTIVE)


@dataclass(frozen=True)
class Look:
    """A published video to look at; `seconds` is the playing time of the file that was sent.

    `resent` is what to search for where it was sent more than once, `searches` how often it was.
    """

    upload_id: int
    user_id: str
    recording_id: int
    partition: str
    platform: Platform
    credential_id: int | None
    video: Video
    seconds: float | None
    uploaded_at: datetime
    looks: int
    due: datetime
    resent: Upload | None = None
    searches: int = 0


def due_looks(database: Database, now: datetime) -> list[Look]:
    """The videos whose time has come, oldest first, of an account no more than 50."""
    place = func.row_number().over(
        partition_by=UploadSession.credential_id,
        order_by=(UploadSession.next_look_at, UploadSession.id),
    )
    ranked = (
        select(
            UploadSession.id,
            UploadSession.user_id,
            User.user_slug,
            OutputTarget.recording_id,
            OutputTarget.target_type,
            UploadSession.credential_id,
            UploadSession.video_id,
            OutputTarget.target_meta["url"].astext.label("url"),
            UploadSession.owner_id,
            UploadSession.duration,
            func.coalesce(UploadSession.uploaded_at, UploadSession.created_at).label("uploaded_at"),
            UploadSession.looks,
            UploadSession.next_look_at,
            UploadSession.generation,
            UploadSession.searches,
            UploadSession.marker,
            UploadSession.bytes,
            UploadSession.account,
            UploadSession.created_at,
            place.label("place"),
        )
        .join(OutputTarget, OutputTarget.id == UploadSession.target_id)
        .join(Recording, Recording.id == OutputTarget.recording_id)
        .join(User, User.id == UploadSession.user_id)
        .where(
            UploadSession.next_look_at <= now,
            UploadSession.state == UploadState.UPLOADED,
            UploadSession.video_id.is_not(None),
            func.coalesce(Recording.delete_state, ACTIVE) == ACTIVE,
            User.is_active.is_(True),
        )
        .subquery()
    )
    query = (
        select(ranked)
        .where(ranked.c.place <= MOST_OF_AN_ACCOUNT)
        .order_by(ranked.c.next_look_at, ranked.c.id)
    )
    with database.system() as session:
        rows = session.execute(query).all()
    return [_look(row) for row in rows]


def _look(row: Row[Any]) -> Look:
    platform = Platform(row.target_type)
    return Look(
        upload_id=row.id,
        user_id=row.user_id,
        recording_id=row.recording_id,
        partition=partition_key(row.user_slug, row.recording_id),
        platform=platform,
        credential_id=row.credential_id,
        video=Video(row.video_id, row.url or "", row.owner_id),
        seconds=row.duration,
        uploaded_at=row.uploaded_at,
        looks=row.looks,
        due=row.next_look_at,
        resent=_resent(row, platform),
        searches=row.searches,
    )


def _resent(row: Row[Any], platform: Platform) -> Upload | None:
    """On VK nothing is sent again before what was there is deleted by its id."""
    if platform is not Platform.YOUTUBE or row.generation < 2:
        return None
    # All of its sessions began after it was planned.
    return Upload(row.marker, row.bytes, row.account, None, opened_at=row.created_at)


def acknowledge(database: Database, reported: Iterable[tuple[int, int]]) -> None:
    """These outcomes (upload and looks) are where they belong: nobody need look again.

    What was sent more than once is looked at once more after an hour, whatever came of it.
    """
    known = list(reported)
    if not known:
        return
    once_more = (UploadSession.searches == 1, UploadSession.uploaded_at + SEARCHED_AGAIN_AFTER)
    with database.system() as session:
        session.execute(
            update(UploadSession)
            .where(tuple_(UploadSession.id, UploadSession.looks).in_(known))
            .values(next_look_at=case(once_more, else_=None))
            .execution_options(synchronize_session=False)
        )


@dataclass(frozen=True)
class WrongOne:
    """A published video that cannot be watched as it was sent, as its last look found it."""

    partition: str
    state: str
    note: str | None


def wrong_ones(database: Database, platform: Platform) -> list[WrongOne]:
    """The videos of all tenants that failed, are gone, were given up, or play for another time."""
    given_up = and_(
        UploadSession.processing == PROCESSING,
        UploadSession.next_look_at.is_(None),
        UploadSession.looks > 0,
    )
    with database.system() as session:
        rows = session.execute(
            select(
                User.user_slug,
                OutputTarget.recording_id,
                UploadSession.processing,
                UploadSession.processing_note,
            )
            .join(OutputTarget, OutputTarget.id == UploadSession.target_id)
            .join(User, User.id == UploadSession.user_id)
            .join(Recording, Recording.id == OutputTarget.recording_id)
            .where(
                OutputTarget.target_type == platform,
                func.coalesce(Recording.delete_state, ACTIVE) == ACTIVE,
                UploadSession.state == UploadState.UPLOADED,
                or_(
                    UploadSession.processing.in_((FAILED, GONE)),
                    and_(
                        UploadSession.processing == PROCESSED,
                        UploadSession.processing_note.is_not(None),
                    ),
                    given_up,
                ),
            )
            .order_by(UploadSession.id.desc())
        ).all()
    return [WrongOne(partition_key(row[0], row[1]), row[2] or "", row[3]) for row in rows]


def write(
    database: Database, look: Look, due: datetime, *, others: Sequence[str] = (), **values: object
) -> bool:
    """Change a row that is due then; False where somebody else has looked meanwhile, or it is of
    another video now. With the addresses of `others` of the same recording its target is held.
    """
    with database.tenant(look.user_id) as session:
        if others:
            lock_recording(session, look.recording_id)
        written = session.execute(
            update(UploadSession)
            .where(
                UploadSession.id == look.upload_id,
                UploadSession.video_id == look.video.video_id,
                UploadSession.looks == look.looks,
                UploadSession.next_look_at == due,
            )
            .values(**values)
            .returning(UploadSession.id)
            .execution_options(synchronize_session=False)
        ).all()
        if written and others:
            name = PLATFORM_NAMES[look.platform]
            hold(
                session,
                look.recording_id,
                HoldKind.DOUBTFUL_UPLOAD,
                f"{name} has it more than once, as it showed the first one too late: delete the "
                "others there, then release it",
                platform=look.platform,
                facts={"published": look.video.url, "others": list(others)},
                actor=SYSTEM,
            )
    return bool(written)
