"""A recording with its stages, targets and source. Pure.

The old status is a mere claim: the facts are taken, and the status follows from them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from leap_pipeline.adoption.coverage import say_unread
from leap_pipeline.adoption.deletions import deletion
from leap_pipeline.adoption.documents import fitted
from leap_pipeline.adoption.library import output
from leap_pipeline.adoption.outcome import Entry, Notes, Row, left, taken
from leap_pipeline.adoption.parts import source_values, stage_values, target_values, trim_values
from leap_pipeline.adoption.places import Place
from leap_pipeline.adoption.references import References
from leap_pipeline.adoption.settings import text_variables, work
from leap_pipeline.domain.deletion import TOMBSTONE, TOMBSTONE_NAME, DeleteState
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.states import (
    DownloadStatus,
    Platform,
    RecordingStatus,
    Stage,
    StageStatus,
    TargetStatus,
)
from leap_pipeline.domain.status import (
    DOWNLOAD,
    Failure,
    RecordingFacts,
    StageFact,
    TargetFact,
    project,
)
from leap_pipeline.redaction import redact

Values = dict[str, Any]
MINUTE = 60
BLANK = "It is blank: too short or too small."
SKIPPED = "It was skipped on the platform it came from."
UNKNOWN_UPLOAD = (
    "it was being uploaded when it was adopted, and may be on the platform already: look there, "
    "then release this hold"
)


@dataclass(frozen=True)
class Old:
    """The rows of one recording; `source` is that of source_metadata."""

    recording: Row
    stages: list[Row] = field(default_factory=list)
    targets: list[Row] = field(default_factory=list)
    source: Row | None = None


@dataclass
class New:
    """What to write, without the ids of the parts, and what to report of each old row."""

    recording: Values
    stages: list[tuple[Row | None, Values, Notes]] = field(default_factory=list)
    targets: list[tuple[Row, Values, Notes]] = field(default_factory=list)
    source: tuple[Row, Values, Notes] | None = None
    holds: list[Values] = field(default_factory=list)
    left: list[Entry] = field(default_factory=list)


@dataclass(frozen=True)
class Owner:
    """What a recording needs of its owner; `presets` maps ids here to their platforms."""

    user_id: str
    references: References
    presets: dict[int, str]


def recording(old: Old, place: Place, owner: Owner, notes: Notes) -> New:
    """Everything that comes of one recording; `place.new` has its id here."""
    row = old.recording
    new = New(_columns(old, place, owner, notes))
    _stages(old, new)
    _targets(old, new, owner)
    new.recording |= deletion(row, notes)
    new.recording |= _facts(old, new, notes)
    if old.source is not None:
        said = Notes()
        new.source = (old.source, source_values(old.source, new.recording, said), said)
    if new.recording["delete_state"] == DeleteState.HARD_DELETED:
        _forget(new, notes)
    return new


def _forget(new: New, notes: Notes) -> None:
    """Leave what LEAP itself leaves of a recording that it deletes for good."""
    notes.say("a tombstone", "its files were deleted for good, and its content with them")
    new.recording |= TOMBSTONE
    if new.recording["skip_reason"] is not None:
        new.recording["skip_reason"] = TOMBSTONE_NAME
    for _, values, _ in new.stages:
        values |= {"stage_meta": None, "failed_reason": None}
    if new.source is not None:
        new.source[1]["meta"] = None
    new.holds.clear()


def _columns(old: Old, place: Place, owner: Owner, notes: Notes) -> Values:
    row = old.recording
    template_id = owner.references.find("recording_templates", row["template_id"], notes)
    if row["duration"]:
        notes.say("duration in seconds", f"{row['duration']} minutes")
    same = ("display_name", "start_time", "expire_at", "video_file_size", "downloaded_at")
    return {
        "id": place.new.recording_id,
        "user_id": owner.user_id,
        "input_source_id": owner.references.find("input_sources", row["input_source_id"], notes),
        "template_id": template_id,
        "is_mapped": template_id is not None,
        "duration": row["duration"] * MINUTE,
        "blank_record": bool(row["blank_record"]),
        "local_video_path": place.moved(row["local_video_path"], "local_video_path", notes),
        "processed_video_path": place.moved(
            row["processed_video_path"], "processed_video_path", notes
        ),
        "processed_audio_path": place.moved(
            row["processed_audio_path"], "processed_audio_path", notes
        ),
        "transcription_dir": place.moved(row["transcription_dir"], "transcription_dir", notes),
        "processing_preferences": _preferences(row["processing_preferences"], owner, notes),
        **{
            column: fitted("recordings", column, row[column], notes)
            for column in ("transcription_info", "topic_timestamps", "main_topics")
        },
        **{name: row[name] for name in (*same, "created_at", "updated_at")},
    }


def _preferences(stored: Any, owner: Owner, notes: Notes) -> Values | None:
    if not isinstance(stored, dict):
        return fitted("recordings", "processing_preferences", stored, notes)
    document = work(stored, notes)
    if isinstance(document.get("metadata_config"), dict):
        document["metadata_config"] = dict(document["metadata_config"])
        text_variables(document["metadata_config"], notes)
    if document.get("output_config") is not None:
        document["output_config"] = output(
            document["output_config"], owner.references, owner.presets, notes
        )
    return fitted("recordings", "processing_preferences", document, notes)


def _stages(old: Old, new: New) -> None:
    for row in old.stages:
        notes = Notes()
        new.stages.append((row, stage_values(row, new.recording, notes), notes))
    if new.stages:
        trim = trim_values(new.recording, [values for _, values, _ in new.stages])
        new.stages.insert(0, (None, trim, Notes()))


def _targets(old: Old, new: New, owner: Owner) -> None:
    for row in old.targets:
        notes = Notes()
        if row["target_type"] not in tuple(Platform):
            why = f"LEAP does not publish to “{row['target_type']}”"
            new.left.append(left("output_targets", row["id"], why))
            continue
        values = target_values(row, new.recording, owner.references, notes)
        new.targets.append((row, values, notes))
        if row["status"] == TargetStatus.UPLOADING:
            new.holds.append(
                {
                    "user_id": owner.user_id,
                    "recording_id": new.recording["id"],
                    "target_type": row["target_type"],
                    "kind": HoldKind.DOUBTFUL_UPLOAD,
                    "reason": UNKNOWN_UPLOAD,
                    "held_by": "adoption",
                }
            )


def _facts(old: Old, new: New, notes: Notes) -> Values:
    """The download, the skip reason, and the status and failure that follow from all facts."""
    row = old.recording
    download = _download(row, new)
    failure = None
    if download is DownloadStatus.FAILED:
        reason = redact(row["failed_reason"] or "The download failed.")
        failure = Failure(DOWNLOAD, row["failed_at"], reason, row["retry_count"] or 0)
    facts = RecordingFacts(
        download=download,
        skip_reason=_skip_reason(row),
        download_failure=failure,
        stages={
            Stage(each["stage_type"]): StageFact(StageStatus(each["status"]), *_failure(each))
            for _, each, _ in new.stages
        },
        targets={
            Platform(each["target_type"]): TargetFact(TargetStatus(each["status"]), *_failure(each))
            for _, each, _ in new.targets
        },
    )
    found = project(facts)
    if found.status != row["status"]:
        notes.say(f"status {row['status']} is {found.status}")
    if row["failed"] and found.failure is None:
        notes.say("failure cleared", f"noted at {row['failed_at_stage']}, which no fact bears out")
    retries = 0 if download is DownloadStatus.COMPLETED else row["retry_count"] or 0
    return {
        "download_status": download,
        "skip_reason": facts.skip_reason,
        "status": found.status,
        "failed": found.failure is not None,
        "failed_at": found.failure.at if found.failure else None,
        "failed_reason": found.failure.reason if found.failure else None,
        "failed_at_stage": found.failure.at_stage if found.failure else None,
        "retry_count": found.failure.retry_count if found.failure else retries,
    }


def _failure(values: Values) -> tuple[Any, Any, int]:
    return values["failed_at"], values["failed_reason"], values["retry_count"]


def _download(row: Row, new: New) -> DownloadStatus:
    worked_on = any(values["status"] == StageStatus.COMPLETED for _, values, _ in new.stages)
    if new.recording["local_video_path"] or worked_on:
        return DownloadStatus.COMPLETED
    if row["status"] == RecordingStatus.PENDING_SOURCE:
        return DownloadStatus.PENDING_SOURCE
    if row["failed"] and (row["failed_at_stage"] or "").upper().startswith(DOWNLOAD):
        return DownloadStatus.FAILED
    return DownloadStatus.PENDING


def _skip_reason(row: Row) -> str | None:
    if row["status"] != RecordingStatus.SKIPPED:
        return None
    return BLANK if row["blank_record"] else SKIPPED


def entries(old: Old, new: New, notes: Notes) -> list[Entry]:
    """The report of all old rows of a recording, when the new ones have their ids."""
    found = [taken("recordings", old.recording["id"], new.recording["id"], notes), *new.left]
    parts = [("processing_stages", *each) for each in new.stages]
    parts += [("output_targets", *each) for each in new.targets]
    if new.source is not None:
        parts.append(("source_metadata", *new.source))
    for table, row, values, said in parts:
        if row is not None:
            say_unread(table, row, said)
            found.append(taken(table, row["id"], values["id"], said))
    return found
