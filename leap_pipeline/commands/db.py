"""`leap db`: the schema up, down, where it is, and the way into the database."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from typing import Annotated, Any

import typer

from leap_pipeline.db import bootstrap, migrate
from leap_pipeline.db.databases import opened
from leap_pipeline.db.recreate import drop_databases
from leap_pipeline.db.row_security import TABLES, gaps, restore
from leap_pipeline.db.urls import DatabaseUrls, connect, plain, resolve, where
from leap_pipeline.errors import UserActionError
from leap_pipeline.settings import load_settings

app = typer.Typer(help="The application's database.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(metavar="[REV]")] = "head", *, as_json: AsJson = False
) -> None:
    """Migrate up, by default to the newest revision; makes the databases where needed."""
    if revision == "head":
        urls = bootstrap.prepare(load_settings())
    else:
        urls = _existing(resolve(load_settings()))
        migrate.upgrade(urls, revision)
    _say_revision(urls, as_json=as_json)


# A number of steps such as -1 looks like an option.
@app.command(context_settings={"ignore_unknown_options": True})
def downgrade(
    revision: Annotated[
        str, typer.Argument(metavar="[REV]", help="A revision, `base`, or steps such as -1.")
    ] = "-1",
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Delete rows that have no place below.")] = (
        False
    ),
    as_json: AsJson = False,
) -> None:
    """Migrate down, by default by one revision; refuses to delete rows without --yes."""
    urls = _existing(resolve(load_settings()))
    migrate.downgrade(urls, revision, yes)
    _say_revision(urls, as_json=as_json)


@app.command()
def current(*, as_json: AsJson = False) -> None:
    """Show the revision that the database is at."""
    _say_revision(_existing(resolve(load_settings())), as_json=as_json)


@app.command()
def history(*, as_json: AsJson = False) -> None:
    """List all migrations, oldest first; needs no database."""
    revisions = migrate.history()
    document = [
        {"revision": one.id, "previous": one.previous, "title": one.title} for one in revisions
    ]
    _say(document, "\n".join(f"{one.id}  {one.title}" for one in revisions), as_json=as_json)


@app.command()
def recreate(*, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete the application's and Dagster's database, and make both anew, empty."""
    settings = load_settings()
    urls = resolve(settings)
    if not yes:
        _ask(urls)
    dropped = drop_databases(urls)
    bootstrap.prepare(settings)
    revision = migrate.current(urls)
    document = {"dropped": dropped, "revision": revision}
    _say(document, f"{where(urls.migration)} is new, at revision {revision}", as_json=as_json)


@app.command()
def protect(*, as_json: AsJson = False) -> None:
    """Put the walls between tenants up again: row security on every table of LEAP."""
    urls = bootstrap.prepare(load_settings())
    with closing(connect(urls.migration)) as connection:
        restore(connection)
        missing = gaps(connection)
    if missing:
        msg = f"Not everything could be put right: {'; '.join(missing)}."
        raise UserActionError(msg)
    _say({"protected": len(TABLES)}, f"{len(TABLES)} tables are protected", as_json=as_json)


@app.command()
def url(*, as_json: AsJson = False) -> None:
    """Print the connection string of the application's database, its password included."""
    address = plain(resolve(load_settings()).application)
    _say({"url": address}, address, as_json=as_json)


def _existing(urls: DatabaseUrls) -> DatabaseUrls:
    """The same, after the database was made if it was missing."""
    with opened(urls.migration):
        return urls


def _ask(urls: DatabaseUrls) -> None:
    if not sys.stdin.isatty():
        msg = "This deletes every recording, user and run in the database: say --yes to mean it."
        raise UserActionError(msg)
    question = (
        f"Delete everything in {where(urls.migration)}, and Dagster's history"
        f" ({urls.dagster.database})? Stored files stay."
    )
    typer.confirm(question, abort=True, err=True)


def _say_revision(urls: DatabaseUrls, *, as_json: bool) -> None:
    revision, newest = migrate.current(urls), migrate.head()
    document = {"revision": revision, "head": newest, "is_head": revision == newest}
    words = f"{revision or 'base'}{' (head)' if revision == newest else f' (head is {newest})'}"
    _say(document, words, as_json=as_json)


def _say(document: Any, words: str, *, as_json: bool) -> None:
    sys.stdout.write(f"{json.dumps(document) if as_json else words}\n")
