"""`leap preview`: what would be published of a recording, before it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from leap_pipeline.commands.context import known_recording, open_platform, print_json, say
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.publication_diff import Change
from leap_pipeline.domain.states import Platform
from leap_pipeline.domain.text_templates import h_mm_ss
from leap_pipeline.services.configuration import load_configuration
from leap_pipeline.services.preview import Preview, There, load_preview
from leap_pipeline.services.publish_run import collection_of
from leap_pipeline.services.publish_status import COLLECTIONS
from leap_pipeline.services.target_steps import COLLECTION

WIDTH = 12
WOULD, WILL = "An update would", "It will"


def preview(
    recording: Annotated[str, typer.Argument(help="Number (142) or partition (000001-142).")],
    *,
    platform: Annotated[
        Platform | None,
        typer.Option(case_sensitive=False, help="One alone; default: those of its presets."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show title, description, tags, settings, thumbnail and captions as they would be published,
    and what an update would change of what is published.
    """
    opened = open_platform()
    number, now = known_recording(opened, recording), datetime.now(UTC)
    with opened.database.system() as session:
        presets = load_configuration(session, number).presets
        wanted = [platform] if platform else [each for each in Platform if each in presets]
        found = [
            load_preview(session, opened.storage, number, each, now) for each in wanted or Platform
        ]
    if as_json:
        by_name = {each.publication.platform.lower(): _document(each) for each in found}
        print_json({"recording_id": number, "previews": by_name})
    else:
        say("\n\n".join("\n".join(_lines(each)) for each in found))


def _document(found: Preview) -> dict[str, Any]:
    given = found.publication
    return {
        "preset": given.preset_name,
        "preset_id": given.preset_id,
        "credential_id": given.credential_id,
        "video": given.video,
        "seconds": given.seconds,
        **found.sent.model_dump(mode="json", include={"title", "description", "tags", "settings"}),
        "thumbnail_name": given.thumbnail_name,
        "thumbnail": given.thumbnail,
        "captions": asdict(given.captions) if given.captions else None,
        "collection": collection_of(given),
        "notes": list(found.notes),
        "published": asdict(found.there) if found.there else None,
    }


def _lines(found: Preview) -> Iterator[str]:
    given, sent = found.publication, found.sent
    preset = f"preset “{given.preset_name}”" if given.preset_name else "no preset"
    yield f"{PLATFORM_NAMES[given.platform]}, {preset}"
    yield _line("title", sent.title)
    yield _line("tags", ", ".join(sent.tags))
    yield _line("settings", ", ".join(f"{name} {_value(v)}" for name, v in sent.settings.items()))
    yield _line("video", f"{given.video}, {h_mm_ss(given.seconds)}" if given.video else None)
    yield _line("thumbnail", given.thumbnail)
    captions = given.captions
    yield _line("captions", f"{captions.path}, {captions.language}" if captions else None)
    yield _line(COLLECTIONS[given.platform], collection_of(given))
    yield "  description"
    yield from (f"    {line}".rstrip() for line in (sent.description or "").split("\n"))
    yield from (f"  note: {each}" for each in found.notes)
    if found.there is not None:
        yield f"  published: {found.there.url or found.there.video_id or 'nobody knows where'}"
        yield from difference_lines(found.there, given.platform)


def difference_lines(there: There, platform: Platform, who: str = WOULD) -> Iterator[str]:
    """What an update changes of a published video; `who` begins each sentence."""
    if not there.changes and not there.beside and not there.left:
        yield f"  {who} change nothing."
    for each in there.changes:
        yield from _change(each, who)
    if there.beside:
        titles = [COLLECTIONS[platform] if each == COLLECTION else each for each in there.beside]
        yield f"  {who} bring anew: {', '.join(titles)}."
    if there.left:
        yield f"  {who} take it out of the {COLLECTIONS[platform]} {', '.join(there.left)}."


def _change(change: Change, who: str) -> Iterator[str]:
    if change.lines:
        yield f"  {who} change {change.field}:"
        yield from (f"    {line.sign} {line.text}".rstrip() for line in change.lines)
    elif change.added or change.removed:
        signed = [
            *(f"+ {each}" for each in change.added),
            *(f"- {each}" for each in change.removed),
        ]
        yield f"  {who} change {change.field}: {', '.join(signed)}"
    else:
        words = f"{_value(change.before)} → {_value(change.after)}"
        yield f"  {who} change {change.field}: {words}"


def _line(name: str, text: str | None) -> str:
    return f"  {name:<{WIDTH}} {text or 'none'}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)
