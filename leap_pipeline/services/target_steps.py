"""What stands beside a published video: each decoration is a step that may be repeated."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.publishing import TargetStep
from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.domain.states import STEP_MOVES, Platform, StepState, require_move
from leap_pipeline.errors import MustWaitError, UserActionError
from leap_pipeline.publishing.uploader import NotOffered
from leap_pipeline.services.moves import storable
from leap_pipeline.services.work import Work

NOT_WANTED = "it is not wanted any more"
LISTING, THUMBNAIL, CAPTIONS, COLLECTION = "listing", "thumbnail", "captions", "collection"


@dataclass(frozen=True)
class Decoration:
    """One decoration that is to be there, and how it is brought about.

    `wanted` says of what (a digest, or an id at the platform); `act` gets the platform's id of an
    earlier time and returns the one of now. `name` tells several of a kind apart.
    """

    kind: str
    wanted: str
    act: Callable[[str | None], str | None]
    name: str = ""


@dataclass(frozen=True)
class StepLine:
    """A step as it is shown."""

    kind: str
    name: str
    state: StepState
    reason: str | None
    attempts: int


def decorate(
    work: Work, platform: Platform, decorations: Sequence[Decoration], *, update: bool = False
) -> None:
    """Bring about what was asked for and is not there yet; one that fails stops no other.

    `update` asks for what is wanted now, and once more for what was refused; without it a video
    that is published stays as it was sent, but for texts that changed while it was on its way.
    Raises MustWaitError, at the end, where one of them has to wait.
    """
    _want(work, platform, decorations, update=update)
    waits: list[MustWaitError] = []
    for each in decorations:
        row = _read(work, platform, each)
        if row is None or row.state != StepState.PENDING:
            continue
        work.check()
        if row.done == each.wanted:  # it was asked for again and is there as it is to be
            _move(work, row, StepState.DONE, {"wanted": each.wanted})
            continue
        try:
            external_id = each.act(row.external_id)
        except MustWaitError as wait:
            waits.append(wait)
        except NotOffered as refused:
            _move(work, row, StepState.SKIPPED, {"reason": storable(str(refused))})
        except UserActionError as refused:
            failed = {"reason": storable(str(refused)), "attempts": row.attempts + 1}
            _move(work, row, StepState.FAILED, failed)
        else:
            done = {"done": row.wanted, "external_id": external_id, "reason": None}
            _move(work, row, StepState.DONE, {**done, "finished_at": func.now()})
    if waits:
        raise min(waits, key=lambda wait: wait.due_at)


def lines(session: Session, target_id: int) -> list[StepLine]:
    """The steps of a target."""
    rows = session.scalars(
        select(TargetStep)
        .where(TargetStep.target_id == target_id)
        .order_by(TargetStep.id)
        .options(lazyload("*"))
    )
    return [
        StepLine(row.kind, row.name, StepState(row.state), row.reason, row.attempts) for row in rows
    ]


def _want(
    work: Work, platform: Platform, decorations: Sequence[Decoration], *, update: bool
) -> None:
    """Rows for what is wanted: pending where it is not there as it is to be."""
    with work.fenced() as session:
        target_id = _target_id(session, work, platform)
        rows = {(row.kind, row.name): row for row in _rows(session, target_id)}
        update = update or rows.keys() == {(LISTING, "")}  # nothing but the video came yet
        for each in decorations:
            row = rows.pop((each.kind, each.name), None)
            if row is None:
                session.execute(insert(TargetStep).values(**_new(work, target_id, each)))
            elif update and (row.wanted != each.wanted or row.state == StepState.FAILED):
                _set(session, row, StepState.PENDING, {"wanted": each.wanted})
        for row in rows.values():
            if row.state == StepState.PENDING:
                _set(session, row, StepState.SKIPPED, {"reason": NOT_WANTED})


def note_listing(session: Session, user_id: str, target_id: int, sent: Sent) -> None:
    """Title, description, tags and settings came with the video itself."""
    digest = digest_of(sent)
    values = {"state": StepState.DONE, "wanted": digest, "done": digest, "finished_at": func.now()}
    session.execute(
        insert(TargetStep)
        .values(user_id=user_id, target_id=target_id, kind=LISTING, **values)
        .on_conflict_do_update(constraint="uq_target_steps_name", set_=values)
    )


def digest_of(sent: Sent) -> str:
    """What tells two listings apart: SHA-256 in hex."""
    document = json.dumps(sent.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()


def _new(work: Work, target_id: int, each: Decoration) -> dict[str, Any]:
    return {
        "user_id": work.user_id,
        "target_id": target_id,
        "kind": each.kind,
        "name": each.name,
        "wanted": each.wanted,
    }


def _read(work: Work, platform: Platform, each: Decoration) -> TargetStep | None:
    with work.fenced() as session:
        rows = _rows(session, _target_id(session, work, platform))
        found = next((row for row in rows if (row.kind, row.name) == (each.kind, each.name)), None)
        session.expunge_all()
    return found


def _move(work: Work, row: TargetStep, wanted: StepState, values: Mapping[str, Any]) -> None:
    with work.fenced() as session:
        _set(session, row, wanted, values)


def _set(session: Session, row: TargetStep, wanted: StepState, values: Mapping[str, Any]) -> None:
    if row.state != wanted:
        require_move(f"step {row.kind} {row.name}".strip(), STEP_MOVES, row.state, wanted)
    session.execute(
        update(TargetStep)
        .where(TargetStep.id == row.id)
        .values(state=wanted, **values)
        .execution_options(synchronize_session=False)
    )


def _rows(session: Session, target_id: int) -> Sequence[TargetStep]:
    return session.scalars(
        select(TargetStep)
        .where(TargetStep.target_id == target_id)
        .order_by(TargetStep.id)
        .options(lazyload("*"))
        .execution_options(populate_existing=True)
    ).all()


def _target_id(session: Session, work: Work, platform: Platform) -> int:
    return session.scalars(
        select(OutputTarget.id).where(
            OutputTarget.recording_id == work.recording_id, OutputTarget.target_type == platform
        )
    ).one()
