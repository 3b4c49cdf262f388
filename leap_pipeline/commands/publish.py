"""`leap publish`: send what is prepared to its platforms, change it there, take it away."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from leap_pipeline.commands.context import Platform as Opened
from leap_pipeline.commands.context import known_recording, open_platform, print_json, say
from leap_pipeline.commands.preview import WILL, WOULD, difference_lines
from leap_pipeline.commands.publish_lines import as_document, as_lines
from leap_pipeline.commands.steer import HERE
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services import published
from leap_pipeline.services.concurrency import owner_of
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.preview import load_preview
from leap_pipeline.services.publish_status import target_lines
from leap_pipeline.services.published_by_hand import Desk, retract_video, settle_upload
from leap_pipeline.services.runs import Requested, why_nothing
from leap_pipeline.services.targets import request_publishing
from leap_pipeline.supervisor.status import daemon_alive

app = typer.Typer(
    help="Publish recordings, and look after what is published.", no_args_is_help=True
)
EDITOR = Editor(HERE, Rights())
NOWHERE = (
    "Recording {} is published nowhere: give its template presets (`output_config.preset_ids`)."
)

RecordingName = Annotated[str, typer.Argument(help="Number (142) or partition (000001-142).")]
On = Annotated[
    Platform | None, typer.Option("--on", case_sensitive=False, help="Only this platform.")
]
Only = Annotated[Platform, typer.Option("--on", case_sensitive=False, help="The platform.")]


@app.command()
def send(recording: RecordingName, *, on: On = None) -> None:
    """Queue the uploads of a prepared recording, and what is left to do beside them."""
    opened = open_platform()
    number = known_recording(opened, recording)
    with opened.database.system() as session:
        asked = request_publishing(
            session,
            number,
            requested_by=HERE.name,
            platforms=None if on is None else [on],
        )
    if not asked.requested:
        raise UserActionError(NOWHERE.format(number))
    for platform, requested in asked.requested.items():
        say(f"{PLATFORM_NAMES[platform]}: {_queued(opened, requested)}")
    for platform, reason in asked.refused.items():
        say(f"{PLATFORM_NAMES[platform]}: not queued: {reason}")


@app.command()
def status(
    recording: RecordingName,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Where a recording is published, and what stands beside it there."""
    opened = open_platform()
    number = known_recording(opened, recording)
    with opened.database.system() as session:
        found = target_lines(session, number)
    if as_json:
        print_json({"recording_id": number, "targets": [as_document(each) for each in found]})
        return
    for each in found:
        for line in as_lines(each, number):
            say(line)
    if not found:
        say(NOWHERE.format(number))


@app.command()
def update(
    recording: RecordingName,
    *,
    on: Only,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would change, and change nothing.")
    ] = False,
) -> None:
    """Make what stands beside a published video what is configured now, and tell what changes."""
    opened = open_platform()
    number = known_recording(opened, recording)
    with opened.database.system() as session:
        there = load_preview(session, opened.storage, number, on, datetime.now(UTC)).there
        asked = None
        if there is None or not dry_run:  # where nothing is published, asking says so
            asked = published.request_update(session, number, on, EDITOR)
    if asked is not None:
        say(f"{PLATFORM_NAMES[on]}: {_queued(opened, asked)}")
    if there is not None:
        for line in difference_lines(there, on, WOULD if asked is None else WILL):
            say(line)


@app.command()
def retract(
    recording: RecordingName,
    *,
    on: Only,
    reason: Annotated[str, typer.Option(help="Why, for whoever meets it later.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete the video on the platform; the recording stays and may be published again."""
    opened = open_platform()
    number = known_recording(opened, recording)
    if not yes:
        typer.confirm(f"Delete the {PLATFORM_NAMES[on]} video of recording {number}?", abort=True)
    retract_video(_desk(opened), _owner(opened, number), number, on, EDITOR, reason)
    say(f"{PLATFORM_NAMES[on]}: the video of recording {number} is gone.")


@app.command()
def settle(
    recording: RecordingName,
    *,
    on: Only,
    video: Annotated[
        str | None, typer.Option(help="The id of the video that is there (VK: owner_id_video_id).")
    ] = None,
    again: Annotated[
        bool, typer.Option("--send-again", help="There is none: send it again.")
    ] = False,
) -> None:
    """Decide a doubtful upload, after you have looked on the platform."""
    if (video is None) is not again:
        msg = "Say what you found: --video ID where it is there, --send-again where it is not."
        raise InputError(msg)
    opened = open_platform()
    number = known_recording(opened, recording)
    found = settle_upload(_desk(opened), _owner(opened, number), number, on, video, EDITOR)
    what = f"{found.url} is its video" if found is not None else "it is sent again"
    say(f"{PLATFORM_NAMES[on]}: {what}.")


def _queued(opened: Opened, requested: Requested) -> str:
    if requested.run_id is None:
        return why_nothing(requested.plan)
    waits = "" if daemon_alive(opened.settings) else ", and begins with the next `leap up`"
    return f"queued (run {requested.run_id}){waits}"


def _desk(opened: Opened) -> Desk:
    return Desk(opened.database, load_vault(opened.settings), opened.settings)


def _owner(opened: Opened, recording_id: int) -> str:
    with opened.database.system() as session:
        return owner_of(session, recording_id) or ""
