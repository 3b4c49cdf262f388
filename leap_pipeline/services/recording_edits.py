"""What a person says about one recording: its name, and settings that are its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.repositories.catalogue import Presets
from leap_pipeline.domain.config import Block, Configuration
from leap_pipeline.domain.layers import OriginKind
from leap_pipeline.domain.names import NAME_LIMIT, clean_name
from leap_pipeline.domain.shapes.recording import RecordingPreferences
from leap_pipeline.domain.shapes.registry import read_column, validate_column
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError, NotFound, StaleChange
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.configuration import load_configuration
from leap_pipeline.services.projection import lock_recording

TABLE, COLUMN = "recordings", "processing_preferences"
Document = dict[str, Any]


@dataclass(frozen=True)
class Overrides:
    """What a recording has otherwise than its template, in today's form.

    `differences` are pairs of a path and what was wrong there, so that it was left out.
    """

    document: Document
    differences: tuple[tuple[str, str], ...] = ()


def rename(session: Session, recording_id: int, name: str, *, actor: Actor) -> str:
    """Give a recording another name, which no sync takes back; as it is stored.

    Raises `InputError` for an empty name or one that is too long.
    """
    locked = lock_recording(session, recording_id)
    row = locked.recording
    _require_there(row)
    if not name.strip():
        msg = "A recording needs a name: write one."
        raise InputError(msg)
    if len(name.strip()) > NAME_LIMIT:
        msg = f"The name has {len(name.strip())} characters: keep at most {NAME_LIMIT}."
        raise InputError(msg)
    before, row.display_name = row.display_name, clean_name(name)
    session.flush()
    if row.display_name != before:
        _note(session, actor, "recording.rename", row, before, row.display_name)
    return row.display_name


def load_overrides(session: Session, recording_id: int) -> Overrides:
    """Raises `NotFound` for a recording that the scope does not have."""
    row = session.get(Recording, recording_id, options=[lazyload("*")])
    if row is None:
        msg = f"There is no recording {recording_id}."
        raise NotFound(msg)
    return _overrides(row)


def save_overrides(
    session: Session,
    recording_id: int,
    document: Mapping[str, Any],
    *,
    seen: Mapping[str, Any],
    actor: Actor,
) -> None:
    """Set what a recording has otherwise than its template; nothing said there is inherited.

    `seen` is the document that the person began with. Raises `InputError` naming the path of a
    wrong value and for a preset that is not there, `StaleChange` where somebody else changed it.
    The transaction must not be committed then.
    """
    row = lock_recording(session, recording_id).recording
    _require_there(row)
    before = _overrides(row).document
    checked = validate_column(TABLE, COLUMN, dict(document)) or None
    if before != dict(seen):
        msg = "Somebody else has changed these settings meanwhile: load the page again."
        raise StaleChange(msg)
    if (checked or {}) == before:
        return
    _require_presets(session, checked or {})
    wrong_already = set(_problems(session, recording_id))
    row.processing_preferences = checked
    session.flush()
    for problem in _problems(session, recording_id):
        if problem not in wrong_already:
            raise InputError(problem)
    _note(session, actor, "recording.configure", row, before, checked or {})


def inherited(found: Configuration) -> Configuration:
    """The same without what the recording itself says."""
    layers = {
        block: tuple(each for each in rows if each.origin.kind is not OriginKind.RECORDING)
        for block, rows in found.layers.items()
    }
    return replace(found, layers=layers)


def _overrides(row: Recording) -> Overrides:
    read = read_column(TABLE, COLUMN, row.processing_preferences)
    if not isinstance(read.value, RecordingPreferences):
        return Overrides({}, read.differences)
    said = read.value.model_dump(mode="json", exclude_unset=True)
    return Overrides(validate_column(TABLE, COLUMN, said) or {}, read.differences)


def _require_presets(session: Session, document: Mapping[str, Any]) -> None:
    ids = (document.get(Block.OUTPUT) or {}).get("preset_ids") or []
    there = Presets(session).get_by_ids(ids)
    missing = next((each for each in ids if each not in there), None)
    if missing is not None:
        msg = f"`{COLUMN}.{Block.OUTPUT}.preset_ids` names {missing}, but there is no such preset."
        raise InputError(msg)


def _problems(session: Session, recording_id: int) -> Iterator[str]:
    """What of the whole configuration is wrong, as sentences."""
    try:
        found = load_configuration(session, recording_id)
    except InputError as error:
        yield str(error)
        return
    for resolve in (found.processing, found.output):
        yield from _problem(resolve)
    for platform in Platform:
        yield from _problem(lambda platform=platform: found.metadata(platform))


def _problem(resolve: Any) -> Iterator[str]:
    try:
        resolve()
    except InputError as error:
        yield str(error)


def _require_there(row: Recording) -> None:
    if row.deleted:
        msg = f"Recording {row.id} is deleted: restore it before you change it."
        raise InputError(msg)


def _note(
    session: Session, actor: Actor, action: str, row: Recording, before: object, after: object
) -> None:
    name = "name" if action == "recording.rename" else "settings"
    record(
        session,
        actor,
        action,
        "recording",
        row.id,
        owner_id=row.user_id,
        before={name: before},
        after={name: after},
    )
