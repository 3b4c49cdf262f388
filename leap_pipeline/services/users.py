"""Users: making and finding them."""

from __future__ import annotations

import re

from sqlalchemy import func, select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.subscriptions import SubscriptionPlan, UserSubscription
from leap_pipeline.db.models.users import User, UserConfig
from leap_pipeline.errors import InputError

FREE = "Free"
# No hash begins with “!”, so no password matches: the user cannot log in until one is set.
NO_PASSWORD = "!"  # noqa: S105
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def find_user(session: Session, email: str) -> User:
    """The active user of an address, any case; raises `InputError` where there is none."""
    user = _by_email(session, email)
    if user is None:
        msg = f"There is no user {email}: check the address, or make one with `leap user add`."
        raise InputError(msg)
    if not user.is_active:
        msg = f"The user {email} is switched off: an admin can switch the account on again."
        raise InputError(msg)
    return user


def add_user(session: Session, email: str, full_name: str | None = None) -> User:
    """A new user without a password, on the Free plan, with empty defaults."""
    if not _EMAIL.fullmatch(email) or len(email) > 255:
        msg = f"“{email}” is no e-mail address: give one such as name@example.org."
        raise InputError(msg)
    if _by_email(session, email) is not None:
        msg = f"There is a user {email} already."
        raise InputError(msg)
    user = User(email=email, full_name=full_name, hashed_password=NO_PASSWORD)
    session.add(user)
    session.flush()
    plan = session.scalars(select(SubscriptionPlan).where(SubscriptionPlan.name == FREE)).one()
    session.add(UserSubscription(user_id=user.id, plan_id=plan.id))
    session.add(UserConfig(user_id=user.id))
    session.flush()
    return user


def ensure_user(session: Session, email: str, full_name: str) -> User:
    """The user of that address, made where there is none."""
    return _by_email(session, email) or add_user(session, email, full_name)


def _by_email(session: Session, email: str) -> User | None:
    return session.scalars(
        select(User).where(func.lower(User.email) == email.lower()).options(lazyload("*"))
    ).first()
