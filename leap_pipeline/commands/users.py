"""`leap user`: the accounts."""

from __future__ import annotations

import sys
from collections.abc import Callable
from getpass import getpass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session

from leap_pipeline.commands.context import open_platform, print_json, say
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.errors import InputError
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.deletion import delete_user
from leap_pipeline.services.users import (
    add_user,
    find_user,
    list_users,
    rights_of,
    set_active,
    set_password,
    set_permissions,
    set_role,
)

app = typer.Typer(no_args_is_help=True, help="User accounts.")

HERE = Actor(None, "leap user")
Email = Annotated[str, typer.Argument(help="Address, also the login name.")]
Name = Annotated[str | None, typer.Option(help="Full name.")]
Permissions = Annotated[list[Permission], typer.Argument(help="One or more.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def add(email: Email, *, name: Name = None, as_json: AsJson = False) -> None:
    """Make a user on the Free plan; no password is set."""
    platform = open_platform()
    with platform.database.system() as session:
        user = add_user(session, email, name, actor=HERE, storage=platform.storage)
        made = _document(user)
    _tell(made, f"{made['email']} is user {made['user_slug']} ({made['id']}).", as_json=as_json)


@app.command("create-admin")
def create_admin(email: Email, *, name: Name = None, as_json: AsJson = False) -> None:
    """Make an admin; the password is asked for, or is the first line of standard input."""
    platform = open_platform()
    password = _password()
    with platform.database.system() as session:
        user = add_user(
            session,
            email,
            name,
            password=password,
            role=Role.ADMIN,
            actor=HERE,
            storage=platform.storage,
        )
        made = _document(user)
    _tell(made, f"{made['email']} is an admin ({made['id']}).", as_json=as_json)


@app.command("list")
def list_(*, as_json: AsJson = False) -> None:
    """All users, in the order in which they came."""
    found: list[User] = []
    with open_platform().database.system() as session:
        while page := list_users(session, after_slug=found[-1].user_slug if found else 0):
            found += page
    if as_json:
        print_json({"users": [_document(user) for user in found]})
    else:
        _show(found)


@app.command("set-role")
def set_role_(email: Email, role: Role, *, as_json: AsJson = False) -> None:
    """Make a user an admin, or an admin a user; the last active admin stays one."""

    def change(session: Session, user: User) -> str:
        set_role(session, user.id, role, HERE)
        return f"{user.email} has the role {role}."

    _change(email, change, as_json=as_json)


@app.command()
def grant(email: Email, permissions: Permissions, *, as_json: AsJson = False) -> None:
    """Give permissions."""
    _permit(email, permissions, allowed=True, as_json=as_json)


@app.command()
def revoke(email: Email, permissions: Permissions, *, as_json: AsJson = False) -> None:
    """Take permissions away; what needs them is skipped, with this as the reason."""
    _permit(email, permissions, allowed=False, as_json=as_json)


@app.command()
def disable(email: Email, *, as_json: AsJson = False) -> None:
    """Switch an account off, which ends its sessions at once; nothing of it is deleted."""
    _switch(email, active=False, as_json=as_json)


@app.command()
def enable(email: Email, *, as_json: AsJson = False) -> None:
    """Switch an account on again."""
    _switch(email, active=True, as_json=as_json)


@app.command()
def remove(
    email: Email,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Yes, with all recordings.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a user with every recording and file, at once; what is published stays."""
    if not yes:
        msg = f"This deletes {email} with every recording and file: say --yes to do it."
        raise InputError(msg)
    platform = open_platform()
    with platform.database.system() as session:
        user = find_user(session, email, active=False)
        document = _document(user)
    delete_user(platform.database, platform.storage, user.id, actor=HERE)
    _tell(document, f"{user.email} is deleted.", as_json=as_json)


@app.command()
def password(email: Email, *, as_json: AsJson = False) -> None:
    """Set a password (asked for, or the first line of standard input); all sessions end."""
    given = _password()

    def change(session: Session, user: User) -> str:
        set_password(session, user.id, given, HERE)
        return f"{user.email} has a new password."

    _change(email, change, as_json=as_json)


def _permit(email: str, permissions: list[Permission], *, allowed: bool, as_json: bool) -> None:
    def change(session: Session, user: User) -> str:
        set_permissions(session, user.id, dict.fromkeys(permissions, allowed), HERE)
        missing = sorted(set(Permission) - rights_of(user).permissions)
        return f"{user.email} lacks {', '.join(missing) or 'no permission'}."

    _change(email, change, as_json=as_json)


def _switch(email: str, *, active: bool, as_json: bool) -> None:
    def change(session: Session, user: User) -> str:
        set_active(session, user.id, active=active, actor=HERE)
        return f"{user.email} is switched {'on' if active else 'off'}."

    _change(email, change, as_json=as_json)


def _change(email: str, change: Callable[[Session, User], str], *, as_json: bool) -> None:
    with open_platform().database.system() as session:
        user = find_user(session, email, active=False)
        said = change(session, user)
        document = _document(user)
    _tell(document, said, as_json=as_json)


def _password() -> str:
    """From a terminal without echo, twice; else a line of standard input. Never an argument,
    which others could read in the list of processes.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    given = getpass("Password: ")
    if getpass("Once more: ") != given:
        msg = "The two passwords differ: try again."
        raise InputError(msg)
    return given


def _tell(document: dict[str, Any], said: str, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        say(said)


def _document(user: User) -> dict[str, Any]:
    rights = rights_of(user)
    return {
        "id": user.id,
        "user_slug": user.user_slug,
        "email": user.email,
        "full_name": user.full_name,
        "role": rights.role,
        "permissions": [each for each in Permission if rights.may(each)],
        "is_active": user.is_active,
        "is_verified": user.is_verified,
        "timezone": user.timezone,
        "last_login_at": user.last_login_at,
    }


def _show(users: list[User]) -> None:
    table = Table("", "address", "name", "role", "account", "last login", box=None)
    for user in users:
        table.add_row(
            str(user.user_slug),
            user.email,
            user.full_name or "",
            rights_of(user).role,
            "on" if user.is_active else "off",
            f"{user.last_login_at:%Y-%m-%d %H:%M} UTC" if user.last_login_at else "never",
        )
    Console(markup=False).print(table)
