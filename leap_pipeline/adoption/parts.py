"""Stages, targets and the source of a recording. Pure."""

from __future__ import annotations

from typing import Any

from leap_pipeline.adoption.documents import fitted
from leap_pipeline.adoption.library import LOCAL_FILE, ZOOM
from leap_pipeline.adoption.outcome import Notes, Row
from leap_pipeline.adoption.references import References
from leap_pipeline.domain.states import Stage, StageStatus, TargetStatus
from leap_pipeline.redaction import redact

Values = dict[str, Any]
SECRETS = ("download_access_token", "download_url", "password", "recording_play_passcode")
FILE_TYPES = ("LOCAL", "MANUAL", LOCAL_FILE)
KEY_LIMIT = 1000


def stage_values(row: Row, recording: Values, notes: Notes) -> Values:
    kind = row["stage_type"]
    status = _stage_status(row, notes)
    return {
        **_owned(row, recording),
        "stage_type": kind,
        "status": status,
        "completed_at": _at(row, "completed_at", status == StageStatus.COMPLETED),
        "skip_reason": _skip_reason(row) if status == StageStatus.SKIPPED else None,
        "stage_meta": fitted(
            "processing_stages", "stage_meta", row["stage_meta"], notes, kind=kind
        ),
        **_failure(row, failed=status == StageStatus.FAILED, notes=notes),
    }


def trim_values(recording: Values, others: list[Values]) -> Values:
    """The stage that the other platform had not: done where its files are, or were used.

    A transcript without a trimmed video is timed by the raw one, which is kept whole from here on.
    """
    used = any(each["status"] == StageStatus.COMPLETED for each in others)
    made = (recording["processed_video_path"], recording["processed_audio_path"])
    done = used or None not in made
    return {
        "user_id": recording["user_id"],
        "recording_id": recording["id"],
        "stage_type": Stage.TRIM,
        "status": StageStatus.COMPLETED if done else StageStatus.PENDING,
        "completed_at": recording["updated_at"] if done else None,
        "skip_reason": None,
        "stage_meta": None,
        "failed": False,
        "failed_at": None,
        "failed_reason": None,
        "retry_count": 0,
        "created_at": recording["created_at"],
        "updated_at": recording["updated_at"],
    }


def target_values(row: Row, recording: Values, references: References, notes: Notes) -> Values:
    kind = row["target_type"]
    status = _target_status(row, notes)
    return {
        **_owned(row, recording),
        "preset_id": references.find("output_presets", row["preset_id"], notes),
        "target_type": kind,
        "status": status,
        "target_meta": fitted(
            "output_targets", "target_meta", row["target_meta"], notes, kind=kind
        ),
        "uploaded_at": _at(row, "uploaded_at", status == TargetStatus.UPLOADED),
        **_failure(row, failed=status == TargetStatus.FAILED, notes=notes),
    }


def source_values(row: Row, recording: Values, notes: Notes) -> Values:
    """`source_metadata`: what is no Zoom recording is a file that somebody handed over."""
    kind, key, meta = row["source_type"], row["source_key"], row["metadata"]
    if kind != ZOOM:
        notes.say("source_type", f"{kind} is {LOCAL_FILE}")
        key = key if kind in FILE_TYPES else keys_of(row)[1]
        meta = _file_meta(meta, recording)
    elif isinstance(meta, dict) and any(meta.get(name) for name in SECRETS):
        notes.say(
            "passcodes, tokens and signed addresses were left out", "the source is asked anew"
        )
    kind = ZOOM if kind == ZOOM else LOCAL_FILE
    return {
        "user_id": recording["user_id"],
        "recording_id": recording["id"],
        "input_source_id": recording["input_source_id"],
        "source_type": kind,
        "source_key": key[:KEY_LIMIT],
        "meta": fitted("source_metadata", "meta", meta, notes, kind=kind),
        "created_at": recording["created_at"],
    }


def keys_of(row: Row) -> tuple[str, str]:
    """The keys that a source may have here: its own, and that with its old type in front."""
    return row["source_key"], f"{row['source_type'].lower()}:{row['source_key']}"


def _file_meta(meta: Any, recording: Values) -> Values | None:
    """What is needed to find the file again; None where there is none."""
    path, size = recording["local_video_path"], recording["video_file_size"]
    if path is None or size is None:
        return None
    name = meta.get("original_filename") if isinstance(meta, dict) else None
    return {
        "file_name": name if isinstance(name, str) and name else path.rpartition("/")[2],
        "stored_path": path,
        "bytes": size,
    }


def _owned(row: Row, recording: Values) -> Values:
    return {
        "user_id": recording["user_id"],
        "recording_id": recording["id"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def _stage_status(row: Row, notes: Notes) -> StageStatus:
    if row["status"] == StageStatus.IN_PROGRESS:
        notes.say("back to PENDING", "nobody works on it any more")
        return StageStatus.PENDING
    if row["status"] is not None:
        return StageStatus(row["status"])
    found = next(
        (
            status
            for column, status in (
                ("failed", StageStatus.FAILED),
                ("completed_at", StageStatus.COMPLETED),
                ("skip_reason", StageStatus.SKIPPED),
            )
            if row[column]
        ),
        StageStatus.PENDING,
    )
    notes.say(f"status is {found}", "it had none, its other columns say so")
    return found


def _target_status(row: Row, notes: Notes) -> TargetStatus:
    if row["status"] == TargetStatus.UPLOADING:
        notes.say("held as a doubtful upload", "nobody knows whether it arrived")
        return TargetStatus.NOT_UPLOADED
    if row["status"] is not None:
        return TargetStatus(row["status"])
    failed = TargetStatus.FAILED if row["failed"] else TargetStatus.NOT_UPLOADED
    found = TargetStatus.UPLOADED if row["uploaded_at"] else failed
    notes.say(f"status is {found}", "it had none, its other columns say so")
    return found


def _at(row: Row, column: str, happened: bool) -> Any:
    return (row[column] or row["updated_at"]) if happened else None


def _skip_reason(row: Row) -> str:
    return row["skip_reason"] or "It was skipped on the platform it came from."


def _failure(row: Row, *, failed: bool, notes: Notes) -> Values:
    if row["failed"] and not failed:
        notes.say("failure cleared", "its status says otherwise")
    reason = row["failed_reason"]
    return {
        "failed": failed,
        "failed_at": (row["failed_at"] or row["updated_at"]) if failed else None,
        "failed_reason": redact(reason) if failed and reason else None,
        "retry_count": row["retry_count"] or 0,
    }
