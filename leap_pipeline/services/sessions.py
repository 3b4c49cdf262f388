"""Login sessions: a family of refresh tokens, of which one after the other is carried in a cookie.

A token is rotated whenever a page is loaded over HTTP. Two tabs may do so at once with one token:
within a grace window after its rotation it still gives a new one. After that window somebody has
kept a copy of it, and the whole family ends. What counts is the database's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session, lazyload
from ulid import ULID

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.notices import Notice
from leap_pipeline.db.models.users import RefreshToken, User, UserConfig
from leap_pipeline.domain.addresses import Origin
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.errors import InputError, SessionEnded
from leap_pipeline.security.tokens import Claims, fingerprint, load_signer
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.links import sweep_links
from leap_pipeline.services.login import authenticated
from leap_pipeline.services.login_attempts import sweep_attempts
from leap_pipeline.services.token_families import LIVE, end_families, is_live, sweep_tokens
from leap_pipeline.services.users import lock_user, rights_of, set_password
from leap_pipeline.settings import Settings

NOWHERE = Origin()
MOST_UNREAD = 100
ENDED = "You are logged out: log in again."
# A part of the statement that looks a person up: no page pays another one for it.
UNREAD = (
    select(func.count())
    .select_from(
        select(Notice.id)
        .where(Notice.user_id == User.id, Notice.read_at.is_(None))
        .limit(MOST_UNREAD)
        .correlate(User)
        .subquery()
    )
    .correlate(User)
    .scalar_subquery()
)


@dataclass(frozen=True)
class Issued:
    """A token for the cookie, which is worth nothing after `expires_at`."""

    token: str
    user_id: str
    family_id: str
    expires_at: datetime


@dataclass(frozen=True)
class SignedIn:
    """Who is behind a live session, as the database has it now."""

    family_id: str
    user_id: str
    user_slug: int
    email: str
    full_name: str | None
    timezone: str
    is_verified: bool
    rights: Rights
    language: str | None = None
    """What the user chose for the console; None: nothing yet."""
    unread: int = 0
    """Notices that the user has not read, counted up to 100."""


class Sessions:
    """Logging in, staying so, and logging out. Safe to share between threads."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._signer = load_signer(settings)
        self._lifetime = timedelta(days=settings.session_days)
        self._grace = timedelta(seconds=settings.session_grace_seconds)

    def login(self, email: str, password: str, origin: Origin = NOWHERE) -> Issued:
        """A new family and its first token.

        Raises LoginRefused, or MustWaitError after too many failures.
        """
        with authenticated(self._database, email, password, origin.ip_address) as (session, user):
            now = _now(session)
            user.last_login_at = now
            claims = Claims(user.id, str(ULID.from_datetime(now)))
            issued = self._issue(session, claims, origin, now)
            actor = Actor(user.id, user.email, origin.ip_address, origin.user_agent)
            _note(session, actor, "session.start", user.id, issued.family_id)
            return issued

    def refresh(self, token: str, origin: Origin = NOWHERE) -> Issued:
        """The token's successor. Raises SessionEnded."""
        claims = self._claims(token)
        with self._database.system() as session:
            issued = self._successor(session, claims, fingerprint(token), origin)
        # After the commit: a replay is refused, and the end of its family stays.
        if issued is None:
            raise SessionEnded(ENDED)
        return issued

    def check(self, family_id: str) -> SignedIn:
        """Who a family belongs to, if it lives: asked at every rerun. Raises SessionEnded."""
        with self._database.system() as session:
            found = session.execute(
                select(User, UserConfig.preferences["language"].astext, UNREAD)
                .join(RefreshToken, RefreshToken.user_id == User.id)
                .outerjoin(UserConfig, UserConfig.user_id == User.id)
                .where(RefreshToken.family_id == family_id, LIVE, User.is_active)
                .limit(1)
                .options(lazyload("*"))
            ).first()
        if found is None:
            raise SessionEnded(ENDED)
        user, language, unread = found
        return SignedIn(
            family_id=family_id,
            user_id=user.id,
            user_slug=user.user_slug,
            email=user.email,
            full_name=user.full_name,
            timezone=user.timezone,
            is_verified=user.is_verified,
            rights=rights_of(user),
            language=language,
            unread=unread,
        )

    def check_token(self, token: str) -> SignedIn:
        """The same for a websocket's cookie, which cannot be rotated. Raises SessionEnded."""
        claims = self._claims(token)
        with self._database.system() as session:
            row = _row(session, fingerprint(token))
            fresh = row is not None and self._fresh(row, _now(session))
        if not fresh:
            raise SessionEnded(ENDED)
        return self.check(claims.family_id)

    def logout(self, user_id: str, family_id: str, actor: Actor) -> None:
        """End one session of the user; one that is not theirs stays as it is."""
        with self._database.system() as session:
            lock_user(session, user_id)
            if end_families(session, user_id, only=family_id):
                _note(session, actor, "session.end", user_id, family_id)

    def logout_everywhere(self, user_id: str, actor: Actor, *, keep: str | None = None) -> int:
        """End all of the user's sessions (but the family `keep`); returns how many."""
        with self._database.system() as session:
            lock_user(session, user_id)
            ended = end_families(session, user_id, keep=keep)
            after = {"sessions_ended": ended}
            record(
                session, actor, "session.end_all", "user", user_id, owner_id=user_id, after=after
            )
        return ended

    def change_password(
        self, who: SignedIn, current: str, new: str, origin: Origin = NOWHERE
    ) -> None:
        """A user's own change, by the current password; the other sessions end.

        Raises LoginRefused, MustWaitError, or InputError where the policy refuses the new one.
        """
        given = (who.email, current, origin.ip_address)
        with authenticated(self._database, *given) as (session, user):
            actor = Actor(user.id, user.email, origin.ip_address, origin.user_agent)
            set_password(session, user.id, new, actor, keep=who.family_id)

    def _claims(self, token: str) -> Claims:
        claims = self._signer.read(token)
        if claims is None:
            raise SessionEnded(ENDED)
        return claims

    def _successor(
        self, session: Session, claims: Claims, hashed: str, origin: Origin
    ) -> Issued | None:
        try:
            user = lock_user(session, claims.user_id)
        except InputError:  # removed since
            return None
        row = _row(session, hashed)
        if row is None or not user.is_active:
            return None
        now = _now(session)
        if not is_live(session, claims.family_id) or row.expires_at <= now:
            return None
        if not self._fresh(row, now):
            end_families(session, user.id, only=claims.family_id)
            thief = Actor(None, "a copy of a token", origin.ip_address, origin.user_agent)
            _note(session, thief, "session.replay", user.id, claims.family_id)
            return None
        if not row.revoked:
            row.revoked, row.replaced_at = True, now
        return self._issue(session, claims, origin, now)

    def _fresh(self, row: RefreshToken, now: datetime) -> bool:
        """Neither ended, nor rotated longer ago than the grace."""
        if row.revoked and row.replaced_at is None:
            return False
        return row.replaced_at is None or now - row.replaced_at <= self._grace

    def _issue(self, session: Session, claims: Claims, origin: Origin, now: datetime) -> Issued:
        expires_at = now + self._lifetime
        token = self._signer.sign(claims, now, expires_at)
        session.add(
            RefreshToken(
                user_id=claims.user_id,
                token=fingerprint(token),
                family_id=claims.family_id,
                created_at=now,
                expires_at=expires_at,
                revoked=False,
                ip_address=origin.ip_address,
                user_agent=origin.user_agent,
            )
        )
        session.flush()
        return Issued(token, claims.user_id, claims.family_id, expires_at)


def sweep(session: Session) -> dict[str, int]:
    """Delete what has expired, of all users; how many of each."""
    return {
        "tokens": sweep_tokens(session),
        "links": sweep_links(session),
        "attempts": sweep_attempts(session),
    }


def _row(session: Session, hashed: str) -> RefreshToken | None:
    return session.scalars(select(RefreshToken).where(RefreshToken.token == hashed)).one_or_none()


def _now(session: Session) -> datetime:
    """The clock itself: a transaction's own time stands still while it waits for a lock."""
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    return now


def _note(session: Session, actor: Actor, action: str, user_id: str, family_id: str) -> None:
    record(session, actor, action, "session", family_id, owner_id=user_id)
