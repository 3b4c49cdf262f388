"""`leap cancel`, `hold`, `release`, `skip`, `unskip`: what a person decides about a recording."""

from __future__ import annotations

from typing import Annotated

import typer

from leap_pipeline.commands.context import known_recording, open_platform, say
from leap_pipeline.domain import states
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.errors import InputError
from leap_pipeline.services import holds, steering
from leap_pipeline.services.audit import Actor

HERE = Actor(None, "command line")

Recording = Annotated[str, typer.Argument(help="Number (142) or partition (000001-142).")]
Reason = Annotated[str, typer.Option(help="Why, for whoever meets it later.")]
Target = Annotated[
    states.Platform | None,
    typer.Option(case_sensitive=False, help="Only the upload to this platform."),
]


def cancel(recording: Recording) -> None:
    """End what runs, waits or is queued for a recording, and put it back."""
    platform = open_platform()
    number = known_recording(platform, recording)
    with platform.database.system() as session:
        ended = steering.cancel(session, number, actor=HERE)
    runs = ", ".join(f"run {run}" for run in ended)
    say(f"Recording {number}: {f'cancelled {runs}' if ended else 'nothing was running'}.")


def hold(
    recording: Recording,
    *,
    reason: Reason,
    target: Target = None,
    kind: Annotated[
        HoldKind, typer.Option(help="A pause stops everything, the others publishing only.")
    ] = HoldKind.PAUSE,
) -> None:
    """Hold a recording, or one of its uploads, until it is released."""
    platform = open_platform()
    number = known_recording(platform, recording)
    with platform.database.system() as session:
        made = holds.hold(session, number, kind, reason, platform=target, actor=HERE)
    say(f"Recording {number}{_on(target)} is held ({kind}, hold {made}).")


def release(
    recording: Recording,
    *,
    target: Target = None,
    kind: Annotated[HoldKind | None, typer.Option(help="Only holds of this kind.")] = None,
) -> None:
    """Release the holds of a recording; what they had stopped is queued again."""
    platform = open_platform()
    number = known_recording(platform, recording)
    with platform.database.system() as session:
        found = [
            row
            for row in holds.live_holds(session, number)
            if target in (None, row.target_type) and kind in (None, row.kind)
        ]
        if not found:
            msg = f"Recording {number}{_on(target)} has no such hold to release."
            raise InputError(msg)
        queued: list[int] = []
        for row in found:
            queued += steering.release(session, row.id, HERE)
            say(f"Released: {row.kind}{_on(row.target_type)}, {row.reason}")
    if queued:
        say(f"Queued again: {', '.join(f'run {run}' for run in queued)}")


def skip(recording: Recording, *, reason: Reason) -> None:
    """Take a recording out of all work; what runs is cancelled."""
    platform = open_platform()
    number = known_recording(platform, recording)
    with platform.database.system() as session:
        steering.skip(session, number, reason, actor=HERE)
    say(f"Recording {number} is skipped: {reason}")


def unskip(recording: Recording) -> None:
    """Want a skipped recording again."""
    platform = open_platform()
    number = known_recording(platform, recording)
    with platform.database.system() as session:
        changed = steering.unskip(session, number, actor=HERE)
    say(f"Recording {number} {'is wanted again' if changed else 'was not skipped'}.")


def _on(target: str | None) -> str:
    return f" on {target}" if target else ""
