"""`leap credentials`: accounts at the platforms, and the keys that they are encrypted with."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from getpass import getpass
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from leap_pipeline.commands.context import Platform, open_platform, print_json, say
from leap_pipeline.db.models.users import User, UserCredential
from leap_pipeline.domain.credentials import CredentialPlatform
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.errors import InputError
from leap_pipeline.progress import shown
from leap_pipeline.security import keys
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.credential_rows import CredentialView
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.key_rotation import Rotation
from leap_pipeline.services.key_rotation import retire as retire_keys
from leap_pipeline.services.key_rotation import rotate as rotate_keys
from leap_pipeline.services.users import find_user

app = typer.Typer(
    no_args_is_help=True, help="Accounts at the platforms, and the keys they are under."
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Email = Annotated[str | None, typer.Option("--user", help="Address of the owner.")]
# Who runs commands here has the database and the keys: permissions are for people in the console.
OPERATOR = Editor(Actor(None, "leap credentials"), Rights())


@app.command("list")
def list_(*, user: Email = None, as_json: AsJson = False) -> None:
    """The accounts of a user, or of all users; secrets are never shown."""
    platform = open_platform()
    found = [
        (email, view) for owner, email in _owners(platform, user) for view in _of(platform, owner)
    ]
    if as_json:
        print_json({"credentials": [{"user": email, **asdict(view)} for email, view in found]})
    else:
        _show(found)


@app.command()
def add(
    platform: Annotated[CredentialPlatform, typer.Argument(help="Where the account is.")],
    *,
    user: Annotated[str, typer.Option("--user", help="Address of the owner.")],
    name: Annotated[str | None, typer.Option(help="What to call it; default: as it says.")] = None,
    as_json: AsJson = False,
) -> None:
    """Store an account; its JSON document is read from standard input, or asked for."""
    document = _document(platform)
    opened = open_platform()
    vault = load_vault(opened.settings)
    with opened.database.system() as session:
        owner = find_user(session, user).id
    with opened.database.tenant(owner) as session:
        store = Credentials(session, owner, vault)
        view = store.create(platform, document, OPERATOR, account_name=name)
    if as_json:
        print_json(asdict(view))
    else:
        say(f"{view.title} is stored as {view.id}.")


@app.command()
def remove(
    credential: Annotated[int, typer.Argument(help="Its number, as `list` shows it.")],
    *,
    with_presets: Annotated[
        bool, typer.Option("--with-presets", help="Delete the presets that publish with it too.")
    ] = False,
) -> None:
    """Delete an account here; at the platform nothing changes."""
    platform = open_platform()
    vault = load_vault(platform.settings)
    owner = owner_of(platform, credential)
    with platform.database.tenant(owner) as session:
        store = Credentials(session, owner, vault)
        title = store.view(credential).title
        store.delete(credential, OPERATOR, with_presets=with_presets)
    say(f"{title} is removed.")


@app.command()
def rotate(
    *,
    retire: Annotated[
        bool, typer.Option("--retire", help="Make no key; take away those that nothing needs.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a new key and encrypt every secret with it; stopped, it goes on where it was."""
    platform = open_platform()
    work = retire_keys if retire else rotate_keys
    with shown("re-encrypting", enabled=not as_json) as progress:
        done = work(platform.database, platform.settings, actor=OPERATOR.actor, progress=progress)
    if as_json:
        print_json(asdict(done))
    else:
        _tell(done, retired=retire)


@app.command("new-key")
def new_key() -> None:
    """Print a new key for LEAP_ENCRYPTION_KEYS; it is stored nowhere."""
    say(keys.new_key())


def owner_of(platform: Platform, credential: int) -> str:
    """Whose account it is. Raises InputError where there is none."""
    with platform.database.system() as session:
        owner = session.scalar(
            select(UserCredential.user_id).where(UserCredential.id == credential)
        )
    if owner is None:
        msg = f"There is no credential {credential}: `leap credentials list` shows which there are."
        raise InputError(msg)
    return owner


def _owners(platform: Platform, email: str | None) -> list[tuple[str, str]]:
    """The id and the address of one user, or of every one who has an account."""
    with platform.database.system() as session:
        if email is not None:
            found = find_user(session, email)
            return [(found.id, found.email)]
        having = select(UserCredential.user_id).distinct()
        rows = session.execute(
            select(User.id, User.email).where(User.id.in_(having)).order_by(User.email)
        )
        return [(row.id, row.email) for row in rows]


def _of(platform: Platform, owner: str) -> list[CredentialView]:
    vault = load_vault(platform.settings)
    with platform.database.tenant(owner) as session:
        return Credentials(session, owner, vault).views()


def _document(platform: CredentialPlatform) -> dict[str, Any]:
    if sys.stdin.isatty():
        text = getpass(f"The {platform} account's JSON, on one line (it is not shown): ")
    else:
        text = sys.stdin.read()
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        msg = f"The account's document is no JSON ({where}): write an object in curly braces."
        raise InputError(msg) from None  # the cause holds the document
    if not isinstance(found, dict):
        msg = "The account's document is no JSON object: write it in curly braces."
        raise InputError(msg)
    return found


def _show(found: list[tuple[str, CredentialView]]) -> None:
    table = Table()
    for heading in ("number", "user", "platform", "account", "state", "last used", "what is there"):
        table.add_column(heading, overflow="fold")
    for email, view in found:
        details = view.details
        table.add_row(
            str(view.id),
            email,
            view.platform,
            view.account_name or "",
            "active" if view.is_active else "connect again",
            f"{view.last_used_at:%Y-%m-%d %H:%M}" if view.last_used_at else "never",
            "cannot be read: enter it anew" if details is None else _line(details),
        )
    Console().print(table)


def _line(details: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in details.items())


def _tell(done: Rotation, *, retired: bool) -> None:
    if not done.made_key and not retired:
        say("An earlier rotation was not finished: this finished it, and made no new key.")
    say(f"Secrets encrypted anew: {done.reencrypted} of {done.total}.")
    if retired:
        say(f"Older keys taken out of {done.source}: {done.retired}.")
    elif done.source == keys.VARIABLE:
        say(f"Take all but the first key out of {done.source} and restart every process.")
    else:
        say(
            f"{done.source} holds {done.keys} keys: copy it now. Older backups of the database "
            "need its older keys; `leap credentials rotate --retire` takes them away."
        )
    for each in done.unreadable:
        say(f"Left alone, for no key opens it: row {each.id} of {each.table}.")
