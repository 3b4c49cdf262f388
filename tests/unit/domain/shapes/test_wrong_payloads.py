"""Wrong documents of every column, each refused with the path of what is wrong in it."""

from __future__ import annotations

from typing import Any

import pytest

from leap_pipeline.domain.shapes.base import ShapeError
from leap_pipeline.domain.shapes.registry import COLUMNS, KINDS, validate_column

NEVER = "2027-13-01T00:00:00Z"
LONG = "x" * 101

# table.column (and kind) → wrong documents, each with the paths of its wrong values.
WRONG: dict[str, list[tuple[Any, list[str]]]] = {
    "recording_templates.matching_rules": [
        ([], ["matching_rules"]),
        ({"keyword": ["ML"]}, ["matching_rules.keyword"]),
        ({"keywords": "ML"}, ["matching_rules.keywords"]),
        ({"keywords": ["ML", 5]}, ["matching_rules.keywords[1]"]),
        ({"patterns": ["ok", "(unclosed"]}, ["matching_rules.patterns[1]"]),
        ({"exclude_patterns": ["*ML"]}, ["matching_rules.exclude_patterns[0]"]),
        ({"exact_matches": [" "]}, ["matching_rules.exact_matches[0]"]),
        ({"source_ids": [1, "2"]}, ["matching_rules.source_ids[1]"]),
        ({"source_ids": [0]}, ["matching_rules.source_ids[0]"]),
        ({"match_mode": "some"}, ["matching_rules.match_mode"]),
        ({"case_sensitive": "yes"}, ["matching_rules.case_sensitive"]),
    ],
    "recording_templates.processing_config": [
        ("video", ["processing_config"]),
        ({"audio": {}}, ["processing_config.audio"]),
        ({"vidoe": None}, ["processing_config.vidoe"]),
        ({"video": 3}, ["processing_config.video"]),
        ({"video": [1]}, ["processing_config.video"]),
        ({"video": {"silence_treshold": -40}}, ["processing_config.video.silence_treshold"]),
        ({"video": {"silence_threshold": 1}}, ["processing_config.video.silence_threshold"]),
        ({"video": {"silence_threshold": "-40"}}, ["processing_config.video.silence_threshold"]),
        ({"video": {"silence_threshold": -121}}, ["processing_config.video.silence_threshold"]),
        ({"video": {"min_silence_duration": 0}}, ["processing_config.video.min_silence_duration"]),
        ({"video": {"remove_silence": 1}}, ["processing_config.video.remove_silence"]),
        ({"video": {"silence_mode": "middle"}}, ["processing_config.video.silence_mode"]),
        ({"video": {"padding": float("inf")}}, ["processing_config.video.padding"]),
        (
            {"video": {"padding": -1}, "transcription": {"language": "Russian language"}},
            ["processing_config.transcription.language", "processing_config.video.padding"],
        ),
        ({"transcription": {"language": "r"}}, ["processing_config.transcription.language"]),
        (
            {"transcription": {"vocabulary": ["a", None]}},
            ["processing_config.transcription.vocabulary[1]"],
        ),
        (
            {"transcription": {"vocabulary": ["", LONG]}},
            [
                "processing_config.transcription.vocabulary[0]",
                "processing_config.transcription.vocabulary[1]",
            ],
        ),
        (
            {"transcription": {"topics_granularity": "tiny"}},
            ["processing_config.transcription.topics_granularity"],
        ),
        ({"transcription": {"provider": "deepseek"}}, ["processing_config.transcription.provider"]),
        (
            {"transcription": {"topics_provider": "fireworks"}},
            ["processing_config.transcription.topics_provider"],
        ),
        ({"transcription": {"prompt": "a\x00b"}}, ["processing_config.transcription.prompt"]),
    ],
    "recording_templates.metadata_config": [
        ({"title": "{themes}"}, ["metadata_config.title"]),
        ({"title_template": ""}, ["metadata_config.title_template"]),
        ({"title_template": "{topic}"}, ["metadata_config.title_template"]),
        ({"title_template": "{record_time:DD"}, ["metadata_config.title_template"]),
        ({"description_template": ["{topics}"]}, ["metadata_config.description_template"]),
        ({"description_template": "\ud800"}, ["metadata_config.description_template"]),
        ({"topics_display": "numbered_list"}, ["metadata_config.topics_display"]),
        ({"topics_display": {"format": "table"}}, ["metadata_config.topics_display.format"]),
        ({"topics_display": {"max_count": -1}}, ["metadata_config.topics_display.max_count"]),
        ({"topics_display": {"show_time": True}}, ["metadata_config.topics_display.show_time"]),
        ({"thumbnail_name": "../secret.png"}, ["metadata_config.thumbnail_name"]),
        ({"thumbnail_name": "a\\b.png"}, ["metadata_config.thumbnail_name"]),
        ({"thumbnail_name": "/etc/ml.png"}, ["metadata_config.thumbnail_name"]),
        ({"thumbnail_name": ".hidden.png"}, ["metadata_config.thumbnail_name"]),
        ({"thumbnail_name": "film.mp4"}, ["metadata_config.thumbnail_name"]),
        ({"thumbnail_name": "a:b.png"}, ["metadata_config.thumbnail_name"]),
        ({"thumbnail_name": "я" * 130 + ".png"}, ["metadata_config.thumbnail_name"]),
        ({"tags": "lecture, ML"}, ["metadata_config.tags"]),
        ({"tags": ["ML", "<b>"]}, ["metadata_config.tags[1]"]),
        ({"tags": [["ML"]]}, ["metadata_config.tags[0]"]),
        ({"upload_captions": "no"}, ["metadata_config.upload_captions"]),
        ({"privacy": "public"}, ["metadata_config.privacy"]),
        ({"youtube": {"group_id": 1}}, ["metadata_config.youtube.group_id"]),
        (
            {"youtube": {"privacy": "public", "publish_at": "2027-01-01T00:00:00Z"}},
            ["metadata_config.youtube.publish_at"],
        ),
        ({"vk": {"privacy": "private"}}, ["metadata_config.vk.privacy"]),
        ({"vk": {"title_template": "{nobody}"}}, ["metadata_config.vk.title_template"]),
        ({"rutube": {}}, ["metadata_config.rutube"]),
    ],
    "recording_templates.output_config": [
        ({"preset_ids": 1}, ["output_config.preset_ids"]),
        ({"preset_ids": ["1"]}, ["output_config.preset_ids[0]"]),
        ({"preset_ids": [1, 2, 1]}, ["output_config.preset_ids"]),
        ({"preset_ids": [2**31]}, ["output_config.preset_ids[0]"]),
        ({"auto_upload": "false"}, ["output_config.auto_upload"]),
        ({"presets": [1]}, ["output_config.presets"]),
    ],
    "user_configs.processing_config": [
        ({"video": {"padding": 1}}, ["processing_config.video"]),
        ({"padding": 61}, ["processing_config.padding"]),
    ],
    "user_configs.transcription_config": [
        ({"transcription": {}}, ["transcription_config.transcription"]),
        ({"enable_topics": None, "enable_subtitles": 0}, ["transcription_config.enable_subtitles"]),
    ],
    "user_configs.metadata_config": [
        ({"common": {"tags": []}}, ["metadata_config.common"]),
    ],
    "user_configs.upload_config": [
        ({"auto_upload": True, "default_platforms": []}, ["upload_config.default_platforms"]),
    ],
    "user_configs.preferences": [
        ({"language": "Russian"}, ["preferences.language"]),
        ({"retention": 30}, ["preferences.retention"]),
        (
            {"retention": {"expire_after_days": -1}},
            ["preferences.retention.expire_after_days"],
        ),
        ({"retention": {"restore_days": 1.5}}, ["preferences.retention.restore_days"]),
        ({"theme": "dark"}, ["preferences.theme"]),
    ],
    "notice_channels.kinds": [
        ({"ready": True}, ["kinds"]),
        (["ready", "sometimes"], ["kinds[1]"]),
        (["test"], ["kinds[0]"]),
        (["ready"] * 5, ["kinds"]),
    ],
    "automation_jobs.source_ids": [
        ({"ids": [1]}, ["source_ids"]),
        ([1, None], ["source_ids[1]"]),
        ([3, 3], ["source_ids"]),
        ([True], ["source_ids[0]"]),
    ],
    "automation_firings.counts": [
        ({"planned": -1}, ["counts.planned"]),
        ({"launched": 1.5}, ["counts.launched"]),
        ({"synced": {"found": "3"}}, ["counts.synced.found"]),
        ({"sync": {}}, ["counts.sync"]),
    ],
    "input_sources.cursor": [
        ({"read_to": "2026-11-23T06:00:00"}, ["cursor.read_to"]),
        ({"read_to": NEVER}, ["cursor.read_to"]),
        ({"page": "abc"}, ["cursor.page"]),
    ],
    "input_sources.last_result": [
        ({"new": -1}, ["last_result.new"]),
        ({"found": True}, ["last_result.found"]),
        ({"lost": 1}, ["last_result.lost"]),
    ],
    "recordings.transcription_info": [
        ({"language": "ru", "words": [{"word": "да"}]}, ["transcription_info.words"]),
        ({"duration": -0.1}, ["transcription_info.duration"]),
        ({"text": "…"}, ["transcription_info.text"]),
    ],
    "recordings.topic_timestamps": [
        ({"topics": []}, ["topic_timestamps"]),
        ([{"topic": "A", "start": 0}], ["topic_timestamps[0].end"]),
        ([{"topic": "A", "start": 9, "end": 3}], ["topic_timestamps[0].end"]),
        ([{"topic": "", "start": 0, "end": 3}], ["topic_timestamps[0].topic"]),
        ([{"topic": "A", "start": "00:10", "end": 30}], ["topic_timestamps[0].start"]),
        (
            [{"topic": "A", "start": 9, "end": 12}, {"topic": "B", "start": 0, "end": 9}],
            ["topic_timestamps"],
        ),
    ],
    "recordings.main_topics": [
        ("Gradient descent", ["main_topics"]),
        (["Gradient descent", ""], ["main_topics[1]"]),
        ([{"topic": "A"}], ["main_topics[0]"]),
    ],
    "recordings.processing_preferences": [
        ({"processing_config": {"video": {}}}, ["processing_preferences.processing_config"]),
        ({"transcription": {"lang": "en"}}, ["processing_preferences.transcription.lang"]),
        (
            {"metadata_config": {"youtube": {"tags": [1]}}},
            ["processing_preferences.metadata_config.youtube.tags[0]"],
        ),
        (
            {"output_config": {"preset_ids": [-1]}},
            ["processing_preferences.output_config.preset_ids[0]"],
        ),
        ({"title_template": "T"}, ["processing_preferences.title_template"]),
    ],
    "recording_runs.selection": [
        ("audio", ["selection"]),
        (["audio", 3], ["selection[1]"]),
    ],
    "bulk_actions.parameters": [
        ({"why": "no"}, ["parameters.why"]),
        ({"reason": ""}, ["parameters.reason"]),
        ({"stage": "DUB"}, ["parameters.stage"]),
        ({"platforms": ["YOUTUBE", "DISC"]}, ["parameters.platforms[1]"]),
    ],
    "bulk_actions.refusals": [
        ({"3": "no"}, ["refusals"]),
        ([{"recording_id": 0, "sentence": "no"}], ["refusals[0].recording_id"]),
        ([{"recording_id": 3}], ["refusals[0].sentence"]),
    ],
    "upload_sessions.sent": [
        ({"title": 5}, ["sent.title"]),
        ({"caption": []}, ["sent.caption"]),
    ],
    "celery_beat_schedule_entry.args": [
        ([1], ["args"]),
    ],
    "celery_beat_schedule_entry.kwargs": [
        ({"job_id": 7}, ["kwargs.user_id"]),
        ({"job_id": 7, "user_id": "7"}, ["kwargs.user_id"]),
        ({"job_id": "7", "user_id": "01J00000000000000000000001"}, ["kwargs.job_id"]),
    ],
    "base_configs.config_data processing": [
        ({"silence_threshold": True}, ["config_data.silence_threshold"]),
        ({"min_silence_duration": 3601}, ["config_data.min_silence_duration"]),
    ],
    "base_configs.config_data transcription": [
        ({"granularity": "long"}, ["config_data.granularity"]),
    ],
    "base_configs.config_data metadata": [
        ({"youtube": []}, ["config_data.youtube"]),
    ],
    "base_configs.config_data upload": [
        ({"auto_upload": 1}, ["config_data.auto_upload"]),
    ],
    "base_configs.config_data download": [
        ({}, ["base_configs.config_type"]),
    ],
    "output_presets.preset_metadata YOUTUBE": [
        ({"privacy": "friends"}, ["preset_metadata.privacy"]),
        ({"category_id": 27}, ["preset_metadata.category_id"]),
        ({"category_id": "Education"}, ["preset_metadata.category_id"]),
        ({"playlist_id": "https://youtube.com/?list=PL1"}, ["preset_metadata.playlist_id"]),
        ({"default_language": "русский"}, ["preset_metadata.default_language"]),
        ({"made_for_kids": None, "embeddable": "yes"}, ["preset_metadata.embeddable"]),
        ({"publish_at": "tomorrow"}, ["preset_metadata.publish_at"]),
        ({"publish_at": NEVER}, ["preset_metadata.publish_at"]),
        ({"publish_at": "2027-01-01T00:00:00"}, ["preset_metadata.publish_at"]),
        ({"tags": [LONG]}, ["preset_metadata.tags[0]"]),
        ({"madeForKids": False}, ["preset_metadata.madeForKids"]),
        ({"privacy_view": 0}, ["preset_metadata.privacy_view"]),
    ],
    "output_presets.preset_metadata VK": [
        ({"group_id": "227011779"}, ["preset_metadata.group_id"]),
        ({"group_id": -227011779}, ["preset_metadata.group_id"]),
        ({"album_id": 63}, ["preset_metadata.album_id"]),
        ({"album_id": "sixty"}, ["preset_metadata.album_id"]),
        ({"privacy_view": 3}, ["preset_metadata.privacy_view"]),
        ({"privacy_view": "all"}, ["preset_metadata.privacy_view"]),
        ({"privacy_comment": True}, ["preset_metadata.privacy_comment"]),
        ({"no_comments": True}, ["preset_metadata.no_comments"]),
        (
            {"repeat": "false", "wallpost": 0},
            ["preset_metadata.repeat", "preset_metadata.wallpost"],
        ),
    ],
    "output_presets.preset_metadata RUTUBE": [
        ({}, ["output_presets.platform"]),
    ],
    "input_sources.config ZOOM": [
        ({"user_id": ""}, ["config.user_id"]),
        ({"user_id": "me/../you"}, ["config.user_id"]),
        ({"sync_from_date": "2024-01-01"}, ["config.sync_from_date"]),
        ({"sync_from_date": 1704067200}, ["config.sync_from_date"]),
        ({"min_duration_minutes": -20}, ["config.min_duration_minutes"]),
        ({"min_duration_minutes": 20.5}, ["config.min_duration_minutes"]),
        (
            {"min_duration_minutes": 300, "max_duration_minutes": 20},
            ["config.max_duration_minutes"],
        ),
        ({"skip_blank_recordings": "true"}, ["config.skip_blank_recordings"]),
        ({"skip_unmached": True}, ["config.skip_unmached"]),
        ({"poll_interval_minutes": 0}, ["config.poll_interval_minutes"]),
        ({"lookback_days": 366}, ["config.lookback_days"]),
    ],
    "input_sources.config LOCAL_FILE": [
        ({"path": "/lectures"}, ["config.path"]),
    ],
    "input_sources.config YANDEX_DISK": [
        ({}, ["input_sources.source_type"]),
    ],
    "source_metadata.meta ZOOM": [
        ({"download_access_token": "eyJ"}, ["meta.download_access_token"]),
        ({"details": {"files": [{"recording_play_passcode": "x"}]}}, ["meta.details"]),
        ({"view": {"file_size": -1}}, ["meta.view.file_size"]),
        ({"recording_start": "yesterday"}, ["meta.recording_start"]),
    ],
    "source_metadata.meta LOCAL_FILE": [
        ({"file_name": "a.mp4", "bytes": 1}, ["meta.stored_path"]),
        ({"file_name": "a.mp4", "stored_path": "/etc/passwd", "bytes": 1}, ["meta.stored_path"]),
        (
            {"file_name": "a.mp4", "stored_path": "users/../../x", "bytes": 1},
            ["meta.stored_path"],
        ),
        ({"file_name": "", "stored_path": "a", "bytes": "1"}, ["meta.file_name", "meta.bytes"]),
    ],
    "processing_stages.stage_meta TRIM": [
        ({"timeline": {"keep": []}}, ["stage_meta.timeline.duration"]),
        ({"timeline": {"duration": 9.0, "keep": [[0]]}}, ["stage_meta.timeline.keep[0][1]"]),
        ({"timeline": {"duration": 9.0, "keep": [[4, 2]]}}, ["stage_meta.timeline.keep"]),
        ({"cuts": 3}, ["stage_meta.cuts"]),
        ({"cpu_seconds": {"audio": -1.0}}, ["stage_meta.cpu_seconds.audio"]),
    ],
    "processing_stages.stage_meta TRANSCRIBE": [
        ({"model": ""}, ["stage_meta.model"]),
    ],
    "processing_stages.stage_meta EXTRACT_TOPICS": [
        ({"version": "1"}, ["stage_meta.version"]),
        ({"granularity": "medium"}, ["stage_meta.granularity"]),
    ],
    "processing_stages.stage_meta GENERATE_SUBTITLES": [
        ({"cues": [1, 2]}, ["stage_meta.cues"]),
    ],
    "processing_stages.stage_meta UPLOAD": [
        ({}, ["processing_stages.stage_type"]),
    ],
    "output_targets.target_meta YOUTUBE": [
        ({"video_url": "https://youtu.be/a"}, ["target_meta.video_url"]),
        ({"url": "javascript:alert(1)"}, ["target_meta.url"]),
        ({"history": [{"video_id": "a"}]}, ["target_meta.history[0].retracted_at"]),
        ({"sent": {"tags": "ML"}}, ["target_meta.sent.tags"]),
    ],
    "output_targets.target_meta VK": [
        ({"video_id": 456239017}, ["target_meta.video_id"]),
        ({"owner_id": "-1"}, ["target_meta.owner_id"]),
    ],
    "quota_change_history.old_value plan_upgrade": [
        ({"plan": None}, ["old_value.plan"]),
        ("Free", ["old_value"]),
    ],
    "quota_change_history.new_value plan_downgrade": [
        ({"plan": "Free", "price": 0}, ["new_value.price"]),
    ],
    "quota_change_history.new_value expiry": [
        ({"plan": "Free", "expires_at": NEVER}, ["new_value.expires_at"]),
    ],
    "quota_change_history.new_value custom_quota_override": [
        ({"custom_max_storage_gb": -1}, ["new_value.custom_max_storage_gb"]),
        ({"custom_max_storage": 5}, ["new_value.custom_max_storage"]),
    ],
    "quota_change_history.new_value pay_as_you_go_change": [
        (
            {"pay_as_you_go_monthly_limit": "10.001"},
            ["new_value.pay_as_you_go_monthly_limit"],
        ),
        ({"pay_as_you_go_enabled": "on"}, ["new_value.pay_as_you_go_enabled"]),
    ],
}
CASES = [(where, value, paths) for where, rows in WRONG.items() for value, paths in rows]


def _column(where: str) -> tuple[str, str, str | None]:
    place, _, kind = where.partition(" ")
    table, _, column = place.partition(".")
    return table, column, kind or None


@pytest.mark.parametrize(
    ("where", "value", "paths"),
    CASES,
    ids=[f"{where} {paths[0].partition('.')[2]}" for where, _, paths in CASES],
)
def test_refused_with_its_path(where: str, value: Any, paths: list[str]) -> None:
    table, column, kind = _column(where)
    with pytest.raises(ShapeError) as caught:
        validate_column(table, column, value, kind=kind)
    assert [path for path, _ in caught.value.problems] == paths
    sentence = str(caught.value)
    assert sentence.startswith(f"`{paths[0]}` ")
    assert sentence.endswith((".", "?"))
    assert "pydantic" not in sentence.lower()
    assert all(f"`{path}`" in sentence for path in paths[1:])


def test_there_are_cases_for_every_shape() -> None:
    models = set(COLUMNS.values()) | {model for kinds in KINDS.values() for model in kinds.values()}
    tried = set()
    for where in WRONG:
        table, column, kind = _column(where)
        tried.add(COLUMNS.get((table, column)) or KINDS[table, column].get(kind or ""))
    assert tried >= models
    assert len(CASES) >= 110


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            {"video": {"silence_treshold": -40}},
            (
                "`processing_config.video.silence_treshold` is not a known key; "
                "did you mean `silence_threshold`?"
            ),
        ),
        (
            {"video": {"volume": 3}},
            (
                "`processing_config.video.volume` is not a known key; remove it or use one of "
                "min_silence_duration, padding, remove_silence, silence_mode, silence_threshold."
            ),
        ),
        (
            {"video": {"silence_mode": "none"}},
            "`processing_config.video.silence_mode` must be one of 'edges' or 'all'.",
        ),
        (
            {"video": {"padding": -1, "min_silence_duration": "2"}},
            (
                "`processing_config.video.min_silence_duration` must be a number without quotes "
                "(wrong as well: `processing_config.video.padding`)."
            ),
        ),
        (
            {"transcription": []},
            "`processing_config.transcription` must be an object in curly braces.",
        ),
        ({7: {}}, "`processing_config.7` is a key that is no text; put it in quotes."),
        (
            {"video": {"padding": b"1"}},
            (
                "`processing_config.video.padding` is no JSON but a bytes; give text, numbers, "
                "lists or objects."
            ),
        ),
        (
            {"video": {"padding": 10**30}},
            "`processing_config.video.padding` is a number too large to be meant.",
        ),
        (
            {"a\x00": 1},
            "`processing_config` has a key with a character that cannot be stored; remove it.",
        ),
    ],
)
def test_a_sentence_says_what_to_do(value: Any, sentence: str) -> None:
    with pytest.raises(ShapeError) as caught:
        validate_column("recording_templates", "processing_config", value)
    assert str(caught.value) == sentence


def test_a_document_without_end_is_refused() -> None:
    deep: Any = {}
    for _ in range(5000):
        deep = {"video": deep}
    with pytest.raises(ShapeError, match="is nested more than 32 deep"):
        validate_column("recording_templates", "processing_config", deep)
