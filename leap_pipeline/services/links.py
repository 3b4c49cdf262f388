"""One-time links: who has one may do one thing once, in the name of its user."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from leap_pipeline.db.models.users import OneTimeLink, User
from leap_pipeline.errors import UserActionError
from leap_pipeline.security.tokens import fingerprint, new_token
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.login_attempts import make_known
from leap_pipeline.services.users import lock_user, set_password, set_verified


class Purpose(StrEnum):
    """What a link is for: the values of `one_time_links.purpose`."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105


VALID_FOR: Mapping[Purpose, timedelta] = {
    Purpose.VERIFY_EMAIL: timedelta(days=7),
    Purpose.RESET_PASSWORD: timedelta(hours=1),
}


def make_link(session: Session, user_id: str, purpose: Purpose, actor: Actor) -> str:
    """A new token for the user, shown once and kept as a hash; an older one of its kind ends."""
    user = lock_user(session, user_id)
    if not user.is_active:
        msg = f"The user {user.email} is switched off: switch the account on first."
        raise UserActionError(msg)
    session.execute(
        delete(OneTimeLink).where(
            OneTimeLink.user_id == user_id,
            OneTimeLink.purpose == purpose,
            OneTimeLink.used_at.is_(None),
        )
    )
    token = new_token()
    session.add(
        OneTimeLink(
            user_id=user_id,
            purpose=purpose,
            token_hash=fingerprint(token),
            expires_at=func.now() + VALID_FOR[purpose],
            created_by=actor.id,
        )
    )
    session.flush()
    after = {"purpose": purpose}
    record(session, actor, "link.create", "user", user_id, owner_id=user_id, after=after)
    return token


def verify_email(session: Session, token: str, actor: Actor) -> str:
    """Use up the link; the user's address is verified from now on. Returns the user's id."""
    user = _use(session, token, Purpose.VERIFY_EMAIL)
    set_verified(session, user.id, verified=True, actor=_as_user(actor, user))
    return user.id


def reset_password(session: Session, token: str, password: str, actor: Actor) -> str:
    """Use up the link and set the password, which ends all sessions. Returns the user's id.

    The address that `actor` comes from is known to the account from now on, so that a stranger's
    failures do not keep its owner out. Raises InputError where the policy refuses the password;
    then the link still works.
    """
    user = _use(session, token, Purpose.RESET_PASSWORD)
    set_password(session, user.id, password, _as_user(actor, user))
    make_known(session, user.email, actor.ip_address)
    return user.id


def sweep_links(session: Session) -> int:
    """Delete expired links; returns how many."""
    swept = delete(OneTimeLink).where(OneTimeLink.expires_at <= func.now())
    return len(session.scalars(swept.returning(OneTimeLink.id)).all())


def _use(session: Session, token: str, purpose: Purpose) -> User:
    """The user of a link that works, which it does not from now on."""
    named = (OneTimeLink.token_hash == fingerprint(token), OneTimeLink.purpose == purpose)
    user_id = session.scalar(select(OneTimeLink.user_id).where(*named))
    user = None if user_id is None else lock_user(session, user_id)
    used = session.scalar(
        update(OneTimeLink)
        .where(*named, OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > func.now())
        .values(used_at=func.now())
        .returning(OneTimeLink.id)
    )
    if user is None or used is None or not user.is_active:
        msg = "This link was used before or has expired: ask for a new one."
        raise UserActionError(msg)
    return user


def _as_user(actor: Actor, user: User) -> Actor:
    """Who holds the link acts as its user."""
    return Actor(user.id, user.email, actor.ip_address, actor.user_agent)
