"""`leap config`: what a recording is processed and published with, and who says so."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leap_pipeline.commands.context import known_recording, open_platform, print_json, say
from leap_pipeline.domain.config import Configuration
from leap_pipeline.domain.layers import OriginKind, Said
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.services.configuration import load_configuration

app = typer.Typer(no_args_is_help=True, help="The configuration of recordings.")


@app.callback()
def config() -> None:
    """The configuration of recordings."""


@app.command()
def show(
    recording: Annotated[str, typer.Argument(help="Number (142) or partition (000001-142).")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show every value that holds for a recording, with the row that says it."""
    platform = open_platform()
    number = known_recording(platform, recording)
    with platform.database.system() as session:
        found = load_configuration(session, number)
    if as_json:
        print_json({"recording_id": number, **_document(found)})
        return
    say("\n\n".join(_table(title, values) for title, values in _blocks(found)))


def _blocks(found: Configuration) -> list[tuple[str, tuple[Said, ...]]]:
    blocks = [
        ("Processing", found.processing().values()),
        ("Output", found.output().values()),
    ]
    for platform, name in PLATFORM_NAMES.items():
        preset = found.presets.get(platform)
        title = f'{name}, preset "{preset.name}"' if preset else f"{name}, without a preset"
        blocks.append((title, found.metadata(platform).values()))
    return blocks


def _table(title: str, values: tuple[Said, ...]) -> str:
    rows = [(each.path, _written(each.value), _who(each)) for each in values]
    paths, texts = (max(len(row[column]) for row in rows) for column in (0, 1))
    lines = [f"  {path:<{paths}}  {text:<{texts}}  {who}".rstrip() for path, text, who in rows]
    return "\n".join([title, *lines])


def _who(said: Said) -> str:
    return "" if said.origin.kind is OriginKind.DEFAULT else str(said.origin)


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(each) for each in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value).replace("\n", "\\n")


def _document(found: Configuration) -> dict[str, Any]:
    metadata = {
        platform.lower(): _json(found.metadata(platform).values()) for platform in PLATFORM_NAMES
    }
    return {
        "processing": _json(found.processing().values()),
        "output": _json(found.output().values()),
        "metadata": metadata,
    }


def _json(values: tuple[Said, ...]) -> dict[str, Any]:
    return {
        each.path: {
            "value": each.value,
            "layer": each.origin.kind,
            "id": each.origin.id,
            "name": each.origin.name,
        }
        for each in values
    }
