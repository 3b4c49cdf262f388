"""What a sync has to write, given what Zoom says of a meeting and what is known of it. Pure.

A part is a row under its key. A meeting that had no video yet has one row under its bare UUID, as
rows from the original platform do: the part that it tells of takes that row over by changing its
key. Where nothing changed nothing is written. Nothing is ever deleted: what Zoom does not list any
more stays. Until a download begins the row follows what Zoom says; then only names do, and a view
that is better than the one fetched is noted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.names import clean_name, number_in, numbered
from leap_pipeline.domain.shapes.base import ShapeError
from leap_pipeline.domain.shapes.registry import read_column, validate_column
from leap_pipeline.domain.states import DownloadStatus, Stage, StageStatus
from leap_pipeline.domain.status import RecordingFacts, StageFact, project
from leap_pipeline.domain.wanted import (
    FIRST_LOOK,
    GIVEN_UP,
    SYNC_REASONS,
    UNMATCHED,
    Bounds,
)
from leap_pipeline.domain.zoom_parts import File, Part, in_seconds, is_better, moment
from leap_pipeline.domain.zoom_seen import Document, Meeting, Seen, key_of, view_of

_NOT_FETCHED = (DownloadStatus.PENDING_SOURCE, DownloadStatus.PENDING, DownloadStatus.FAILED)
_FRESH_STAGES = {stage: StageFact(StageStatus.PENDING) for stage in Stage}


@dataclass(frozen=True)
class Known:
    """A recording that is stored already; `seconds`, `size` (bytes) and `meta` as they are."""

    recording_id: int
    key: str
    meta: Mapping[str, Any] | None
    name: str
    start: datetime
    seconds: int
    size: int | None
    blank: bool
    skip_reason: str | None
    download: DownloadStatus
    template_id: int | None
    source_id: int | None
    delete_state: DeleteState
    next_look_at: datetime | None


@dataclass(frozen=True)
class Source:
    """The source that is synced; `match` gives the template that takes a name."""

    source_id: int
    bounds: Bounds
    skip_unmatched: bool
    now: datetime
    match: Callable[[str], int | None]


@dataclass(frozen=True)
class New:
    """A recording to insert, by its columns, with the `meta` of its source."""

    key: str
    recording: Document
    meta: Document


@dataclass(frozen=True)
class Change:
    """What changes of a recording and its `source_metadata`, by columns.

    `reset` puts the download to PENDING: the source has it ready, or it is wanted again.
    """

    known: Known
    recording: Document = field(default_factory=dict)
    source: Document = field(default_factory=dict)
    reset: bool = False

    def __bool__(self) -> bool:
        return bool(self.recording or self.source or self.reset)


@dataclass
class Plan:
    """`counts` are those of `SyncCounts`."""

    new: list[New] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.new or self.changes)


def plan_meeting(
    meeting: Meeting,
    parts: Sequence[Part[File]],
    known: Mapping[str, Known],
    source: Source,
    *,
    has_parts: bool = False,
) -> Plan:
    """What to do about a meeting; `known` has the rows of its parts' keys and of its bare UUID.

    `has_parts`: rows of it are known under keys that it does not list now. Then a placeholder
    would be one too many.
    """
    plan = Plan()
    slots: list[Part[File] | None] = [*parts] or [None]
    rows = _rows(meeting.uuid, slots, known)
    bare = known.get(meeting.uuid)
    gone = bare is not None and bare.delete_state is DeleteState.HARD_DELETED
    numbers = numbered([_number(row) for row in rows])
    for part, row, number in zip(slots, rows, numbers, strict=True):
        if row is not None:
            _plan_known(plan, row, Seen(meeting, part, len(slots), number), source)
        elif gone:
            plan.counts.update(found=1, skipped=1)
        elif not (has_parts and key_of(meeting.uuid, part) == meeting.uuid):
            _plan_new(plan, Seen(meeting, part, len(slots), number), source)
    return plan


def _rows(
    uuid: str, parts: Sequence[Part[File] | None], known: Mapping[str, Known]
) -> list[Known | None]:
    """The row of each part: its own, or that of the bare UUID for the one part that it fits."""
    rows = [known.get(key_of(uuid, part)) for part in parts]
    bare = known.get(uuid)
    free = [part for part, row in zip(parts, rows, strict=True) if row is None and part is not None]
    if bare is None or not free or bare.delete_state is DeleteState.HARD_DELETED:
        return rows
    taken = parts.index(_fitting(bare, free))
    return [bare if at == taken else row for at, row in enumerate(rows)]


def _fitting(bare: Known, parts: Sequence[Part[File]]) -> Part[File]:
    meta = bare.meta or {}
    size = (meta.get("view") or {}).get("file_size") or bare.size
    start = meta.get("recording_start")
    for fits in (
        lambda part: part.start is not None and moment(part.start) == start,
        lambda part: bool(size) and any(file.file_size == size for file in part.files),
        lambda part: part.start == in_seconds(bare.start),
    ):
        found = next((part for part in parts if fits(part)), None)
        if found is not None:
            return found
    return parts[0]


def _number(row: Known | None) -> int | None:
    return None if row is None else number_in(clean_name(row.name), _topic(row))


def _topic(row: Known) -> str:
    """The name that a sync wrote last, before its number; a meeting may have had none."""
    topic = (row.meta or {}).get("topic")
    return clean_name(topic if isinstance(topic, str) else "")


def _plan_new(plan: Plan, seen: Seen, source: Source) -> None:
    template = source.match(seen.name)
    verdict = seen.judged(source.bounds)
    pending = seen.best is None
    skip = verdict.skip
    if skip is None and template is None and source.skip_unmatched and not pending:
        skip = UNMATCHED
    download = DownloadStatus.PENDING_SOURCE if pending else DownloadStatus.PENDING
    facts = RecordingFacts(download=download, skip_reason=skip, stages=_FRESH_STAGES)
    recording = {
        "input_source_id": source.source_id,
        "display_name": seen.name,
        "start_time": seen.start,
        "duration": seen.seconds or 0,
        "video_file_size": seen.size,
        "blank_record": verdict.blank,
        "template_id": template,
        "is_mapped": template is not None,
        "skip_reason": skip,
        "download_status": str(download),
        "status": str(project(facts).status),
        "next_look_at": source.now + FIRST_LOOK if pending else None,
    }
    meta = seen.meta()
    if seen.best is not None:
        meta["view"] = view_of(seen.best)
    plan.new.append(New(seen.key, recording, _checked(meta, {})))
    plan.counts.update(found=1, new=1)
    _count(plan, pending=pending, blank=verdict.blank, template=template)


def _plan_known(plan: Plan, row: Known, seen: Seen, source: Source) -> None:
    plan.counts.update(found=1)
    if row.delete_state is DeleteState.HARD_DELETED:
        plan.counts.update(skipped=1)
        return
    change = Change(row, source={"source_key": seen.key} if row.key != seen.key else {})
    if row.delete_state is DeleteState.ACTIVE and row.source_id in (None, source.source_id):
        change = _changed(change, seen, source)
    if change:
        plan.changes.append(change)
        plan.counts.update(updated=1)
    waits = row.download is DownloadStatus.PENDING_SOURCE and not change.reset
    skip = change.recording.get("skip_reason", row.skip_reason)
    _count(
        plan,
        pending=waits and skip is None,
        blank=change.recording.get("blank_record", row.blank),
        template=change.recording.get("template_id", row.template_id),
    )


def _count(plan: Plan, *, pending: bool, blank: bool, template: int | None) -> None:
    matched = template is not None
    plan.counts.update(pending=pending, blank=blank, matched=matched, unmatched=not matched)


def _changed(change: Change, seen: Seen, source: Source) -> Change:
    row = change.known
    meta = _merged(row, seen)
    recording, source_row = _measured(row, seen), dict(change.source)
    if meta is not None:
        source_row["meta"] = meta
    if row.source_id is None:
        recording["input_source_id"] = source_row["input_source_id"] = source.source_id
    recording |= _renamed(row, seen, source)
    ready = row.download is DownloadStatus.PENDING_SOURCE and seen.best is not None
    if row.download in _NOT_FETCHED and seen.best is not None:
        recording |= _judged(row, seen, source, recording, ready=ready)
    waits = row.download is DownloadStatus.PENDING_SOURCE and not ready and row.skip_reason is None
    if ready and row.next_look_at is not None:
        recording["next_look_at"] = None
    elif waits and row.next_look_at is None:
        recording["next_look_at"] = source.now + FIRST_LOOK
    wanted_again = recording.get("skip_reason", row.skip_reason) is None is not row.skip_reason
    failed = row.download is DownloadStatus.FAILED
    return Change(row, recording, source_row, reset=ready or (failed and wanted_again))


def _measured(row: Known, seen: Seen) -> Document:
    """The columns that tell of the file to fetch, where they say something else now."""
    if row.download not in _NOT_FETCHED:
        return {}
    said = {
        "start_time": (row.start, seen.start),
        "duration": (row.seconds, seen.seconds),
        "video_file_size": (row.size, seen.size),
    }
    return {name: now for name, (was, now) in said.items() if now is not None and now != was}


def _renamed(row: Known, seen: Seen, source: Source) -> Document:
    """A name follows Zoom's until a person gives another one; without a template it is matched."""
    unnamed = not seen.meeting.topic and bool((row.meta or {}).get("topic"))
    if unnamed or _number(row) is None or seen.name == row.name:
        return {}
    template = source.match(seen.name) if row.template_id is None else None
    mapped = {} if template is None else {"template_id": template, "is_mapped": True}
    return {"display_name": seen.name, **mapped}


def _judged(
    row: Known, seen: Seen, source: Source, recording: Document, *, ready: bool
) -> Document:
    verdict = seen.judged(source.bounds)
    template = recording.get("template_id", row.template_id)
    wanted = verdict.skip
    if wanted is None and template is None and source.skip_unmatched:
        wanted = UNMATCHED
    skip = row.skip_reason
    if skip in SYNC_REASONS:
        skip = wanted if ready or skip != GIVEN_UP else skip
    elif skip is None and ready:
        skip = wanted
    elif skip is None and ("duration" in recording or "video_file_size" in recording):
        # Otherwise a person has taken the reason away, or it did not hold when this was found.
        skip = verdict.skip
    found: Document = {} if verdict.blank == row.blank else {"blank_record": verdict.blank}
    return found if skip == row.skip_reason else {**found, "skip_reason": skip}


def _merged(row: Known, seen: Seen) -> Document | None:
    """The new `meta`; None where nothing changed."""
    stored = dict(row.meta or {})
    meta = stored | seen.meta()
    if seen.best is not None:
        view = view_of(seen.best)
        if row.download in _NOT_FETCHED:
            meta["view"] = view
            meta.pop("better_view", None)
        elif _improves(view, meta):
            meta["better_view"] = view
    if meta == stored:
        return None
    checked = _checked(meta, stored)
    return None if checked == stored else checked


def _improves(view: Document, meta: Document) -> bool:
    """Is a view better than the one that was fetched, and than the one noted since?"""
    had = [meta[name] for name in ("view", "better_view") if meta.get(name)]
    return bool(had) and all(
        is_better(
            view.get("recording_type"),
            view.get("file_size"),
            each.get("recording_type"),
            each.get("file_size"),
        )
        for each in had
    )


def _checked(meta: Document, stored: Document) -> Document:
    """The document as it is stored; of an old one that does not fit, only what does is kept."""
    try:
        checked: Document = validate_column("source_metadata", "meta", meta, kind="ZOOM")
    except ShapeError:
        said = {key: value for key, value in meta.items() if stored.get(key) != value}
        read = read_column("source_metadata", "meta", stored, kind="ZOOM").value
        kept = {} if read is None else read.model_dump(mode="json", exclude_unset=True)
        checked = validate_column("source_metadata", "meta", kept | said, kind="ZOOM")
    return checked
