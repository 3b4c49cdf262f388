"""What stands beside a published video: each decoration is a step that may be repeated."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.models.publishing import TargetStep
from leap_pipeline.domain.shapes.results import Sent
from leap_pipeline.domain.states import StepState
from leap_pipeline.domain.wanted import FIRST_LOOK, gap_after
from leap_pipeline.errors import DataError, MustWaitError, TransientError, UserActionError
from leap_pipeline.publishing.uploader import NotOffered
from leap_pipeline.services.later import later
from leap_pipeline.services.moves import storable
from leap_pipeline.services.step_rows import (
    Desk,
    Key,
    moved,
    read_step,
    rows_of,
    set_step,
    target_of,
)
from leap_pipeline.services.work import Work

logger = logging.getLogger(__name__)

NOT_WANTED = "it is not wanted any more"
LISTING, THUMBNAIL, CAPTIONS, COLLECTION = "listing", "thumbnail", "captions", "collection"


Act = Callable[[str | None], str | None]
Undo = Callable[[str, str | None], None]
Outcome = StepState | MustWaitError


@dataclass(frozen=True)
class Decoration:
    """One decoration that is to be there, and how it is brought about.

    `wanted` says of what (a digest, or an id at the platform); `act` gets the platform's id of an
    earlier time and returns the one of now. `name` tells several of a kind apart; `noted` writes
    what else is known with its receipt.
    """

    kind: str
    wanted: str
    act: Act
    name: str = ""
    noted: Callable[[Session], None] | None = None

    @property
    def key(self) -> Key:
        return self.kind, self.name


@dataclass(frozen=True)
class StepLine:
    """A step as it is shown."""

    kind: str
    name: str
    state: StepState
    reason: str | None
    attempts: int


def decorate(
    desk: Desk,
    decorations: Sequence[Decoration],
    undo: Mapping[str, Undo],
    *,
    update: bool = False,
) -> None:
    """Bring about what was asked for and is not there yet; one that fails stops no other.

    `update` asks for what is wanted now, and once more for what was refused; without it a video
    that is published stays as it was sent, but for texts that changed while it was on its way.
    `undo` says of some kinds how one that is not wanted any more is taken away, by its name and
    the platform's id: once those of its kind that are wanted are there.
    Raises MustWaitError, at the end, where one of them has to wait.
    """
    unwanted = _want(desk, decorations, undo, update=update)
    found = [(each.kind, _brought_about(desk, each)) for each in decorations]
    gone = [
        _taken_away(desk, key, undo[key[0]], [each for kind, each in found if kind == key[0]])
        for key in unwanted
    ]
    outcomes = [*(each for _, each in found), *gone]
    waits = [each for each in outcomes if isinstance(each, MustWaitError)]
    if waits:
        raise min(waits, key=lambda wait: wait.due_at)


def lines(session: Session, target_id: int) -> list[StepLine]:
    """The steps of a target."""
    return [
        StepLine(row.kind, row.name, StepState(row.state), row.reason, row.attempts)
        for row in rows_of(session, target_id)
    ]


def _want(
    desk: Desk, decorations: Sequence[Decoration], undo: Mapping[str, Undo], *, update: bool
) -> list[Key]:
    """Rows for what is wanted: pending where it is not there as it is to be.

    Returns what is to be taken away: it is pending too, and wanted as nothing.
    """
    with desk.work.fenced() as session:
        target_id = target_of(session, desk)
        rows = {(row.kind, row.name): row for row in rows_of(session, target_id)}
        update = update or rows.keys() == {(LISTING, "")}  # nothing but the video came yet
        for each in decorations:
            row = rows.pop(each.key, None)
            if row is None:
                session.execute(insert(TargetStep).values(**_new(desk.work, target_id, each)))
            elif _is_to_be_done(row, each, update=update):
                # What a step that did not end left there, nobody knows.
                done = row.done if row.state == StepState.DONE else None
                values = {"wanted": each.wanted, "done": done, "attempts": 0}
                set_step(session, row, StepState.PENDING, values)
            elif row.state == StepState.PENDING and row.done == each.wanted:
                set_step(session, row, StepState.DONE, {"reason": None})
        unwanted = []
        for key, row in rows.items():
            begun = row.state == StepState.PENDING  # a death may hide that it is there already
            if row.kind in undo and (begun or (update and row.done is not None)):
                again = {} if begun else {"attempts": 0}
                set_step(session, row, StepState.PENDING, {"wanted": None, **again})
                unwanted.append(key)
            elif begun or (update and row.state == StepState.FAILED):
                set_step(session, row, StepState.SKIPPED, {"wanted": None, "reason": NOT_WANTED})
        return unwanted


def _is_to_be_done(row: TargetStep, each: Decoration, *, update: bool) -> bool:
    if row.wanted != each.wanted:
        return update or row.state == StepState.PENDING
    return update and row.state == StepState.FAILED


def _brought_about(desk: Desk, each: Decoration) -> Outcome:
    row = read_step(desk, each.key)
    if row.state != StepState.PENDING:
        return StepState(row.state)

    def act() -> Mapping[str, Any]:
        external_id = each.act(row.external_id)
        return {"done": row.wanted, "external_id": external_id, "reason": None}

    return _tried(desk, row, act, StepState.DONE, each.noted)


def _taken_away(desk: Desk, key: Key, undo: Undo, others: Sequence[Outcome]) -> Outcome:
    """Not before what takes its place is there: where that was refused, it stays for now."""
    row = read_step(desk, key)
    if any(isinstance(each, MustWaitError) for each in others):
        return StepState.PENDING
    if StepState.FAILED in others and row.done is not None:
        return moved(desk, row, StepState.DONE, {"wanted": row.done})

    def act() -> Mapping[str, Any]:
        undo(row.name, row.external_id)
        return {"done": None, "external_id": None, "reason": NOT_WANTED}

    return _tried(desk, row, act, StepState.SKIPPED)


def _tried(
    desk: Desk,
    row: TargetStep,
    act: Callable[[], Mapping[str, Any]],
    wanted: StepState,
    noted: Callable[[Session], None] | None = None,
) -> Outcome:
    desk.work.check()
    try:
        values = act()
    except (MustWaitError, TransientError) as failed:
        return _put_off(desk, row, failed)
    except NotOffered as refused:
        return moved(desk, row, StepState.SKIPPED, {"reason": storable(str(refused))})
    except (UserActionError, DataError) as refused:
        if isinstance(refused, DataError):
            logger.exception("Step %s of recording %s", row.kind, desk.work.recording_id)
        failure = {"reason": storable(str(refused)), "attempts": row.attempts + 1}
        return moved(desk, row, StepState.FAILED, failure)
    return moved(desk, row, wanted, {**values, "finished_at": func.now()}, noted)


def _put_off(desk: Desk, row: TargetStep, failed: MustWaitError | TransientError) -> Outcome:
    """Until the time that the platform names, else after growing gaps, for a day."""
    reason, now = storable(str(failed)), desk.now()
    if isinstance(failed, MustWaitError) and failed.due_at >= now + FIRST_LOOK:
        moved(desk, row, StepState.PENDING, {"reason": reason, "attempts": 0})
        return later(reason, failed.due_at, desk.dice)
    attempts, gap = row.attempts + 1, gap_after(row.attempts)
    if gap is None:
        reason = f"{reason} That went on for a day: see whether it works again, then update."
        return moved(desk, row, StepState.FAILED, {"reason": reason, "attempts": attempts})
    moved(desk, row, StepState.PENDING, {"reason": reason, "attempts": attempts})
    return later(reason, now + gap, desk.dice)


def note_listing(session: Session, user_id: str, target_id: int, sent: Sent) -> None:
    """Title, description, tags and settings came with the video itself.

    It is pending until it is written down what is to stand beside the video: a worker that dies
    before that leaves something to do.
    """
    digest = digest_of(sent)
    values = {
        "state": StepState.PENDING,
        "wanted": digest,
        "done": digest,
        "finished_at": func.now(),
    }
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
