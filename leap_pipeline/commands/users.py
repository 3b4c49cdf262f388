"""`leap user`: the accounts."""

from __future__ import annotations

from typing import Annotated

import typer

from leap_pipeline.commands.context import open_platform, say
from leap_pipeline.services.users import add_user

app = typer.Typer(no_args_is_help=True, help="User accounts.")


@app.callback()
def users() -> None:
    """User accounts."""


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="Address, also the login name.")],
    *,
    name: Annotated[str | None, typer.Option(help="Full name.")] = None,
) -> None:
    """Make a user on the Free plan; no password is set."""
    platform = open_platform()
    with platform.database.system() as session:
        user = add_user(session, email, name)
        say(f"{user.email} is user {user.user_slug} ({user.id}).")
