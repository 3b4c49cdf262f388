"""Recordings as tables, and their texts as files, for use outside of LEAP.

A list is read page by page, each in a transaction of its own: a slow reader holds no connection,
and no more than a page is in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from typing import Any

from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.repositories.recordings import RecordingFilter, Recordings
from leap_pipeline.domain.csv_cells import BYTE_ORDER_MARK, Cell, csv_lines
from leap_pipeline.domain.permissions import Permission, Rights, require
from leap_pipeline.domain.states import Platform
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.playback import Material
from leap_pipeline.speech.transcript import Transcript

PAGE = 500
COLUMNS = (
    "id",
    "owner_id",
    "name",
    "status",
    "start_time",
    "duration_seconds",
    "size_bytes",
    "source",
    "template",
    "main_topics",
    "topics",
    "language",
    *(f"{str(platform).lower()}_{what}" for platform in Platform for what in ("status", "url")),
    "failed_at_stage",
    "failed_reason",
    "skip_reason",
    "blank",
    "deleted",
    "created_at",
)
Row = Mapping[str, Any]
Scope = Callable[[], AbstractContextManager[Session]]
"""Opens a transaction that sees what may be exported."""


def begin_export(
    session: Session,
    rights: Rights,
    actor: Actor,
    form: str,
    criteria: RecordingFilter,
    owner_id: str | None,
) -> None:
    """Note in the audit log that a list is exported; raises `UserActionError` without the right."""
    require(rights, Permission.EXPORT_DATA)
    asked = {name: each for name, each in asdict(criteria).items() if each not in (None, "", ())}
    told = {"form": form, **asked}
    record(session, actor, "export.recordings", "recordings", form, owner_id=owner_id, after=told)


def begin_file_export(
    session: Session, rights: Rights, actor: Actor, material: Material, name: str
) -> None:
    """The same of a file of one recording."""
    require(rights, Permission.EXPORT_DATA)
    record(
        session,
        actor,
        "export.file",
        "recording",
        material.recording_id,
        owner_id=material.owner_id,
        after={"file": name},
    )


def exported(
    scope: Scope, criteria: RecordingFilter, *, of: str | None = None, sort: str | None = None
) -> Iterator[list[Row]]:
    """Pages of the recordings that meet the criteria; `of` narrows the system's scope to one user.

    Raises `InputError` for an order that there is not.
    """
    after: str | None = None
    while True:
        with scope() as session:
            page = Recordings(session, of).page(criteria, sort=sort, after=after, limit=PAGE)
            rows = [_row(each) for each in page.items]
        yield rows
        after = page.after
        if after is None:
            return


def as_csv(pages: Iterable[list[Row]]) -> Iterator[str]:
    """A table for spreadsheets, whose texts are never read as formulas."""
    yield BYTE_ORDER_MARK + csv_lines([COLUMNS])
    for page in pages:
        yield csv_lines([_cell(row[name]) for name in COLUMNS] for row in page)


def as_json(pages: Iterable[list[Row]]) -> Iterator[str]:
    """An array of objects, one a line; times in ISO 8601."""
    before = "[\n"
    for page in pages:
        for row in page:
            plain = {name: _plain(each) for name, each in row.items()}
            yield before + json.dumps(plain, ensure_ascii=False)
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def transcript_text(transcript: Transcript) -> str:
    """What was said as plain text, a line a segment."""
    return "".join(f"{each.text.strip()}\n" for each in transcript.segments)


def _row(row: Recording) -> Row:
    targets = {each.target_type: each for each in row.targets}
    published: dict[str, Any] = {}
    for platform in Platform:
        target = targets.get(platform)
        name = str(platform).lower()
        published[f"{name}_status"] = target.status if target else None
        published[f"{name}_url"] = (target.target_meta or {}).get("url") if target else None
    return {
        "id": row.id,
        "owner_id": row.user_id,
        "name": row.display_name,
        "status": row.status,
        "start_time": row.start_time,
        "duration_seconds": row.duration,
        "size_bytes": row.video_file_size,
        "source": row.input_source.name if row.input_source else None,
        "template": row.template.name if row.template else None,
        "main_topics": [str(each) for each in row.main_topics or []],
        "topics": len(row.topic_timestamps or []),
        "language": (row.transcription_info or {}).get("language"),
        **published,
        "failed_at_stage": row.failed_at_stage,
        "failed_reason": row.failed_reason,
        "skip_reason": row.skip_reason,
        "blank": bool(row.blank_record),
        "deleted": bool(row.deleted),
        "created_at": row.created_at,
    }


def _cell(value: Any) -> Cell:
    found: Cell = " · ".join(value) if isinstance(value, list) else value
    return found


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
