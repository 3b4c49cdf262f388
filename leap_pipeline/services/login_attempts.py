"""Login attempts, counted before a password is looked at, so that parallel guesses gain nothing.

An attempt is entered as failed under a lock of its account and its address, and becomes a success
when the password turns out to be right. Twenty processes at once get the free attempts between
them, and no more. An attempt that has to wait is not entered: hammering makes no wait longer.

A stranger must not lock anybody out for ever. An address from which an account was logged in to in
the last 30 days is known to it, and counts by itself: failures from elsewhere cost the owner at the
usual place nothing. From a new place the owner waits 15 minutes at most between attempts, or sets a
new password by a link, which makes the place known. All of it holds in the same way for an
account that does not exist.
"""

from __future__ import annotations

import math
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, func, insert, select, text, update
from sqlalchemy.orm import Session, aliased

from leap_pipeline.db.models.audit import LoginAttempt
from leap_pipeline.domain.addresses import counted_as
from leap_pipeline.domain.throttling import ACCOUNT, ADDRESS, KNOWN_FOR, Throttle
from leap_pipeline.errors import MustWaitError

LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('leap.login.' || :what, 0))")


def login_name(email: str) -> str:
    """The address as attempts are counted under it, whatever was typed."""
    return "".join(each for each in email.strip().lower() if each.isprintable())[:255]


def begin_attempt(session: Session, email: str, ip_address: str | None) -> int:
    """Enter an attempt, commit, and only then look at the password. Returns its id.

    Raises MustWaitError, due when the next attempt is allowed.
    """
    name, origin = login_name(email), counted_as(ip_address)
    # Always in this order, the account before the address: nobody waits in a circle.
    session.execute(LOCK, {"what": f"account.{name}"})
    if origin is not None:
        session.execute(LOCK, {"what": f"address.{origin}"})
    now: datetime = session.scalars(select(func.clock_timestamp())).one()
    due_at = _due_at(session, name, origin, now)
    if due_at > now:
        seconds = math.ceil((due_at - now).total_seconds())
        wait = f"{seconds} s" if seconds < 60 else f"{math.ceil(seconds / 60)} min"
        msg = f"Too many attempts to log in failed: try again in {wait}."
        raise MustWaitError(msg, due_at)
    return session.scalars(
        insert(LoginAttempt)
        .values(email=name, ip_address=origin, succeeded=False, at=now)
        .returning(LoginAttempt.id)
    ).one()


def mark_success(session: Session, attempt_id: int) -> None:
    """The password was right."""
    session.execute(
        update(LoginAttempt).where(LoginAttempt.id == attempt_id).values(succeeded=True)
    )


def make_known(session: Session, email: str, ip_address: str | None) -> None:
    """The owner has shown at this address, by a link, who they are."""
    session.execute(
        insert(LoginAttempt).values(
            email=login_name(email), ip_address=counted_as(ip_address), succeeded=True
        )
    )


def sweep_attempts(session: Session) -> int:
    """Delete what counts for nothing any more; returns how many."""
    return len(
        session.scalars(
            delete(LoginAttempt)
            .where(LoginAttempt.at < func.now() - KNOWN_FOR)
            .returning(LoginAttempt.id)
        ).all()
    )


def _due_at(session: Session, name: str, origin: str | None, now: datetime) -> datetime:
    own = LoginAttempt.email == name
    if origin is None:
        return _after_failures(session, ACCOUNT, now, own, _unknown(now))
    here = LoginAttempt.ip_address == origin
    last_success = session.scalar(
        select(func.max(LoginAttempt.at)).where(
            own, here, LoginAttempt.succeeded, LoginAttempt.at > now - KNOWN_FOR
        )
    )
    if last_success is not None:
        return _after_failures(session, ACCOUNT, now, own, here, LoginAttempt.at > last_success)
    return max(
        _after_failures(session, ACCOUNT, now, own, _unknown(now)),
        _after_failures(session, ADDRESS, now, here),
    )


def _after_failures(
    session: Session, throttle: Throttle, now: datetime, *conditions: ColumnElement[bool]
) -> datetime:
    """When the next attempt is allowed, by the failures that meet the conditions."""
    failures, last = session.execute(
        select(func.count(), func.max(LoginAttempt.at)).where(
            *conditions, ~LoginAttempt.succeeded, LoginAttempt.at > now - throttle.window
        )
    ).one()
    return now if last is None else last + throttle.wait(failures)


def _unknown(now: datetime) -> ColumnElement[bool]:
    """The attempt came from no address that its account knows."""
    other = aliased(LoginAttempt)
    return ~exists().where(
        other.email == LoginAttempt.email,
        other.ip_address == LoginAttempt.ip_address,
        other.succeeded,
        other.at > now - KNOWN_FOR,
    )
