"""`leap thumbnails`: the pictures that templates and presets can name."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from leap_pipeline.commands.context import Platform, open_platform, print_json, say
from leap_pipeline.errors import InputError
from leap_pipeline.media.thumbnails import LARGEST_GIVEN
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.thumbnails import (
    Thumbnail,
    add_thumbnail,
    delete_thumbnail,
    list_thumbnails,
)
from leap_pipeline.services.users import find_user

app = typer.Typer(no_args_is_help=True, help="Pictures that templates and presets can name.")
HERE = Actor(None, "leap thumbnails")
Email = Annotated[str, typer.Option("--user", help="Address of the owner.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_(*, user: Email, as_json: AsJson = False) -> None:
    """A user's pictures, and the shared ones."""
    platform = open_platform()
    owner = _owner(platform, user)
    with platform.database.tenant(owner) as session:
        found = list_thumbnails(session, platform.storage, owner)
    if as_json:
        print_json({"thumbnails": [_document(each) for each in found]})
    else:
        _show(found)


@app.command()
def add(
    picture: Annotated[Path, typer.Argument(metavar="FILE", help="A PNG, JPEG or WebP.")],
    *,
    user: Email,
    name: Annotated[
        str | None, typer.Option(help="What to call it; default: as the file is called.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="In place of the one of that name.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Store a picture, drawn anew at 1280×720; its name's ending says of what kind."""
    content = _read(picture)
    platform = open_platform()
    made = add_thumbnail(
        platform.database,
        platform.storage,
        _owner(platform, user),
        name or _own_name(picture),
        content,
        actor=HERE,
        at=datetime.now(UTC),
        replace=replace,
    )
    if as_json:
        print_json(_document(made))
    else:
        say(f"{made.name} is stored ({made.bytes} bytes): name it in `thumbnail_name`.")


@app.command()
def delete(
    name: Annotated[str, typer.Argument(help="Its name, as `list` shows it.")],
    *,
    user: Email,
    as_json: AsJson = False,
) -> None:
    """Delete a user's own picture; one that a template or a preset names is kept."""
    platform = open_platform()
    owner, at = _owner(platform, user), datetime.now(UTC)
    with platform.database.tenant(owner) as session:
        delete_thumbnail(session, platform.storage, owner, name, actor=HERE, at=at)
    if as_json:
        print_json({"deleted": name})
    else:
        say(f"{name} is deleted.")


def _owner(platform: Platform, email: str) -> str:
    with platform.database.system() as session:
        return find_user(session, email).id


def _read(picture: Path) -> bytes:
    try:
        with picture.open("rb") as file:
            return file.read(LARGEST_GIVEN + 1)
    except OSError as error:
        msg = f"{picture} cannot be read ({error.strerror}): give a picture's file."
        raise InputError(msg) from error


def _own_name(picture: Path) -> str:
    """The file's name; a WebP becomes a PNG, which the platforms take."""
    return picture.stem + ".png" if picture.suffix.lower() == ".webp" else picture.name


def _document(each: Thumbnail) -> dict[str, Any]:
    return {**asdict(each), "shared": each.is_shared}


def _show(found: list[Thumbnail]) -> None:
    table = Table("name", "whose", "kilobytes", "changed", box=None)
    for each in found:
        changed = f"{each.updated_at:%Y-%m-%d %H:%M}" if each.updated_at else ""
        size = "" if each.bytes is None else f"{each.bytes / 1000:.0f}"
        table.add_row(each.name, "shared" if each.is_shared else "own", size, changed)
    Console().print(table)
