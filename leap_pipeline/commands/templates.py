"""`leap templates`: why a recording has its template, and looking again at what one takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import typer
from sqlalchemy import select

from leap_pipeline.commands.context import (
    Platform,
    known_recording,
    open_platform,
    print_json,
    say,
)
from leap_pipeline.db.models.templates import RecordingTemplate
from leap_pipeline.domain.match_explanation import Outcome, Verdict
from leap_pipeline.errors import NotFound
from leap_pipeline.services.matching import (
    SAMPLE,
    Changes,
    Explained,
    Preview,
    explain_recording,
    preview,
)
from leap_pipeline.services.matching import rematch as rematch_template

app = typer.Typer(no_args_is_help=True, help="Templates, and the recordings that they take.")
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def templates() -> None:
    """Templates, and the recordings that they take."""


@app.command()
def explain(
    recording: Annotated[str, typer.Argument(help="Number (142) or partition (000001-142).")],
    *,
    as_json: AsJson = False,
) -> None:
    """Say which template takes a recording and by which rule, and why not the others."""
    platform = open_platform()
    number = known_recording(platform, recording)
    with platform.database.system() as session:
        told = explain_recording(session, number)
    if as_json:
        winner = told.explanation.winner
        print_json({**asdict(told), "winner": winner.template_id if winner else None})
    else:
        say("\n".join(_explained(told)))


@app.command()
def rematch(
    template: Annotated[int, typer.Argument(help="Its number, as `explain` shows it.")],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would be done, and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Map what a template takes and has not, unmap what it has and takes no longer."""
    platform = open_platform()
    owner, name = _known_template(platform, template)
    with platform.database.tenant(owner) as session:
        foreseen = preview(session, owner, template_id=template) if dry_run else None
        changes = (
            rematch_template(session, owner, template) if foreseen is None else foreseen.changes
        )
    if as_json:
        print_json({"template_id": template, "dry_run": dry_run, **asdict(changes)})
    else:
        say("\n".join(_changed(name, changes, foreseen)))


def _known_template(platform: Platform, template_id: int) -> tuple[str, str]:
    """The owner and the name of a template; raises `NotFound`."""
    with platform.database.system() as session:
        found = session.execute(
            select(RecordingTemplate.user_id, RecordingTemplate.name).where(
                RecordingTemplate.id == template_id
            )
        ).one_or_none()
    if found is None:
        msg = f"There is no template {template_id}: `leap templates explain` shows their numbers."
        raise NotFound(msg)
    return found.user_id, found.name


def _explained(told: Explained) -> list[str]:
    explanation = told.explanation
    winner = explanation.winner
    lines = [
        f"“{explanation.name}” " + (f"goes to {_title(winner)}." if winner else "goes to none.")
    ]
    lines += [
        f"  {'→' if each.outcome is Outcome.WINS else ' '} {_title(each)}: {each.why}"
        for each in explanation.verdicts
    ]
    lines += [
        f"{_title(each)} has a rule that cannot be read: {problem}"
        for each in explanation.verdicts
        for problem in each.problems
    ]
    if told.template_id != (winner.template_id if winner else None):
        lines.append(_otherwise(told))
    return lines


def _otherwise(told: Explained) -> str:
    has = next(
        (each for each in told.explanation.verdicts if each.template_id == told.template_id), None
    )
    now = f"It has {_title(has)} now" if has else "It has no template now"
    return f"{now}, and keeps that until a rematch or a person changes it."


def _title(verdict: Verdict) -> str:
    return f"{verdict.template_id} “{verdict.template}”"


def _changed(name: str, changes: Changes, foreseen: Preview | None) -> list[str]:
    would = "would be " if foreseen else ""
    done = (
        f"“{name}”: {len(changes.mapped)} {would}mapped, {len(changes.unmapped)} {would}unmapped, "
        f"{changes.kept} kept; {changes.of_others} have another template, "
        f"{changes.left_to_older} wait for an older one, {changes.unmatched} have none."
    )
    if foreseen is None:
        return [done]
    mapped = _names("+", foreseen.mapped, len(changes.mapped))
    return [done, *mapped, *_names("-", foreseen.unmapped, len(changes.unmapped))]


def _names(sign: str, shown: Mapping[int, str], total: int) -> list[str]:
    lines = [f"  {sign} {number}  {name}" for number, name in shown.items()]
    return [*lines, f"  {sign} … {total - SAMPLE} more"] if total > SAMPLE else lines
