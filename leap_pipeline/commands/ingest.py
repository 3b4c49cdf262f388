"""`leap ingest`: a local file becomes a recording of a user."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from leap_pipeline.commands.context import Platform, open_platform, print_json, say
from leap_pipeline.commands.dagster_home import register_partitions
from leap_pipeline.progress import shown
from leap_pipeline.services.ingest import Ingested, ingest_file


def ingest(
    file: Annotated[Path, typer.Argument(help="The video.")],
    *,
    user: Annotated[str, typer.Option(help="E-mail address of its owner.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, show no progress.")] = False,
) -> None:
    """Take a video file over as a recording; the same file twice is one recording."""
    platform = open_platform()
    found = ingest_into(platform, file, user, quiet=as_json)
    if as_json:
        print_json(asdict(found))
        return
    state = "is now" if found.created else "was already"
    matched = f"template {found.template_id}" if found.template_id else "no template"
    say(f"{file.name} {state} recording {found.recording_id} ({found.partition}), {matched}.")
    if found.created:
        say(f"Next: leap run {found.recording_id}")


def ingest_into(platform: Platform, file: Path, email: str, *, quiet: bool) -> Ingested:
    """Ingest a file and make its partition known to Dagster."""
    with shown("Ingesting", enabled=not quiet) as progress:
        found = ingest_file(
            platform.database,
            platform.storage,
            platform.settings,
            file,
            email=email,
            progress=progress,
        )
    register_partitions(platform.settings, platform.urls, [found.partition])
    return found
