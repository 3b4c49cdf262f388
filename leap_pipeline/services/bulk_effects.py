"""What each kind of bulk action does to a recording, by the services that know its rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import OutputTarget
from leap_pipeline.domain.bulk import BulkKind
from leap_pipeline.domain.deletion import DeletionReason
from leap_pipeline.domain.matcher import Matcher
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.shapes.bulk import BulkParameters
from leap_pipeline.domain.states import Platform, TargetStatus
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.services import deletion, published, steering
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.match_rows import (
    load_candidates,
    lock_matching,
    recordings_with_ids,
)
from leap_pipeline.services.matching import match_recordings, unmap
from leap_pipeline.services.runs import request_run, why_nothing
from leap_pipeline.services.targets import request_publishing

NOWHERE = "Recording {} is published nowhere: give its template presets."


@dataclass(frozen=True)
class Given:
    """Who asked for what, in whose recordings, as it is now."""

    session: Session
    owner_id: str
    actor: Actor
    rights: Rights
    parameters: BulkParameters
    now: datetime


@dataclass
class Done:
    """How many recordings were changed, and why others were not."""

    changed: int = 0
    refused: dict[int, str] = field(default_factory=dict)


Effect = Callable[[Given, int], bool]
"""On one recording; whether it changed anything. Raises UserActionError where it is refused."""


def match_again(session: Session, owner_id: str, recording_ids: list[int]) -> set[int]:
    """Take recordings from live templates that match them no more, and give those without one
    their first match; the ids of those that were changed.
    """
    lock_matching(session, owner_id, shared=False)
    live = {each.id: each for each in load_candidates(session, owner_id) if each.is_live}
    alone = {each.id: Matcher([each]) for each in live.values()}
    stale = [
        recording_id
        for batch in recordings_with_ids(session, owner_id, recording_ids)
        for recording_id, name, source_id, template_id in batch
        if template_id in alone and alone[template_id].first(name, source_id) is None
    ]
    unmapped = unmap(session, owner_id, stale) if stale else ()
    return {*unmapped, *match_recordings(session, owner_id, recording_ids).mapped}


def _run(given: Given, recording_id: int) -> bool:
    asked = request_run(
        given.session,
        recording_id,
        requested_by=given.actor.name,
        force=given.parameters.stage,
    )
    return asked.run_id is not None


def _skip(given: Given, recording_id: int) -> bool:
    reason = given.parameters.reason or ""
    steering.skip(given.session, recording_id, reason, actor=given.actor)
    return True


def _unskip(given: Given, recording_id: int) -> bool:
    return steering.unskip(given.session, recording_id, actor=given.actor)


def _cancel(given: Given, recording_id: int) -> bool:
    return bool(steering.cancel(given.session, recording_id, actor=given.actor))


def _delete(given: Given, recording_id: int) -> bool:
    own = given.actor.id == given.owner_id
    reason = DeletionReason.MANUAL if own else DeletionReason.ADMIN
    deletion.soft_delete(
        given.session, recording_id, reason=reason, actor=given.actor, at=given.now
    )
    return True


def _restore(given: Given, recording_id: int) -> bool:
    deletion.restore(given.session, recording_id, actor=given.actor, at=given.now)
    return True


def _publish(given: Given, recording_id: int) -> bool:
    asked = request_publishing(
        given.session,
        recording_id,
        requested_by=given.actor.name,
        platforms=given.parameters.platforms or None,
    )
    if not asked.requested:
        raise InputError(NOWHERE.format(recording_id))
    changed = any(each.run_id is not None for each in asked.requested.values())
    _tell_refused(dict(asked.refused), changed=changed)
    return changed


def _update(given: Given, recording_id: int) -> bool:
    wanted = given.parameters.platforms or tuple(Platform)
    there = given.session.scalars(
        select(OutputTarget.target_type).where(
            OutputTarget.recording_id == recording_id,
            OutputTarget.status == TargetStatus.UPLOADED,
            OutputTarget.target_type.in_([str(each) for each in wanted]),
        )
    ).all()
    if not there:
        msg = f"Recording {recording_id} is not published there: publish it first."
        raise InputError(msg)
    editor = Editor(given.actor, given.rights)
    refused: dict[Platform, str] = {}
    changed = False
    for platform in map(Platform, there):
        try:
            with given.session.begin_nested():
                asked = published.request_update(given.session, recording_id, platform, editor)
        except UserActionError as error:
            refused[platform] = str(error)
        else:
            changed = changed or asked.run_id is not None
            if asked.run_id is None:
                refused[platform] = why_nothing(asked.plan)
    _tell_refused(refused, changed=changed)
    return changed


class PartlyRefused(UserActionError):
    """The message says why not for some platforms. What was done for others stays; `changed` says
    whether anything was.
    """

    def __init__(self, message: str, *, changed: bool) -> None:
        super().__init__(message)
        self.changed = changed


def _tell_refused(refused: Mapping[Platform, str], *, changed: bool) -> None:
    if refused:
        raise PartlyRefused(
            " ".join(f"{PLATFORM_NAMES[platform]}: {why}" for platform, why in refused.items()),
            changed=changed,
        )


EFFECTS: Mapping[BulkKind, Effect] = {
    BulkKind.RUN: _run,
    BulkKind.FORCE: _run,
    BulkKind.SKIP: _skip,
    BulkKind.UNSKIP: _unskip,
    BulkKind.CANCEL: _cancel,
    BulkKind.DELETE: _delete,
    BulkKind.RESTORE: _restore,
    BulkKind.PUBLISH: _publish,
    BulkKind.UPDATE: _update,
}
"""Rematching is done for many at once: see `match_again`."""
