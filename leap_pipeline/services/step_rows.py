"""The rows of what stands beside a published video; every write is fenced by its worker."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.publishing import TargetStep
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.domain.states import STEP_MOVES, Platform, StepState, require_move
from leap_pipeline.services.later import Dice
from leap_pipeline.services.work import Work

Key = tuple[str, str]
"""Kind and name of a step."""


@dataclass(frozen=True)
class Desk:
    """At which target a worker decorates, by what clock, and how by chance it waits."""

    work: Work
    platform: Platform
    now: Callable[[], datetime]
    dice: Dice = random.uniform


def read_step(desk: Desk, key: Key) -> TargetStep:
    """A step as it is stored now."""
    with desk.work.fenced() as session:
        rows = rows_of(session, target_of(session, desk))
        session.expunge_all()
    return next(row for row in rows if (row.kind, row.name) == key)


def moved(
    desk: Desk,
    row: TargetStep,
    wanted: StepState,
    values: Mapping[str, Any],
    noted: Callable[[Session], None] | None = None,
) -> StepState:
    """The step in its new state; `noted` writes more in the same transaction."""
    with desk.work.fenced() as session:
        set_step(session, row, wanted, values)
        if noted is not None:
            noted(session)
    return wanted


def set_step(
    session: Session, row: TargetStep, wanted: StepState, values: Mapping[str, Any]
) -> None:
    """Raises IllegalMove."""
    if row.state != wanted:
        require_move(f"step {row.kind} {row.name}".strip(), STEP_MOVES, row.state, wanted)
    session.execute(
        update(TargetStep)
        .where(TargetStep.id == row.id)
        .values(state=wanted, **values)
        .execution_options(synchronize_session=False)
    )


def rows_of(session: Session, target_id: int) -> Sequence[TargetStep]:
    """The steps of a target, oldest first."""
    return session.scalars(
        select(TargetStep)
        .where(TargetStep.target_id == target_id)
        .order_by(TargetStep.id)
        .options(lazyload("*"))
        .execution_options(populate_existing=True)
    ).all()


def target_of(session: Session, desk: Desk) -> int:
    """The id of the target."""
    return session.scalars(
        select(OutputTarget.id).where(
            OutputTarget.recording_id == desk.work.recording_id,
            OutputTarget.target_type == desk.platform,
        )
    ).one()
