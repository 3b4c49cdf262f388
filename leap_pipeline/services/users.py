"""Users: making, finding and changing them; every change is in the audit log.

Whoever changes a user holds its row's lock, and takes it before those of its tokens and links.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.subscriptions import SubscriptionPlan, UserSubscription
from leap_pipeline.db.models.users import OneTimeLink, User, UserConfig
from leap_pipeline.domain.permissions import Permission, Rights, Role
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.security.passwords import check_policy, hash_password
from leap_pipeline.services.audit import SYSTEM, Actor, record
from leap_pipeline.services.thumbnails import copy_defaults
from leap_pipeline.services.token_families import end_families
from leap_pipeline.storage.local import LocalStorage

FREE = "Free"
UTC = "UTC"
# No hash begins with “!”, so no password matches: the user cannot log in until one is set.
NO_PASSWORD = "!"  # noqa: S105
LONGEST_NAME = 255
UNIQUE_VIOLATION = "23505"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
# "LEAPADMN" in ASCII. Whoever may leave LEAP without an admin holds it, before any row's lock.
ADMINS_LOCK = text("SELECT pg_advisory_xact_lock(5495870733223742798)")


def normal_email(email: str) -> str:
    """The address as it is stored: lower case, so that it is taken once in any case."""
    found = email.lower()
    if not _EMAIL.fullmatch(found) or len(found) > 255 or not found.isprintable():
        msg = f"“{email}” is no e-mail address: give one such as name@example.org."
        raise InputError(msg)
    return found


def find_user(session: Session, email: str, *, active: bool = True) -> User:
    """The (active) user of an address, any case; raises `InputError` where there is none."""
    user = user_of(session, email)
    if user is None:
        msg = f"There is no user {email}: check the address, or make one with `leap user add`."
        raise InputError(msg)
    if active and not user.is_active:
        msg = f"The user {email} is switched off: an admin can switch the account on again."
        raise InputError(msg)
    return user


def add_user(
    session: Session,
    email: str,
    full_name: str | None = None,
    *,
    password: str | None = None,
    role: Role = Role.USER,
    actor: Actor = SYSTEM,
    storage: LocalStorage | None = None,
) -> User:
    """A new user on the Free plan, with empty defaults; without a password nobody logs in.

    In `storage` it gets copies of the shared thumbnails. Raises InputError for a wrong or taken
    address, name or password.
    """
    user = User(
        email=normal_email(email),
        full_name=_name(full_name),
        role=role,
        hashed_password=NO_PASSWORD if password is None else _new_hash(password, email),
    )
    if user_of(session, email) is not None:
        raise _taken(email)
    with _unique_address(session, email):
        session.add(user)
    plan = session.scalars(select(SubscriptionPlan).where(SubscriptionPlan.name == FREE)).one()
    session.add(UserSubscription(user_id=user.id, plan_id=plan.id))
    session.add(UserConfig(user_id=user.id))
    session.flush()
    if storage is not None:
        copy_defaults(session, storage, user)
    made = {"email": user.email, "full_name": user.full_name, "role": user.role}
    record(session, actor, "user.create", "user", user.id, owner_id=user.id, after=made)
    return user


def ensure_user(
    session: Session, email: str, full_name: str, *, storage: LocalStorage | None = None
) -> User:
    """The user of that address, made where there is none."""
    return user_of(session, email) or add_user(session, email, full_name, storage=storage)


def user_of(session: Session, email: str) -> User | None:
    """The user of an address, any case, active or not."""
    return session.scalars(
        select(User).where(func.lower(User.email) == email.lower()).options(lazyload("*"))
    ).first()


def list_users(session: Session, *, after_slug: int = 0, limit: int = 100) -> list[User]:
    """A page of users in the order in which they came."""
    return list(
        session.scalars(
            select(User)
            .where(User.user_slug > after_slug)
            .order_by(User.user_slug)
            .limit(limit)
            .options(lazyload("*"))
        )
    )


def lock_user(session: Session, user_id: str) -> User:
    """The user as it is now, locked until the transaction ends."""
    user = session.scalars(
        select(User)
        .where(User.id == user_id)
        .options(lazyload("*"))
        .with_for_update(key_share=True)  # rows that refer to the user can be inserted meanwhile
        .execution_options(populate_existing=True)
    ).one_or_none()
    if user is None:
        msg = f"There is no user {user_id}: look at the list of users."
        raise InputError(msg)
    return user


def rights_of(user: User) -> Rights:
    """A role that LEAP does not know is that of a user."""
    return Rights(
        role=Role.ADMIN if user.role == Role.ADMIN else Role.USER,
        permissions=frozenset(each for each in Permission if getattr(user, each)),
    )


def update_profile(
    session: Session,
    user_id: str,
    *,
    full_name: str | None = None,
    timezone: str | None = None,
    actor: Actor,
) -> None:
    """Change what users change of themselves; None leaves it, an empty name removes it."""
    changes: dict[str, Any] = {}
    if full_name is not None:
        changes["full_name"] = _name(full_name)
    if timezone is not None:
        changes["timezone"] = _timezone(timezone)
    _change(session, lock_user(session, user_id), changes, actor)


def change_email(session: Session, user_id: str, email: str, actor: Actor) -> None:
    """Another address, which is not verified; links that went to the old one end."""
    user = lock_user(session, user_id)
    holder = user_of(session, email)
    if holder is not None and holder.id != user_id:
        raise _taken(email)
    wanted = normal_email(email)
    if wanted == user.email:
        return
    with _unique_address(session, email):
        _change(session, user, {"email": wanted, "is_verified": False}, actor)
    void_links(session, user_id)


def set_role(session: Session, user_id: str, role: Role, actor: Actor) -> None:
    """Raises UserActionError for the last active admin, who stays one."""
    session.execute(ADMINS_LOCK)
    user = lock_user(session, user_id)
    if role is not Role.ADMIN:
        _keep_an_admin(session, user, "made a user")
    _change(session, user, {"role": str(role)}, actor, "user.set_role")


def set_permissions(
    session: Session, user_id: str, permissions: Mapping[Permission, bool], actor: Actor
) -> None:
    """Grant and take away; permissions that are not named stay."""
    changes = {str(permission): allowed for permission, allowed in permissions.items()}
    _change(session, lock_user(session, user_id), changes, actor, "user.set_permissions")


def set_active(session: Session, user_id: str, *, active: bool, actor: Actor) -> None:
    """Switch an account on, or off, which ends all its sessions at once.

    Raises UserActionError for the last active admin, who stays active.
    """
    session.execute(ADMINS_LOCK)
    user = lock_user(session, user_id)
    if not active:
        _keep_an_admin(session, user, "switched off")
        end_families(session, user_id)
        void_links(session, user_id)
    _change(session, user, {"is_active": active}, actor, "user.set_active")


def set_verified(session: Session, user_id: str, *, verified: bool, actor: Actor) -> None:
    _change(session, lock_user(session, user_id), {"is_verified": verified}, actor)


def set_password(
    session: Session, user_id: str, password: str, actor: Actor, *, keep: str | None = None
) -> None:
    """A new password ends the user's sessions (but the family `keep`) and links.

    Raises InputError where the policy refuses it.
    """
    user = lock_user(session, user_id)
    user.hashed_password = _new_hash(password, user.email)
    session.flush()
    ended = end_families(session, user_id, keep=keep)
    void_links(session, user_id)
    after = {"sessions_ended": ended}
    record(session, actor, "user.set_password", "user", user_id, owner_id=user_id, after=after)


def remove_user(session: Session, user_id: str, actor: Actor) -> int:
    """Delete the user and every row of theirs; returns the slug, whose folder is still there.

    Raises UserActionError for the last active admin.
    """
    session.execute(ADMINS_LOCK)
    user = lock_user(session, user_id)
    _keep_an_admin(session, user, "removed")
    before = {"email": user.email, "role": user.role, "user_slug": user.user_slug}
    session.delete(user)
    session.flush()
    record(session, actor, "user.remove", "user", user_id, owner_id=user_id, before=before)
    return user.user_slug


def void_links(session: Session, user_id: str) -> None:
    """One-time links of the user that have not been used end."""
    session.execute(
        delete(OneTimeLink)
        .where(OneTimeLink.user_id == user_id, OneTimeLink.used_at.is_(None))
        .execution_options(synchronize_session=False)
    )


def _change(
    session: Session,
    user: User,
    wanted: Mapping[str, Any],
    actor: Actor,
    action: str = "user.update",
) -> None:
    """Write what differs, and the entry about it; nothing where nothing differs."""
    before = {name: old for name, new in wanted.items() if (old := getattr(user, name)) != new}
    if not before:
        return
    after = {name: wanted[name] for name in before}
    for name, value in after.items():
        setattr(user, name, value)
    session.flush()
    record(session, actor, action, "user", user.id, owner_id=user.id, before=before, after=after)


def _keep_an_admin(session: Session, user: User, done: str) -> None:
    if user.role != Role.ADMIN or not user.is_active:
        return
    others = select(User.id).where(User.role == Role.ADMIN, User.is_active, User.id != user.id)
    if session.scalar(others.limit(1)) is None:
        msg = f"{user.email} is the last active admin and cannot be {done}: appoint another first."
        raise UserActionError(msg)


def _new_hash(password: str, email: str) -> str:
    check_policy(password, email=email)
    return hash_password(password)


def _name(name: str | None) -> str | None:
    found = (name or "").strip()
    if len(found) > LONGEST_NAME or not found.isprintable():
        msg = f"A name has at most {LONGEST_NAME} printable characters: shorten or correct it."
        raise InputError(msg)
    return found or None


@cache
def time_zones() -> tuple[str, ...]:
    """The time zones that a user may have, in order.

    Without names such as localtime or Factory, which Python knows and PostgreSQL does not.
    """
    return tuple(
        sorted(each for each in zoneinfo.available_timezones() if "/" in each or each == UTC)
    )


def _timezone(name: str) -> str:
    if name not in time_zones():
        msg = f"“{name}” is no time zone: give one such as Europe/Moscow or UTC."
        raise InputError(msg)
    return name


@contextmanager
def _unique_address(session: Session, email: str) -> Iterator[None]:
    """Says so when somebody else took the address an instant before."""
    try:
        with session.begin_nested():
            yield
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) == UNIQUE_VIOLATION and "email" in str(error.orig):
            raise _taken(email) from error
        raise


def _taken(email: str) -> InputError:
    return InputError(f"There is a user {email} already.")
