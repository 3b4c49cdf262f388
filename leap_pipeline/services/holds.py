"""Holds on recordings and on single targets: placed, released, and read for the planner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.runs import RecordingHold
from leap_pipeline.domain.holds import Hold, HoldKind
from leap_pipeline.domain.shapes.registry import validate_column
from leap_pipeline.domain.states import HoldState, Platform
from leap_pipeline.errors import InputError, NotFound
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.moves import NAME_LIMIT, move_hold, storable
from leap_pipeline.services.notices import tell_held
from leap_pipeline.services.projection import lock_recording, lock_row


def hold(
    session: Session,
    recording_id: int,
    kind: HoldKind,
    reason: str,
    *,
    platform: Platform | None = None,
    facts: Mapping[str, Any] | None = None,
    actor: Actor,
) -> int:
    """Hold a recording, or one of its targets; the hold's id.

    A live hold of the same kind there gets the new reason and facts. The owner is told of a new one
    that somebody else, or LEAP, has placed. Raises `InputError` for a
    recording that the scope does not have, an empty reason, a doubtful upload without its target.
    """
    if not reason.strip():
        msg = "A hold needs a reason: say why, for whoever is to release it."
        raise InputError(msg)
    if kind is HoldKind.DOUBTFUL_UPLOAD and platform is None:
        msg = "A doubtful upload needs its target: name the platform."
        raise InputError(msg)
    recording = lock_recording(session, recording_id).recording
    owner_id = recording.user_id
    said = {
        "reason": storable(reason),
        "facts": validate_column("recording_holds", "facts", dict(facts or {})),
        "held_by": storable(actor.name, NAME_LIMIT),
    }
    statement = (
        insert(RecordingHold)
        .values(
            recording_id=recording_id, user_id=owner_id, target_type=platform, kind=kind, **said
        )
        .on_conflict_do_update(
            index_elements=[
                RecordingHold.recording_id,
                func.coalesce(RecordingHold.target_type, ""),
                RecordingHold.kind,
            ],
            index_where=RecordingHold.released_at.is_(None),
            set_={**said, "updated_at": func.now()},
        )
        .returning(RecordingHold.id)
    )
    hold_id = session.execute(statement).scalar_one()
    after = {"hold": hold_id, "kind": kind, "target": platform, **said}
    record(
        session, actor, "recording.hold", "recording", recording_id, owner_id=owner_id, after=after
    )
    if actor.id is None or actor.id != owner_id:
        tell_held(session, recording, hold_id, kind, said["reason"])
    return hold_id


def release(session: Session, hold_id: int, actor: Actor) -> None:
    """Release a hold; what it stopped goes on with the next run (`steering.release` asks for it).

    Raises `NotFound` where the scope has no such hold, `IllegalMove` where it is released.
    """
    found = session.execute(
        select(RecordingHold.recording_id, RecordingHold.user_id, RecordingHold.kind).where(
            RecordingHold.id == hold_id
        )
    ).one_or_none()
    if found is None:
        msg = f"There is no hold {hold_id}: look at the recording for those it has."
        raise NotFound(msg)
    recording_id, owner_id, kind = found
    lock_row(session, recording_id)
    move_hold(session, hold_id, HoldState.RELEASED, by=actor.name)
    before = {"hold": hold_id, "kind": kind}
    record(
        session,
        actor,
        "recording.release",
        "recording",
        recording_id,
        owner_id=owner_id,
        before=before,
    )


def live_holds(session: Session, recording_id: int) -> list[RecordingHold]:
    """The holds of a recording and its targets that nobody has released, oldest first."""
    return list(
        session.scalars(
            select(RecordingHold)
            .where(RecordingHold.recording_id == recording_id, RecordingHold.released_at.is_(None))
            .order_by(RecordingHold.id)
            .options(lazyload("*"))
            .execution_options(populate_existing=True)
        )
    )


def planned_holds(session: Session, recording_id: int) -> tuple[Hold, ...]:
    """The live holds as the planner takes them."""
    return tuple(as_planned(row) for row in live_holds(session, recording_id))


def as_planned(row: RecordingHold) -> Hold:
    return Hold(
        kind=HoldKind(row.kind),
        reason=row.reason,
        platform=Platform(row.target_type) if row.target_type else None,
        facts=row.facts,
    )
