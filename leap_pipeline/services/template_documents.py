"""A template's documents for somebody to change: of one that is stored, or of a recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from leap_pipeline.db.models.templates import RecordingTemplate
from leap_pipeline.db.repositories.recordings import Recordings
from leap_pipeline.domain.names import whole_name
from leap_pipeline.domain.rule_suggestions import suggested_rules
from leap_pipeline.domain.shapes.recording import RecordingPreferences
from leap_pipeline.domain.shapes.registry import read_column

TABLE = "recording_templates"
BLOCKS = ("matching_rules", "processing_config", "metadata_config", "output_config")
Document = dict[str, Any]


@dataclass(frozen=True)
class Documents:
    """The four documents in today's form.

    `differences` are pairs of a path and what was wrong there, so that it was left out.
    """

    matching_rules: Document
    processing_config: Document
    metadata_config: Document
    output_config: Document
    differences: tuple[tuple[str, str], ...] = ()


NOTHING = Documents({}, {}, {}, {})


def documents_of(row: RecordingTemplate) -> Documents:
    """What a template says, whatever age its row is of."""
    read = {name: read_column(TABLE, name, getattr(row, name)) for name in BLOCKS}
    said = {
        name: found.value.model_dump(mode="json", exclude_unset=True) if found.value else {}
        for name, found in read.items()
    }
    differences = (each for found in read.values() for each in found.differences)
    return Documents(**said, differences=tuple(differences))


def after_recording(session: Session, recording_id: int) -> tuple[str, Documents]:
    """A name and documents for a template of recordings like one: its name's rules, its overrides.

    Raises `NotFound`.
    """
    row = Recordings(session).require(recording_id)
    rules = suggested_rules(row.display_name)
    read = read_column("recordings", "processing_preferences", row.processing_preferences)
    own: Mapping[str, Any] = (
        read.value.model_dump(mode="json", exclude_unset=True)
        if isinstance(read.value, RecordingPreferences)
        else {}
    )
    processing = {key: own[key] for key in ("video", "transcription") if own.get(key)}
    name = (rules.get("keywords") or [whole_name(row.display_name) or row.display_name])[0]
    found = Documents(
        rules,
        processing,
        dict(own.get("metadata_config") or {}),
        dict(own.get("output_config") or {}),
        read.differences,
    )
    return name[:255], found
