"""From an address and a password to a user, at the same cost and in the same words for any failure.

Right and wrong are told apart by nobody who does not know the password: not by words, and not by
time, for a failure is answered no sooner than after `FAILURE_SECONDS`, whatever kind of hash was
compared, and a user who does not exist costs a hash too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import User
from leap_pipeline.errors import LoginRefused
from leap_pipeline.security.passwords import (
    hash_password,
    verify_nobody,
    verify_password,
)
from leap_pipeline.services.login_attempts import begin_attempt, login_name, mark_success
from leap_pipeline.services.users import lock_user, user_of

FAILURE_SECONDS = 1.0
WRONG = "The address or the password is wrong: try again, or ask for a link to set a new password."
SWITCHED_OFF = "This account is switched off: ask an admin to switch it on."


@dataclass(frozen=True)
class _Checked:
    """A right password: whose, which hash it was compared with, and a better one where due."""

    user_id: str
    hashed: str
    renewed: str | None


@contextmanager
def authenticated(
    database: Database, email: str, password: str, ip_address: str | None
) -> Iterator[tuple[Session, User]]:
    """A system transaction in which the user, whose password is right, is locked.

    Raises LoginRefused, or MustWaitError after too many failures. An older hash is replaced.
    """
    began = time.monotonic()
    with database.system() as session:
        attempt_id = begin_attempt(session, email, ip_address)
        found = user_of(session, login_name(email))
    checked = _check(found, password)
    if checked is None:
        time.sleep(max(0.0, began + FAILURE_SECONDS - time.monotonic()))
        raise LoginRefused(WRONG)
    with database.system() as session:
        user = _confirm(session, checked, password)
        mark_success(session, attempt_id)
        yield session, user


def _check(user: User | None, password: str) -> _Checked | None:
    """The slow part, in no transaction."""
    if user is None:
        verify_nobody(password)
        return None
    verdict = verify_password(password, user.hashed_password)
    if not verdict.ok:
        return None
    renewed = hash_password(password) if verdict.outdated else None
    return _Checked(user.id, user.hashed_password, renewed)


def _confirm(session: Session, checked: _Checked, password: str) -> User:
    """The user's locked row; the password may have been changed since it was compared."""
    user = lock_user(session, checked.user_id)
    unchanged = user.hashed_password == checked.hashed
    if not unchanged and not verify_password(password, user.hashed_password).ok:
        raise LoginRefused(WRONG)
    if not user.is_active:
        raise LoginRefused(SWITCHED_OFF)
    if unchanged and checked.renewed is not None:
        user.hashed_password = checked.renewed
    return user
