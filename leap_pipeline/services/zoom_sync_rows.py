"""Syncing's statements: what is known of a page of meetings, and what is written about them.

A page is one short transaction of its tenant. Where nothing changed it is one SELECT. Otherwise it
takes the user's matching lock alone, looks again with the rows locked, and writes: who inserts
after a look that found nothing is alone, and the unique index stands behind that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Text, any_, bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import ProcessingStage, Recording, SourceMetadata
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.matcher import Candidate, Matcher
from leap_pipeline.domain.states import DownloadStatus, Stage, StageStatus
from leap_pipeline.domain.wanted import Bounds
from leap_pipeline.domain.zoom_parts import parts_of
from leap_pipeline.domain.zoom_plan import Change, Known, New, Plan, Source, plan_meeting
from leap_pipeline.errors import TransientError
from leap_pipeline.services.deletion import expiry_of
from leap_pipeline.services.liveness import wait_little
from leap_pipeline.services.match_rows import load_candidates, lock_matching
from leap_pipeline.services.moves import move_download
from leap_pipeline.services.projection import refresh_status
from leap_pipeline.sources.zoom.models import ZoomMeeting

ZOOM = "ZOOM"
ATTEMPTS = 3
LOCK_WAIT_SECONDS = 10
UUID_LIMIT = 900  # keys are longer by a moment
WRITTEN = ("new", "updated")
Planned = tuple[ZoomMeeting, Plan]
_FIELDS = tuple(each.name for each in fields(Known))


@dataclass(frozen=True)
class Rules:
    """What a source takes, and whose it is."""

    user_id: str
    source_id: int
    bounds: Bounds
    skip_unmatched: bool
    now: datetime


@dataclass
class Templates:
    """The owner's templates, compiled once and again only when one of them changed."""

    _candidates: list[Candidate] = field(default_factory=list)
    _matcher: Matcher = field(default_factory=lambda: Matcher([]))

    def matcher(self, session: Session, user_id: str) -> Matcher:
        """As they are now; whoever writes holds the matching lock."""
        candidates = sorted(load_candidates(session, user_id), key=lambda each: each.id)
        if candidates != self._candidates:
            self._candidates, self._matcher = candidates, Matcher(candidates)
        return self._matcher


@dataclass(frozen=True)
class Written:
    """`counts` as in `SyncCounts`, and the ids of the recordings that are new."""

    counts: Counter[str]
    created: tuple[int, ...] = ()


def write_page(
    database: Database,
    rules: Rules,
    templates: Templates,
    meetings: Iterable[ZoomMeeting],
    *,
    counted: Collection[str] = (),
    dry_run: bool = False,
) -> Written:
    """Bring what is stored in line with what Zoom says of these meetings.

    Of those that are `counted` already, by their UUIDs, only what is written counts.
    """
    page = list({each.uuid: each for each in meetings if len(each.uuid) <= UUID_LIMIT}.values())
    if dry_run:  # what was counted would have been written
        page = [each for each in page if each.uuid not in counted]
    for _ in range(ATTEMPTS):
        try:
            return _write(database, rules, templates, page, counted, dry_run=dry_run)
        except IntegrityError as error:
            clash = error
    msg = f"Source {rules.source_id} or its recordings changed while it was synced: sync it again."
    raise TransientError(msg) from clash


def _write(
    database: Database,
    rules: Rules,
    templates: Templates,
    page: Sequence[ZoomMeeting],
    counted: Collection[str],
    *,
    dry_run: bool,
) -> Written:
    with database.tenant(rules.user_id) as session:
        if dry_run:
            matcher = templates.matcher(session, rules.user_id)
            return Written(_total(_plans(session, rules, page, matcher), counted))
        # Which template takes a name decides what is written, never whether something is.
        plans = _plans(session, rules, page, Matcher([]))
        quiet = _total([each for each in plans if not each[1]], counted)
        busy = [meeting for meeting, plan in plans if plan]
        if not busy:
            return Written(quiet)
        wait_little(session, LOCK_WAIT_SECONDS)
        lock_matching(session, rules.user_id, shared=False)
        matcher = templates.matcher(session, rules.user_id)
        plans = _plans(session, rules, busy, matcher, lock=True)
        for change in (each for _, plan in plans for each in plan.changes):
            _change(session, change)
        created = _insert(session, rules, [each for _, plan in plans for each in plan.new])
        return Written(quiet + _total(plans, counted), created)


def _total(plans: Iterable[Planned], counted: Collection[str]) -> Counter[str]:
    total: Counter[str] = Counter()
    for meeting, plan in plans:
        again = meeting.uuid in counted
        total.update({name: plan.counts[name] for name in WRITTEN} if again else plan.counts)
    return total


def _plans(
    session: Session,
    rules: Rules,
    page: Sequence[ZoomMeeting],
    matcher: Matcher,
    *,
    lock: bool = False,
) -> list[Planned]:
    parts = [parts_of(each.uuid, each.files) for each in page]
    keys = {part.key for some in parts for part in some} | {each.uuid for each in page}
    known = known_rows(session, rules.user_id, keys, lock=lock)
    undated = {
        each.uuid
        for each, some in zip(page, parts, strict=True)
        if not any(part.start is not None for part in some)
    }
    with_parts = _meetings_with_parts(session, rules.user_id, undated - known.keys())
    source = Source(
        rules.source_id, rules.bounds, rules.skip_unmatched, rules.now, _match(matcher, rules)
    )
    return [
        (each, plan_meeting(each, some, known, source, has_parts=each.uuid in with_parts))
        for each, some in zip(page, parts, strict=True)
    ]


def _match(matcher: Matcher, rules: Rules) -> Callable[[str], int | None]:
    def match(name: str) -> int | None:
        found = matcher.first(name, rules.source_id)
        return None if found is None else found.id

    return match


def known_rows(
    session: Session, user_id: str, keys: Iterable[str], *, lock: bool = False
) -> dict[str, Known]:
    """The user's Zoom recordings with these keys; `lock` locks them, in the order of their ids."""
    statement = (
        select(
            Recording.id,
            SourceMetadata.source_key,
            SourceMetadata.meta,
            Recording.display_name,
            Recording.start_time,
            Recording.duration,
            Recording.video_file_size,
            func.coalesce(Recording.blank_record, False),
            Recording.skip_reason,
            Recording.download_status,
            Recording.template_id,
            Recording.input_source_id,
            func.coalesce(Recording.delete_state, str(DeleteState.ACTIVE)),
            Recording.next_look_at,
        )
        .join(SourceMetadata, SourceMetadata.recording_id == Recording.id)
        .where(_of_user(user_id), SourceMetadata.source_key == any_(_texts(keys)))
    )
    if lock:
        statement = statement.order_by(Recording.id).with_for_update(of=Recording)
    return {row[1]: _known(row) for row in session.execute(statement)}


def _of_user(user_id: str) -> Any:
    return (SourceMetadata.user_id == user_id) & (SourceMetadata.source_type == ZOOM)


def _texts(values: Iterable[str]) -> Any:
    return bindparam(None, sorted(values), ARRAY(Text))


def _known(row: Sequence[Any]) -> Known:
    values = dict(zip(_FIELDS, row, strict=True))
    values["download"] = DownloadStatus(values["download"])
    values["delete_state"] = DeleteState(values["delete_state"])
    return Known(**values)


def _meetings_with_parts(session: Session, user_id: str, uuids: Iterable[str]) -> set[str]:
    """Those of the meetings of which a part is known, whatever its key. Reads all of the user's."""
    if not uuids:
        return set()
    meeting = func.regexp_replace(SourceMetadata.source_key, "@[-0-9T:]+Z$", "")
    found = session.scalars(
        select(meeting).where(_of_user(user_id), meeting == any_(_texts(uuids))).distinct()
    )
    return set(found)


def _change(session: Session, change: Change) -> None:
    recording_id = change.known.recording_id
    quick = {"synchronize_session": False}
    if change.source:
        session.execute(
            update(SourceMetadata)
            .where(SourceMetadata.recording_id == recording_id)
            .values(**change.source)
            .execution_options(**quick)
        )
    if change.recording:
        session.execute(
            update(Recording)
            .where(Recording.id == recording_id)
            .values(**change.recording)
            .execution_options(**quick)
        )
    if change.reset:
        move_download(session, recording_id, DownloadStatus.PENDING)
    if change.reset or "skip_reason" in change.recording:
        refresh_status(session, recording_id)


def _insert(session: Session, rules: Rules, fresh: Sequence[New]) -> tuple[int, ...]:
    if not fresh:
        return ()
    born: Mapping[str, Any] = {
        "user_id": rules.user_id,
        "created_at": rules.now,
        "expire_at": expiry_of(session, rules.user_id, rules.now),
    }
    ids = session.scalars(
        insert(Recording).returning(Recording.id, sort_by_parameter_order=True),
        [{**new.recording, **born} for new in fresh],
    ).all()
    session.execute(
        insert(SourceMetadata),
        [
            {
                "recording_id": recording_id,
                "user_id": rules.user_id,
                "input_source_id": rules.source_id,
                "source_type": ZOOM,
                "source_key": new.key,
                "meta": new.meta,
            }
            for recording_id, new in zip(ids, fresh, strict=True)
        ],
    )
    session.execute(
        insert(ProcessingStage),
        [
            {
                "recording_id": recording_id,
                "user_id": rules.user_id,
                "stage_type": str(stage),
                "status": str(StageStatus.PENDING),
            }
            for recording_id in ids
            for stage in Stage
        ],
    )
    return tuple(ids)
