"""What an admin does with the accounts of others: the rights are asked here, whoever calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Permission, Role, require_admin
from leap_pipeline.errors import InputError, StaleChange
from leap_pipeline.services import users
from leap_pipeline.services.audit import AuditFilter, entries
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.deletion import delete_user
from leap_pipeline.services.directory import person
from leap_pipeline.services.links import Purpose, make_link
from leap_pipeline.services.sessions import Sessions
from leap_pipeline.storage.local import LocalStorage


def create_account(
    session: Session,
    editor: Editor,
    email: str,
    full_name: str | None = None,
    *,
    role: Role = Role.USER,
    storage: LocalStorage | None = None,
) -> User:
    """A new user, who has no password yet: a one-time link sets it.

    Raises as `users.add_user`, and `UserActionError` for who is no admin, as all of these do.
    """
    require_admin(editor.rights)
    return users.add_user(session, email, full_name, role=role, actor=editor.actor, storage=storage)


def change_profile(
    session: Session,
    editor: Editor,
    user_id: str,
    *,
    email: str,
    full_name: str,
    timezone: str,
    unchanged: Mapping[str, Any] | None = None,
) -> None:
    """Name, zone and address; a new address is not confirmed, and links to the old one end.

    `unchanged` are columns as the admin saw them; raises `StaleChange` where one is another now.
    """
    require_admin(editor.rights)
    person(session, editor.rights, user_id)
    _require_unchanged(session, user_id, unchanged)
    users.update_profile(
        session, user_id, full_name=full_name, timezone=timezone, actor=editor.actor
    )
    users.change_email(session, user_id, email, editor.actor)


def change_rights(
    session: Session,
    editor: Editor,
    user_id: str,
    *,
    role: Role,
    permissions: Mapping[Permission, bool],
    unchanged: Mapping[str, Any] | None = None,
) -> None:
    """Role and permissions; the last active admin stays one. `unchanged` as for the profile."""
    require_admin(editor.rights)
    person(session, editor.rights, user_id)
    session.execute(users.ADMINS_LOCK)  # before the row's lock, as everywhere
    _require_unchanged(session, user_id, unchanged)
    users.set_role(session, user_id, role, editor.actor)
    users.set_permissions(session, user_id, permissions, editor.actor)


def switch_account(session: Session, editor: Editor, user_id: str, *, active: bool) -> None:
    """On, or off, which ends the user's sessions; the last active admin stays on."""
    require_admin(editor.rights)
    person(session, editor.rights, user_id)
    users.set_active(session, user_id, active=active, actor=editor.actor)


def confirm_address(session: Session, editor: Editor, user_id: str, *, verified: bool) -> None:
    """Say that the address is the user's, or that nobody knows."""
    require_admin(editor.rights)
    person(session, editor.rights, user_id)
    users.set_verified(session, user_id, verified=verified, actor=editor.actor)


def end_sessions(sessions: Sessions, editor: Editor, user_id: str) -> int:
    """Sign the user out everywhere; how many sessions that ended."""
    require_admin(editor.rights)
    return sessions.logout_everywhere(user_id, editor.actor)


def account_link(session: Session, editor: Editor, user_id: str, purpose: Purpose) -> str:
    """The path of a one-time link, which is shown once; an older one of its kind ends."""
    require_admin(editor.rights)
    person(session, editor.rights, user_id)
    where = {Purpose.RESET_PASSWORD: "password", Purpose.VERIFY_EMAIL: "address"}[purpose]
    return f"/link/{where}#{make_link(session, user_id, purpose, editor.actor)}"


def delete_account(
    database: Database, storage: LocalStorage, editor: Editor, user_id: str, *, typed: str
) -> int:
    """Delete a user with all rows and files, where their address was typed; the user's slug."""
    require_admin(editor.rights)
    with database.system() as session:
        email = person(session, editor.rights, user_id).email
    if typed.strip().lower() != email.lower():
        msg = f"Type {email} to delete this user: what was typed is something else."
        raise InputError(msg)
    return delete_user(database, storage, user_id, actor=editor.actor)


def audit_page(
    session: Session,
    editor: Editor,
    wanted: AuditFilter,
    *,
    before: tuple[datetime, int] | None = None,
    limit: int = 50,
) -> tuple[list[AuditEntry], tuple[datetime, int] | None]:
    """A page of the audit log, newest first, and what the next one is `before`."""
    require_admin(editor.rights)
    found = entries(session, wanted, before=before, limit=limit + 1)
    shown = found[:limit]
    return shown, (shown[-1].at, shown[-1].id) if len(found) > limit else None


def _require_unchanged(session: Session, user_id: str, unchanged: Mapping[str, Any] | None) -> None:
    """Under the user's lock, which the change then holds already."""
    user = users.lock_user(session, user_id)
    if any(getattr(user, name) != value for name, value in (unchanged or {}).items()):
        msg = (
            "Somebody else has changed this user meanwhile: look at what is so now, and try again."
        )
        raise StaleChange(msg)
