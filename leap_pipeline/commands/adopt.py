"""`leap adopt`: take over a database of the original platform."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from leap_pipeline.adoption.adopt import Wanted
from leap_pipeline.adoption.adopt import adopt as take_over
from leap_pipeline.adoption.files import FileMode
from leap_pipeline.adoption.old_secrets import SALT
from leap_pipeline.commands.context import open_platform, print_json, say
from leap_pipeline.db.urls import parsed_url
from leap_pipeline.errors import InputError
from leap_pipeline.security.vault import load_vault


def adopt(
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help="The other database; only read.")
    ],
    *,
    secret_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Variable with the secret of its credentials."),
    ] = None,
    secret_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with that secret, instead.")
    ] = None,
    salt: Annotated[str, typer.Option(help="Salt of the key that is made of it.")] = SALT,
    files: Annotated[
        FileMode, typer.Option(help="What to do with the files that it names.")
    ] = FileMode.LEAVE,
    storage_root: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The folder `storage` of that platform.")
    ] = None,
    user: Annotated[
        list[str] | None, typer.Option(metavar="EMAIL", help="Only this user; can be repeated.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing, only report.")] = False,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what became of every row, as JSON.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Copy users and all they have from a database of the original platform.

    It can be interrupted and run again: then it takes what is new.
    """
    wanted = Wanted(
        url=parsed_url(source, "--from"),
        secret=_secret(secret_env, secret_file),
        salt=salt,
        files=files,
        old_storage=storage_root,
        emails=user or (),
        dry=dry_run,
    )
    platform = open_platform()
    found = take_over(platform.database, platform.storage, load_vault(platform.settings), wanted)
    if report is not None:
        found.write(report)
    if as_json:
        print_json(found.to_json())
        return
    for line in found.lines():
        say(line)


def _secret(variable: str | None, file: Path | None) -> str | None:
    if variable is not None and file is not None:
        msg = "Give either --secret-env or --secret-file, not both."
        raise InputError(msg)
    if variable is not None:
        found = os.environ.get(variable)
        if not found:
            msg = f"The variable {variable} is empty: set it to the secret."
            raise InputError(msg)
        return found
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        msg = f"{file} cannot be read ({error.strerror}): name a file with the secret."
        raise InputError(msg) from error
