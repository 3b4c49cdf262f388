"""`leap dagster`: Dagster's event log can be thrown away; this brings back what it needs."""

from __future__ import annotations

import typer

from leap_pipeline.commands.context import open_platform, say
from leap_pipeline.commands.dagster_home import register_partitions
from leap_pipeline.services.retention import live_partitions

app = typer.Typer(no_args_is_help=True, help="What Dagster keeps of LEAP.")


@app.callback()
def dagster() -> None:
    """What Dagster keeps of LEAP."""


@app.command()
def rebuild() -> None:
    """Register a partition for every recording that is not deleted for good."""
    platform = open_platform()
    with platform.database.system() as session:
        keys = live_partitions(session)
    register_partitions(platform.settings, platform.urls, sorted(keys))
    say(f"{len(keys)} partitions are registered.")
