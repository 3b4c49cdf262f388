"""`leap dagster`: Dagster's event log can be thrown away; this brings back what it needs."""

from __future__ import annotations

import typer
from sqlalchemy import select

from leap_pipeline.commands.context import open_platform, say
from leap_pipeline.commands.dagster_home import register_partitions
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.identity import partition_key

app = typer.Typer(no_args_is_help=True)


@app.callback()
def dagster() -> None:
    """What Dagster keeps of LEAP."""


@app.command()
def rebuild() -> None:
    """Register a partition for every recording that is not deleted for good."""
    platform = open_platform()
    with platform.database.system() as session:
        rows = session.execute(
            select(User.user_slug, Recording.id)
            .join(Recording, Recording.user_id == User.id)
            .where(Recording.delete_state.is_distinct_from("hard_deleted"))
        ).all()
    keys = [partition_key(slug, recording_id) for slug, recording_id in rows]
    register_partitions(platform.settings, platform.urls, keys)
    say(f"{len(keys)} partitions are registered.")
