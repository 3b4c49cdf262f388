"""`leap source`: where recordings come from, read and tried by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from leap_pipeline.commands.context import Platform, open_platform, print_json, say
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.shapes.sources import SyncCounts
from leap_pipeline.errors import InputError, LeapError
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.catalogue import create_source
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.users import find_user
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_sources import ZOOM, load_source
from leap_pipeline.services.zoom_sync import sync_source

app = typer.Typer(no_args_is_help=True, help="Where recordings come from.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Number = Annotated[int, typer.Argument(help="The source's number, as `list` shows it.")]
OPERATOR = Editor(Actor(None, "leap source"), Rights())


@app.command("list")
def list_(
    *,
    user: Annotated[str | None, typer.Option("--user", help="Address of the owner.")] = None,
    as_json: AsJson = False,
) -> None:
    """The sources of a user, or of all users: when each was read, and what is wrong with it."""
    platform = open_platform()
    found = _listed(platform, user)
    if as_json:
        print_json({"sources": found})
    else:
        _show(found)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    *,
    user: Annotated[str, typer.Option("--user", help="Address of the owner.")],
    credential: Annotated[
        int, typer.Option("--credential", help="The Zoom account, by `leap credentials list`.")
    ],
    config: Annotated[str, typer.Option(help="A JSON object; see docs/sources.md.")] = "{}",
    as_json: AsJson = False,
) -> None:
    """Read a Zoom account from now on, every few minutes."""
    try:
        said = json.loads(config)
    except ValueError as error:
        msg = f"--config is no JSON ({error}): give an object in curly braces."
        raise InputError(msg) from error
    platform = open_platform()
    with platform.database.system() as session:
        owner = find_user(session, user).id
    with platform.database.tenant(owner) as session:
        row = create_source(
            session,
            OPERATOR,
            name=name,
            source_type=ZOOM,
            credential_id=credential,
            config=said,
        )
        number = row.id
    if as_json:
        print_json({"id": number, "name": name})
    else:
        say(f"“{name}” is source {number}; it is read at the next poll.")


@app.command()
def sync(
    source: Number,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read a source now, and say what was found."""
    platform = open_platform()
    with _accounts(platform) as accounts:
        counts = sync_source(
            platform.database,
            accounts,
            source,
            now=datetime.now(UTC),
            settings=platform.settings,
            dry_run=dry_run,
        )
    if as_json:
        print_json({"source_id": source, "dry_run": dry_run, **counts.model_dump()})
    else:
        say(_told(counts, dry_run=dry_run))


@app.command("test")
def check(source: Number, *, as_json: AsJson = False) -> None:
    """Ask the source's account for today, and say what it lets LEAP read."""
    platform = open_platform()
    found = load_source(platform.database, source)
    with _accounts(platform) as accounts:
        try:
            said = accounts.check(found.user_id, found.require_credential())
        except LeapError as error:
            if as_json:
                print_json({"source_id": source, "works": False, "says": str(error)})
                raise typer.Exit(1) from error
            raise
    if as_json:
        print_json({"source_id": source, "works": True, "says": said})
    else:
        say(said)


def _accounts(platform: Platform) -> ZoomAccounts:
    return ZoomAccounts(platform.database, load_vault(platform.settings), platform.settings)


def _listed(platform: Platform, email: str | None) -> list[dict[str, Any]]:
    columns = (
        InputSource.id,
        User.email,
        InputSource.name,
        InputSource.source_type,
        InputSource.is_active,
        InputSource.last_sync_at,
        InputSource.next_poll_at,
        InputSource.failures,
        InputSource.last_error,
        InputSource.last_result,
    )
    query = select(*columns).join(User, User.id == InputSource.user_id).order_by(InputSource.id)
    with platform.database.system() as session:
        if email is not None:
            query = query.where(InputSource.user_id == find_user(session, email).id)
        return [dict(row) for row in session.execute(query).mappings()]


def _show(found: list[dict[str, Any]]) -> None:
    table = Table("source", "user", "name", "type", "last read", "next", "found", "wrong")
    for each in found:
        result = each["last_result"] or {}
        table.add_row(
            str(each["id"]),
            each["email"],
            each["name"],
            each["source_type"] if each["is_active"] else f"{each['source_type']} (off)",
            _moment(each["last_sync_at"]),
            _moment(each["next_poll_at"]) if each["is_active"] else "",
            str(result.get("found", "")),
            f"{each['failures']}×: {each['last_error']}" if each["last_error"] else "",
        )
    Console().print(table)


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _told(counts: SyncCounts, *, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    return (
        f"Found {counts.found}: {counts.new} {would}new, {counts.updated} {would}updated; "
        f"{counts.matched} have a template, {counts.unmatched} have none, {counts.blank} blank, "
        f"{counts.pending} still prepared, {counts.skipped} deleted here before."
    )
