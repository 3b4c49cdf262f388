"""How `leap publish` tells people where a recording is published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.states import RunState
from leap_pipeline.services.publish_status import HoldLine, RunLine, TargetLine, step_title


def as_document(target: TargetLine) -> dict[str, Any]:
    return asdict(target)


def as_lines(target: TargetLine, recording_id: int) -> Iterator[str]:
    name = PLATFORM_NAMES[target.platform]
    yield f"{name}: {target.status} {target.url or ''}".rstrip()
    if target.reason:
        yield f"  why: {target.reason}"
    if target.run is not None and not (target.reason and target.run.state == RunState.FAILED):
        yield f"  {_run(target.run)}"
    for each in target.holds:
        yield from _hold(each, target, recording_id)
    if target.processing:
        note = f": {target.processing_note}" if target.processing_note else ""
        yield f"  {name} says: {target.processing}{note}"
    for step in target.steps:
        why = f": {step.reason}" if step.reason else ""
        yield f"  {step_title(target.platform, step.kind, step.name)}: {step.state}{why}"


def _run(run: RunLine) -> str:
    if run.state == RunState.WAITING and run.due_at is not None:
        return f"waits until {run.due_at:%Y-%m-%d %H:%M} UTC: {run.reason or 'nobody says why'}"
    if run.state == RunState.RUNNING and run.progress is not None:
        return f"running, {run.progress:.0%} sent"
    if run.state == RunState.FAILED:
        return f"the last run failed: {run.reason or 'nobody says why'}"
    return str(run.state)


def _hold(held: HoldLine, target: TargetLine, recording_id: int) -> Iterator[str]:
    yield f"  held ({held.kind.replace('_', ' ')}): {held.reason}"
    for name, value in held.facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        yield f"    {name}: {shown}"
    if held.kind == HoldKind.DOUBTFUL_UPLOAD:
        on = target.platform.lower()
        yield (
            f"    Look on {PLATFORM_NAMES[target.platform]}, then say what you found: "
            f"`leap publish settle {recording_id} --on {on}` with `--video ID` or `--send-again`."
        )
