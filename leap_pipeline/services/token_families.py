"""Rows of refresh tokens. All tokens that one login led to are a family, which ends as a whole.

Whoever writes here has locked the user's row first (`services.users.lock_user`), so that no token
is born while its family ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session
from ulid import ULID

from leap_pipeline.db.models.users import RefreshToken

LIVE: ColumnElement[bool] = and_(
    RefreshToken.revoked.is_not(True), RefreshToken.expires_at > func.now()
)


def is_live(session: Session, family_id: str) -> bool:
    """Has the family a token that has neither been rotated, nor ended, nor expired?"""
    found = select(RefreshToken.id).where(RefreshToken.family_id == family_id, LIVE).limit(1)
    return session.scalar(found) is not None


@dataclass(frozen=True)
class SessionInfo:
    """A live session as its user sees it; `last_seen_at` is when a page was last loaded."""

    family_id: str
    ip_address: str | None
    user_agent: str | None
    started_at: datetime
    last_seen_at: datetime
    expires_at: datetime


def live_sessions(session: Session, user_id: str) -> list[SessionInfo]:
    """The user's live sessions, last seen first; works for the user's own role too."""
    newest = session.scalars(
        select(RefreshToken)
        .ext(distinct_on(RefreshToken.family_id))
        .where(RefreshToken.user_id == user_id, RefreshToken.family_id.is_not(None), LIVE)
        .order_by(RefreshToken.family_id, RefreshToken.id.desc())
    ).all()
    found = [
        SessionInfo(
            family_id=row.family_id,
            ip_address=None if row.ip_address is None else str(row.ip_address),
            user_agent=row.user_agent,
            started_at=ULID.from_str(row.family_id).datetime,
            last_seen_at=row.created_at,
            expires_at=row.expires_at,
        )
        for row in newest
        if row.family_id is not None and row.created_at is not None
    ]
    return sorted(found, key=lambda each: each.last_seen_at, reverse=True)


def end_families(
    session: Session,
    user_id: str,
    *,
    only: str | None = None,
    keep: str | None = None,
) -> int:
    """End the user's sessions: all, one family, or all but one. Returns how many were live."""
    mine = [RefreshToken.user_id == user_id]
    if only is not None:
        mine.append(RefreshToken.family_id == only)
    if keep is not None:
        mine.append(RefreshToken.family_id.is_distinct_from(keep))
    live = select(func.count(RefreshToken.family_id.distinct())).where(*mine, LIVE)
    ended = session.scalars(live).one()
    session.execute(
        update(RefreshToken)
        .where(*mine, RefreshToken.revoked.is_not(True))
        .values(revoked=True)
        .execution_options(synchronize_session=False)
    )
    return ended


def sweep_tokens(session: Session) -> int:
    """Delete expired tokens; returns how many.

    Rotated ones stay until then, for by them a stolen token is noticed.
    """
    swept = (
        delete(RefreshToken)
        .where(RefreshToken.expires_at <= func.now())
        .returning(RefreshToken.id)
        .execution_options(synchronize_session=False)
    )
    return len(session.scalars(swept).all())
