"""`leap delete`, `leap restore` and `leap retention`: what goes, comes back, and goes for good."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from leap_pipeline.commands.context import Platform, known_recording, open_platform, print_json, say
from leap_pipeline.commands.dagster_home import instance
from leap_pipeline.commands.partitions import forget_partitions
from leap_pipeline.commands.steer import HERE
from leap_pipeline.domain.deletion import DeletionReason
from leap_pipeline.errors import LeapError
from leap_pipeline.services import deletion, retention
from leap_pipeline.services.subscriptions import expire_subscriptions

app = typer.Typer(no_args_is_help=True, help="What expires and goes for good.")

Recording = Annotated[str, typer.Argument(help="Number (142) or partition (000001-142).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class SweepIncomplete(LeapError):
    """Some recordings could not be swept."""


@app.callback()
def retention_group() -> None:
    """What has expired goes, and what was deleted long enough ago goes for good."""


def delete(
    recordings: Annotated[list[str], typer.Argument(help="Numbers (142) or partitions.")],
    *,
    as_json: Json = False,
) -> None:
    """Delete recordings; what is published stays, and so do the files until it is too late."""
    platform = open_platform()
    numbers = [known_recording(platform, each) for each in recordings]
    at, until = datetime.now(UTC), {}
    with platform.database.system() as session:
        for number in sorted(set(numbers)):
            until[number] = deletion.soft_delete(
                session, number, reason=DeletionReason.MANUAL, actor=HERE, at=at
            )
    if as_json:
        rows = [{"recording_id": each, "restorable_until": when} for each, when in until.items()]
        print_json({"deleted": rows})
        return
    for number, when in until.items():
        day = f"{when:%Y-%m-%d %H:%M} UTC"
        say(f"Recording {number} is deleted; it can be restored until {day}.")


def restore(recording: Recording, *, as_json: Json = False) -> None:
    """Bring a deleted recording back, as long as its files are there."""
    platform = open_platform()
    number = known_recording(platform, recording)
    with platform.database.system() as session:
        deletion.restore(session, number, actor=HERE, at=datetime.now(UTC))
    if as_json:
        print_json({"restored": number})
        return
    say(f"Recording {number} is back.")


@app.command()
def run(
    *,
    dry_run: Annotated[bool, typer.Option(help="Tell what would go, and do nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Do now what the schedule `retention` does every day at 03:00 UTC."""
    platform = open_platform()
    done = _sweep(platform, datetime.now(UTC), dry_run=dry_run)
    if as_json:
        print_json({"dry_run": dry_run, **done})
    else:
        for what, found in done.items():
            say(f"{what.replace('_', ' ')}: {_shown(found)}")
    failed = {**done["expired"]["failed"], **done["deleted_for_good"]["failed"]}
    if failed:
        msg = "Not all could be swept: " + "; ".join(f"{n}: {why}" for n, why in failed.items())
        raise SweepIncomplete(msg)


def _sweep(platform: Platform, at: datetime, *, dry_run: bool) -> dict[str, Any]:
    database = platform.database
    gone = retention.delete_for_good
    done: dict[str, Any] = {
        "expired": asdict(retention.expire_recordings(database, at, dry_run=dry_run)),
        "deleted_for_good": asdict(gone(database, platform.storage, at, dry_run=dry_run)),
        "subscriptions_expired": expire_subscriptions(database, at, dry_run=dry_run),
        "unfinished_files": retention.sweep_unfinished(database, platform.storage, dry_run=dry_run),
        "storage_recounted": retention.recount_storage(database, at, dry_run=dry_run),
    }
    if not dry_run:
        done["tidied"] = retention.tidy(database)
        with instance(platform.settings, platform.urls) as dagster:
            done["partitions_forgotten"] = forget_partitions(dagster, database)
    return done


def _shown(found: Any) -> str:
    if isinstance(found, dict) and "done" not in found:
        return ", ".join(f"{count} {what}" for what, count in found.items())
    if isinstance(found, dict):
        return f"{_shown(found['done'])}; left for later: {_shown(found['left'])}"
    if isinstance(found, list):
        return ", ".join(map(str, found)) or "none"
    return str(found)
