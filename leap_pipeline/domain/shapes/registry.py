"""Which shape each JSONB column has: the one door in (`validate_column`) and out (`read_column`).

    validate_column("output_presets", "preset_metadata", {"privacy": "public"}, kind="YOUTUBE")
    read_column("output_presets", "preset_metadata", row.preset_metadata, kind=row.platform).value

`kind` is the row's column that decides between several shapes, as `KIND_COLUMN` names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from leap_pipeline.domain.matching import MatchingRules
from leap_pipeline.domain.quotas import ChangeType
from leap_pipeline.domain.shapes import accounts, bulk, publishing, results, sources
from leap_pipeline.domain.shapes.base import Partial, ShapeError, parse, refuse_unstorable
from leap_pipeline.domain.shapes.processing import (
    ProcessingConfig,
    TranscriptionConfig,
    VideoConfig,
)
from leap_pipeline.domain.shapes.recording import RecordingPreferences
from leap_pipeline.domain.shapes.stored import Loaded, load
from leap_pipeline.domain.states import Platform, Stage

Column = tuple[str, str]

COLUMNS: Mapping[Column, type[BaseModel]] = {
    ("recording_templates", "matching_rules"): MatchingRules,
    ("recording_templates", "processing_config"): ProcessingConfig,
    ("recording_templates", "metadata_config"): publishing.MetadataConfig,
    ("recording_templates", "output_config"): publishing.OutputConfig,
    ("user_configs", "processing_config"): VideoConfig,
    ("user_configs", "transcription_config"): TranscriptionConfig,
    ("user_configs", "metadata_config"): publishing.MetadataConfig,
    ("user_configs", "upload_config"): publishing.OutputConfig,
    ("user_configs", "preferences"): accounts.Preferences,
    ("automation_jobs", "source_ids"): accounts.SourceIds,
    ("automation_firings", "counts"): accounts.FiringCounts,
    ("input_sources", "cursor"): sources.SyncCursor,
    ("input_sources", "last_result"): sources.SyncCounts,
    ("recordings", "transcription_info"): results.TranscriptionInfo,
    ("recordings", "topic_timestamps"): results.TopicTimestamps,
    ("recordings", "main_topics"): results.MainTopics,
    ("recordings", "processing_preferences"): RecordingPreferences,
    ("recording_runs", "selection"): results.RunSelection,
    ("bulk_actions", "parameters"): bulk.BulkParameters,
    ("bulk_actions", "refusals"): bulk.BulkRefusals,
    ("upload_sessions", "sent"): results.Sent,
    ("notice_channels", "kinds"): accounts.NoticeKinds,
    ("celery_beat_schedule_entry", "args"): accounts.BeatArgs,
    ("celery_beat_schedule_entry", "kwargs"): accounts.BeatKwargs,
}

_QUOTA_VALUES: Mapping[str, type[BaseModel]] = {
    ChangeType.PLAN_UPGRADE: accounts.PlanValue,
    ChangeType.PLAN_DOWNGRADE: accounts.PlanValue,
    ChangeType.EXPIRY: accounts.PlanValue,
    ChangeType.CUSTOM_QUOTA_OVERRIDE: accounts.OverrideValue,
    ChangeType.PAY_AS_YOU_GO_CHANGE: accounts.PayAsYouGoValue,
}

KINDS: Mapping[Column, Mapping[str, type[BaseModel]]] = {
    ("base_configs", "config_data"): {
        "processing": VideoConfig,
        "transcription": TranscriptionConfig,
        "metadata": publishing.MetadataConfig,
        "upload": publishing.OutputConfig,
    },
    ("output_presets", "preset_metadata"): {
        Platform.YOUTUBE: publishing.YouTubeMetadata,
        Platform.VK: publishing.VkMetadata,
    },
    ("input_sources", "config"): {
        "ZOOM": sources.ZoomSource,
        "LOCAL_FILE": sources.LocalFileSource,
    },
    ("source_metadata", "meta"): {
        "ZOOM": sources.ZoomMeta,
        "LOCAL_FILE": sources.LocalFileMeta,
    },
    ("processing_stages", "stage_meta"): {
        Stage.TRIM: results.TrimMeta,
        Stage.TRANSCRIBE: results.TranscriptionInfo,
        Stage.EXTRACT_TOPICS: results.TopicsMeta,
        Stage.GENERATE_SUBTITLES: results.SubtitlesMeta,
    },
    ("output_targets", "target_meta"): dict.fromkeys(Platform, results.TargetMeta),
    ("quota_change_history", "old_value"): _QUOTA_VALUES,
    ("quota_change_history", "new_value"): _QUOTA_VALUES,
}

KIND_COLUMN: Mapping[Column, str] = {
    ("base_configs", "config_data"): "config_type",
    ("output_presets", "preset_metadata"): "platform",
    ("input_sources", "config"): "source_type",
    ("source_metadata", "meta"): "source_type",
    ("processing_stages", "stage_meta"): "stage_type",
    ("output_targets", "target_meta"): "target_type",
    ("quota_change_history", "old_value"): "change_type",
    ("quota_change_history", "new_value"): "change_type",
}

FREE: Mapping[Column, str] = {
    ("audit_log", "before"): "any row's columns",
    ("audit_log", "after"): "any row's columns",
    ("recording_holds", "facts"): "whatever the one who holds it found",
    ("webhook_inbox", "payload"): "what a service sent, cleaned of secrets",
}
"""Columns without a shape, and why: any JSON that can be stored."""


def validate_column(table: str, column: str, value: Any, *, kind: str | None = None) -> Any:
    """What to store for `value`: checked, without nulls that say nothing; None stays None.

    Raises `ShapeError` (an `InputError`) with the path of each wrong value, and for a `kind` that
    does not exist.
    """
    if value is None:
        return None
    if (table, column) in FREE:
        refuse_unstorable(value, column)
        return value
    model = shape_of(table, column, kind)
    parsed = parse(model, value, column)
    dumped = parsed.model_dump(mode="json", exclude_unset=True)
    return _without_empty(dumped) if issubclass(model, Partial) else dumped


def read_column(
    table: str, column: str, value: Any, *, kind: str | None = None
) -> Loaded[BaseModel]:
    """A stored value as its model, with what did not fit; never fails on a row of an older form."""
    if value is None:
        return Loaded(None)
    try:
        model = shape_of(table, column, kind)
    except ShapeError as error:
        return Loaded(None, error.problems)
    return load(model, value, column)


def shape_of(table: str, column: str, kind: str | None = None) -> type[BaseModel]:
    """The model of a column; raises `ShapeError` for a kind that does not exist."""
    place = (table, column)
    if place in COLUMNS:
        return COLUMNS[place]
    kinds = KINDS[place]
    if kind is None or kind not in kinds:
        path = f"{table}.{KIND_COLUMN[place]}"
        what = f"must be one of {', '.join(kinds)}, not {kind!r:.60}"
        msg = f"`{path}` {what}."
        raise ShapeError(msg, ((path, what),))
    return kinds[kind]


def _without_empty(document: Any) -> Any:
    """A block in which nothing is said says nothing itself."""
    if not isinstance(document, dict):
        return document
    inner = {key: _without_empty(value) for key, value in document.items()}
    return {key: value for key, value in inner.items() if value != {}}
