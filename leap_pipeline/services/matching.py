"""Templates and recordings brought together: at a sync, when templates come, change and go.

The oldest live template that takes a recording is its first match, and a recording without a
template gets none but that. One that has a template keeps it, until a rematch of that very template
finds that it no longer takes the recording, or the template goes, or a person unmaps it. A
recording that is unmapped so waits for the next rematch. Deleted ones that can be restored are
matched as any; those that are gone for good stay as they are. The status is nobody's business here,
except that what was skipped for want of a template is wanted again when it gets one.

Whoever matches new recordings shares a lock of the user, and whoever changes what there is to match
with holds it alone: a recording that comes in while a template does meets it in any case. The lock
is taken before any recording's, and lasts until the transaction ends.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.domain.match_explanation import Explanation, explain
from leap_pipeline.domain.matcher import Candidate, Matcher
from leap_pipeline.domain.matching import MatchingRules
from leap_pipeline.domain.shapes.base import parse
from leap_pipeline.domain.wanted import UNMATCHED
from leap_pipeline.errors import NotFound, UserActionError
from leap_pipeline.services.match_rows import (
    THERE,
    UNMAPPED,
    count_recordings,
    keep_template,
    load_candidates,
    lock_matching,
    names_kept,
    names_of,
    of_another_template,
    recordings_in_batches,
    recordings_with_ids,
    unmapped_or_of,
    with_ids,
    write_mapping,
)
from leap_pipeline.services.projection import refresh_status

SAMPLE = 20
# A template that is not stored yet will be the newest.
_NEW = Candidate(0, datetime.max.replace(tzinfo=UTC), None, "the new template")


@dataclass(frozen=True)
class Matched:
    """`mapped` gives each recording's template; `unmatched` are those that none takes."""

    mapped: Mapping[int, int] = field(default_factory=dict)
    unmatched: tuple[int, ...] = ()


@dataclass(frozen=True)
class Changes:
    """What a template's coming or rematch does to the user's recordings, by their ids.

    Untouched are, as numbers: `kept`, which it has and takes; `unmatched`, which no template has
    and it does not take; `left_to_older`, which no template has and it takes, but an older one
    comes first; `of_others`, which another template has.
    """

    mapped: tuple[int, ...] = ()
    unmapped: tuple[int, ...] = ()
    kept: int = 0
    unmatched: int = 0
    left_to_older: int = 0
    of_others: int = 0


@dataclass(frozen=True)
class Preview:
    """What would be done, and the names of the first recordings of each kind by id.

    `kept` are the newest of those that the template has and takes.
    """

    changes: Changes
    mapped: Mapping[int, str]
    unmapped: Mapping[int, str]
    kept: Mapping[int, str]


@dataclass(frozen=True)
class Explained:
    """`template_id` is the one that the recording has now, whatever matching would say."""

    recording_id: int
    template_id: int | None
    explanation: Explanation


def matcher_of(session: Session, user_id: str) -> Matcher:
    """The user's templates as they stay until the transaction ends, for recordings to insert."""
    lock_matching(session, user_id, shared=True)
    return Matcher(load_candidates(session, user_id))


def match_recordings(session: Session, user_id: str, recording_ids: Iterable[int]) -> Matched:
    """Map those of the recordings that have no template to their first match."""
    matcher = matcher_of(session, user_id)
    wanted: defaultdict[int, list[int]] = defaultdict(list)
    unmatched: list[int] = []
    for batch in recordings_with_ids(session, user_id, recording_ids, UNMAPPED):
        for recording_id, name, source_id, _none in batch:
            found = matcher.first(name, source_id)
            (unmatched if found is None else wanted[found.id]).append(recording_id)
    mapped = {
        recording_id: template_id
        for template_id, ids in wanted.items()
        for recording_id in _map(session, user_id, ids, template_id)
    }
    return Matched(mapped, tuple(unmatched))


def match_recording(session: Session, user_id: str, recording_id: int) -> int | None:
    """As `match_recordings`; the template that the recording got."""
    return match_recordings(session, user_id, [recording_id]).mapped.get(recording_id)


def template_created(session: Session, user_id: str, template_id: int) -> Changes:
    """Match the unmapped recordings to a template that was just inserted; none to a draft."""
    lock_matching(session, user_id, shared=False)
    keep_template(session, user_id, template_id)
    candidates = load_candidates(session, user_id)
    if not _find(candidates, template_id).is_live:
        return Changes()
    return _carry_out(session, user_id, candidates, template_id)


def template_deleted(session: Session, user_id: str, template_id: int) -> tuple[int, ...]:
    """Unmap a template's recordings, before its row goes in the same transaction; their ids.

    Recordings that are gone for good are unmapped too: the row's end clears their `template_id`.
    """
    lock_matching(session, user_id, shared=False)
    own = Recording.template_id == template_id
    ids = session.scalars(select(Recording.id).where(Recording.user_id == user_id, own)).all()
    return tuple(write_mapping(session, user_id, ids, own, template_id=None))


def rematch(session: Session, user_id: str, template_id: int) -> Changes:
    """Look at all recordings of the user again, for one template.

    Raises `NotFound`, and `UserActionError` where it is switched off or a draft.
    """
    lock_matching(session, user_id, shared=False)
    keep_template(session, user_id, template_id)
    candidates = load_candidates(session, user_id)
    _require_live(_find(candidates, template_id))
    return _carry_out(session, user_id, candidates, template_id)


def preview(
    session: Session,
    user_id: str,
    *,
    template_id: int | None = None,
    rules: Mapping[str, Any] | None = None,
    sample: int = SAMPLE,
) -> Preview:
    """What would be done, with nothing changed.

    With a template: by its rematch. With rules: by a new live template that has them. With both: by
    the template's rematch once it has the rules and is live. Raises as `rematch` does, and
    `ShapeError` for rules that cannot be saved.
    """
    candidates, subject = _with_rules(load_candidates(session, user_id), template_id, rules)
    if rules is None:
        _require_live(subject)
    changes = _changes(session, user_id, candidates, subject.id)
    return Preview(
        changes,
        names_of(session, user_id, changes.mapped[:sample]),
        names_of(session, user_id, changes.unmapped[:sample]),
        names_kept(session, user_id, subject.id, changes.unmapped, sample),
    )


def unmap(session: Session, user_id: str, recording_ids: Iterable[int]) -> tuple[int, ...]:
    """Take recordings from their templates by hand; the ids of those that had one."""
    lock_matching(session, user_id, shared=False)
    ids = sorted(set(recording_ids))
    mapped = Recording.template_id.is_not(None)
    return tuple(write_mapping(session, user_id, ids, THERE, mapped, template_id=None))


def explain_recording(
    session: Session,
    recording_id: int,
    *,
    template_id: int | None = None,
    rules: Mapping[str, Any] | None = None,
) -> Explained:
    """Why a recording would get its template, and why not the others; raises `NotFound`.

    With rules as if a new template had them, or that one, and were live; raises as `preview` does.
    """
    row = session.execute(
        select(
            Recording.user_id,
            Recording.display_name,
            Recording.input_source_id,
            Recording.template_id,
        ).where(Recording.id == recording_id)
    ).one_or_none()
    if row is None:
        msg = f"There is no recording {recording_id}: `leap status` lists the ones there are."
        raise NotFound(msg)
    candidates = load_candidates(session, row.user_id) if row.user_id else []
    if rules is not None:
        candidates, _ = _with_rules(candidates, template_id, rules)
    told = explain(candidates, row.display_name, row.input_source_id)
    return Explained(recording_id, row.template_id, told)


def explain_name(session: Session, user_id: str, name: str) -> Explanation:
    """Which template would take a recording of that name, whatever its source, and why."""
    return explain(load_candidates(session, user_id), name, None)


def _with_rules(
    candidates: list[Candidate], template_id: int | None, rules: Mapping[str, Any] | None
) -> tuple[list[Candidate], Candidate]:
    """The templates and the one in question: as it is, or live with other rules."""
    subject = _NEW if template_id is None else _find(candidates, template_id)
    if rules is not None:
        parse(MatchingRules, rules, "matching_rules")
        subject = replace(subject, rules=rules, is_active=True, is_draft=False)
    return [*(each for each in candidates if each.id != subject.id), subject], subject


def _carry_out(
    session: Session, user_id: str, candidates: list[Candidate], template_id: int
) -> Changes:
    planned = _changes(session, user_id, candidates, template_id)
    own = Recording.template_id == template_id
    unmapped = write_mapping(session, user_id, planned.unmapped, THERE, own, template_id=None)
    mapped = _map(session, user_id, planned.mapped, template_id)
    return replace(planned, mapped=tuple(mapped), unmapped=tuple(unmapped))


def _map(session: Session, user_id: str, ids: Sequence[int], template_id: int) -> list[int]:
    mapped = write_mapping(session, user_id, ids, THERE, UNMAPPED, template_id=template_id)
    _want_again(session, mapped)
    return mapped


def _want_again(session: Session, ids: Sequence[int]) -> None:
    """Of recordings that have a template now, clear the skip reason that they had none."""
    unmatched = Recording.skip_reason == UNMATCHED
    skipped = session.scalars(select(Recording.id).where(with_ids(ids), unmatched)).all()
    for recording_id in skipped:
        session.execute(
            update(Recording)
            .where(Recording.id == recording_id)
            .values(skip_reason=None)
            .execution_options(synchronize_session=False)
        )
        refresh_status(session, recording_id)


def _changes(
    session: Session, user_id: str, candidates: list[Candidate], template_id: int
) -> Changes:
    all_of_them = Matcher(candidates)
    alone = Matcher([_find(candidates, template_id)])
    mapped: list[int] = []
    unmapped: list[int] = []
    kept = unmatched = left_to_older = 0
    for batch in recordings_in_batches(session, user_id, unmapped_or_of(template_id)):
        for recording_id, name, source_id, current in batch:
            takes = alone.first(name, source_id) is not None
            if current is not None:
                kept += takes
                unmapped += [] if takes else [recording_id]
            elif not takes:
                unmatched += 1
            elif _is_first(all_of_them, template_id, name, source_id):
                mapped.append(recording_id)
            else:
                left_to_older += 1
    of_others = count_recordings(session, user_id, of_another_template(template_id))
    return Changes(tuple(mapped), tuple(unmapped), kept, unmatched, left_to_older, of_others)


def _is_first(matcher: Matcher, template_id: int, name: str, source_id: int | None) -> bool:
    first = matcher.first(name, source_id)
    return first is not None and first.id == template_id


def _find(candidates: list[Candidate], template_id: int) -> Candidate:
    found = next((each for each in candidates if each.id == template_id), None)
    if found is None:
        msg = f"There is no template {template_id}."
        raise NotFound(msg)
    return found


def _require_live(template: Candidate) -> None:
    if not template.is_live:
        state = "a draft" if template.is_draft else "switched off"
        msg = f"The template “{template.name}” is {state} and takes nothing: activate it first."
        raise UserActionError(msg)
