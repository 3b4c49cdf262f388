"""Documents that are stored already: those of the design, of older forms, and broken ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leap_pipeline.domain.shapes.registry import COLUMNS, KINDS, read_column, validate_column
from leap_pipeline.domain.shapes.results import TopicTimestamp, TopicTimestamps
from leap_pipeline.domain.shapes.stored import Loaded, load

# Documents as they are to be stored, among them every example of the design.
GOOD: list[tuple[str, str, str | None, Any]] = [
    (
        "recording_templates",
        "matching_rules",
        None,
        {
            "exact_matches": ["Lecture: Machine Learning", "AI Course"],
            "keywords": ["ML", "AI", "neural networks"],
            "patterns": ["Лекция \\d+:.*ML", "\\[МО\\].*"],
            "source_ids": [1, 3],
            "match_mode": "any",
        },
    ),
    (
        "recording_templates",
        "processing_config",
        None,
        {
            "transcription": {
                "enable_transcription": True,
                "language": "ru",
                "prompt": "Technical lecture on machine learning...",
                "enable_topics": True,
                "topics_granularity": "long",
                "enable_subtitles": True,
            },
            "video": {
                "remove_silence": True,
                "silence_threshold": -40.0,
                "min_silence_duration": 2.0,
            },
        },
    ),
    (
        "recording_templates",
        "metadata_config",
        None,
        {
            "title_template": "{themes} | {record_time:DD.MM.YYYY}",
            "description_template": "{topics}\\n\\nДлительность: {duration}",
            "topics_display": {
                "format": "numbered_list",
                "max_count": 999,
                "min_length": 0,
                "show_timestamps": True,
            },
            "thumbnail_name": "ml_extra.png",
            "youtube": {"tags": ["only here"]},
        },
    ),
    ("recording_templates", "output_config", None, {"preset_ids": [1, 2], "auto_upload": True}),
    (
        "output_presets",
        "preset_metadata",
        "YOUTUBE",
        {
            "privacy": "unlisted",
            "playlist_id": "PLmA-1xX7Iuz...",
            "category_id": "27",
            "default_language": "ru",
            "made_for_kids": False,
            "embeddable": True,
            "tags": ["lecture", "ML", "AI"],
        },
    ),
    (
        "output_presets",
        "preset_metadata",
        "VK",
        {
            "group_id": 227011779,
            "album_id": "63",
            "privacy_view": 0,
            "privacy_comment": 0,
            "disable_comments": False,
            "repeat": False,
            "wallpost": False,
        },
    ),
    (
        "input_sources",
        "config",
        "ZOOM",
        {
            "user_id": "zoom_user_id",
            "sync_from_date": "2024-01-01T00:00:00Z",
            "min_duration_minutes": 20,
            "max_duration_minutes": 300,
            "skip_blank_recordings": True,
        },
    ),
    ("automation_jobs", "source_ids", None, []),
    ("automation_jobs", "source_ids", None, [1, 2, 3]),
    ("recordings", "main_topics", None, ["Градиентный спуск"]),
    (
        "recordings",
        "topic_timestamps",
        None,
        [
            {"start": 0.0, "end": 600.0, "topic": "Введение"},
            {"start": 600.0, "end": 1800.5, "topic": "Итоги"},
        ],
    ),
    (
        "recordings",
        "processing_preferences",
        None,
        {
            "transcription": {"language": "en"},
            "metadata_config": {"youtube": {"title_template": "Special: {themes}"}},
            "output_config": {"preset_ids": []},
        },
    ),
    (
        "source_metadata",
        "meta",
        "LOCAL_FILE",
        {"file_name": "a.mp4", "stored_path": "users/user_000001/recordings/1/a.mp4", "bytes": 9},
    ),
    (
        "output_targets",
        "target_meta",
        "YOUTUBE",
        {
            "video_id": "b4b147bc522",
            "url": "https://youtu.be/b4b147bc522",
            "sent": {"title": "T", "settings": {"status": {"privacyStatus": "private"}}},
            "history": [{"video_id": "old", "retracted_at": "2026-11-01T00:00:00Z"}],
        },
    ),
    (
        "processing_stages",
        "stage_meta",
        "TRIM",
        {"timeline": {"duration": 9.5, "keep": [[0.0, 4.0], [5.0, 9.5]]}, "no_speech": False},
    ),
    (
        "quota_change_history",
        "new_value",
        "custom_quota_override",
        {"custom_max_storage_gb": None, "custom_max_concurrent_tasks": 0},
    ),
    (
        "quota_change_history",
        "new_value",
        "pay_as_you_go_change",
        {"pay_as_you_go_enabled": True, "pay_as_you_go_monthly_limit": "10.50"},
    ),
    ("user_configs", "preferences", None, {"language": "ru", "retention": {"restore_days": 30}}),
    ("recording_holds", "facts", None, {"anything": [1, None]}),
]


@pytest.mark.parametrize(("table", "column", "kind", "document"), GOOD)
def test_what_is_right_is_stored_as_it_is_and_read_back(
    table: str, column: str, kind: str | None, document: Any
) -> None:
    assert validate_column(table, column, document, kind=kind) == document
    if (table, column) in COLUMNS or (table, column) in KINDS:
        loaded = read_column(table, column, document, kind=kind)
        assert loaded.differences == ()
        assert loaded.value is not None
        dumped = loaded.value.model_dump(mode="json", exclude_unset=True)
        assert dumped == document


def test_nothing_is_nothing() -> None:
    assert validate_column("recordings", "main_topics", None) is None
    assert read_column("recordings", "main_topics", None) == Loaded(None)


def test_nulls_of_a_layer_are_not_stored() -> None:
    said = {"video": {"padding": 1, "silence_mode": None}, "transcription": {"language": None}}
    stored = validate_column("recording_templates", "processing_config", said)
    assert stored == {"video": {"padding": 1.0}}


# Rows as the original platform wrote them, and what is read from them.
OLDER: list[tuple[str, str, str | None, Any, dict[str, Any]]] = [
    (
        "recording_templates",
        "processing_config",
        None,
        {
            "trimming": {"enable_trimming": True, "silence_threshold": -38.0},
            "transcription": {"granularity": "long", "language": "ru"},
        },
        {
            "video": {"remove_silence": True, "silence_threshold": -38.0},
            "transcription": {"topics_granularity": "long", "language": "ru"},
        },
    ),
    (
        "recording_templates",
        "processing_config",
        None,
        {"processing_config": {"transcription": {"language": "en"}}},
        {"transcription": {"language": "en"}},
    ),
    (
        "recording_templates",
        "metadata_config",
        None,
        {
            "vk": {"album_id": "77", "no_comments": True},
            "common": {"tags": ["x"], "topics_display": {"include_timestamps": False}},
            "youtube": {"playlist_id": "PL_over"},
        },
        {
            "vk": {"album_id": "77", "disable_comments": True},
            "tags": ["x"],
            "topics_display": {"show_timestamps": False},
            "youtube": {"playlist_id": "PL_over"},
        },
    ),
    (
        "output_presets",
        "preset_metadata",
        "VK",
        {"no_comments": False, "group_id": 227000001},
        {"disable_comments": False, "group_id": 227000001},
    ),
    (
        "recordings",
        "transcription_info",
        None,
        {
            "language": "ru",
            "text": "…",
            "words": [{"start": 0.0, "end": 0.5, "word": "да"}],
            "segments": [{"id": 0}, {"id": 1}],
        },
        {"language": "ru", "words": 1, "segments": 2},
    ),
    (
        "processing_stages",
        "stage_meta",
        "EXTRACT_TOPICS",
        {"version_id": "v1", "granularity": "long"},
        {"version": "v1", "granularity": "long"},
    ),
    (
        "output_targets",
        "target_meta",
        "VK",
        {
            "platform": "vk",
            "video_id": "9",
            "video_url": "https://vk.com/video-1_9",
            "uploaded_by_task": True,
        },
        {"video_id": "9", "url": "https://vk.com/video-1_9"},
    ),
    (
        "recordings",
        "processing_preferences",
        None,
        {"transcription": {"language": "en"}, "trimming": {"silence_threshold": -30.0}},
        {"transcription": {"language": "en"}, "video": {"silence_threshold": -30.0}},
    ),
    (
        "source_metadata",
        "meta",
        "ZOOM",
        {
            "account": "host@example.edu",
            "password": "pw0",
            "meeting_id": "rzsFKLwhaT0cubwcRCtFLg==",
            "download_url": "https://zoom.us/rec/download/0",
            "recording_type": "shared_screen",
            "video_file_size": 7,
            "video_file_type": "MP4",
            "zoom_api_details": {"share_url": "https://zoom.us/x", "recording_play_passcode": "p"},
            "zoom_api_meeting": {"topic": "Введение в ML", "duration": 5},
            "download_access_token": None,
            "recording_play_passcode": "pc0",
        },
        {
            "account": "host@example.edu",
            "meeting_id": "rzsFKLwhaT0cubwcRCtFLg==",
            "topic": "Введение в ML",
            "view": {"recording_type": "shared_screen", "file_size": 7},
            "details": {
                "video_file_type": "MP4",
                "zoom_api_details": {"share_url": "https://zoom.us/x"},
                "zoom_api_meeting": {"topic": "Введение в ML", "duration": 5},
            },
        },
    ),
]


@pytest.mark.parametrize(("table", "column", "kind", "old", "today"), OLDER)
def test_older_forms_are_read_as_todays(
    table: str, column: str, kind: str | None, old: Any, today: dict[str, Any]
) -> None:
    loaded = read_column(table, column, old, kind=kind)
    assert loaded.differences == ()
    assert loaded.value is not None
    assert loaded.value.model_dump(mode="json", exclude_unset=True) == today
    assert validate_column(table, column, today, kind=kind) == today


def test_what_does_not_fit_is_left_out_and_told() -> None:
    stored = {
        "title_template": "{nobody}",
        "tags": ["a", "<b>", 3, "c"],
        "youtube": {"privacy": "public", "theme": "dark", "category_id": 27},
        "rutube": {},
    }
    loaded = read_column("recording_templates", "metadata_config", stored)
    assert loaded.value is not None
    assert loaded.value.model_dump(exclude_unset=True) == {
        "tags": ("a", "3", "c"),
        "youtube": {"privacy": "public", "category_id": "27"},
    }
    assert [path for path, _ in loaded.differences] == [
        "metadata_config.title_template",
        "metadata_config.tags[1]",
        "metadata_config.tags[2]",
        "metadata_config.youtube.category_id",
        "metadata_config.youtube.theme",
        "metadata_config.rutube",
    ]


def test_an_entry_that_lacks_something_goes_as_a_whole() -> None:
    stored = [{"topic": "A", "start": 0, "end": 1}, {"topic": "B"}, {"topic": "C", "start": "2"}]
    loaded = read_column("recordings", "topic_timestamps", stored)
    assert loaded.value == TopicTimestamps((TopicTimestamp(topic="A", start=0, end=1),))


def test_what_cannot_be_read_at_all_is_told() -> None:
    for table, column, kind, stored in [
        ("recordings", "main_topics", None, "a text"),
        ("source_metadata", "meta", "LOCAL_FILE", {"file_name": "a.mp4"}),
        ("source_metadata", "meta", "GOOGLE_DRIVE", {"original_filename": "a.mp4"}),
    ]:
        loaded = read_column(table, column, stored, kind=kind)
        assert loaded.value is None
        assert loaded.differences


MODELS = sorted(
    set(COLUMNS.values()) | {model for kinds in KINDS.values() for model in kinds.values()},
    key=lambda model: model.__name__,
)
KEYS = sorted({key for model in MODELS for key in model.model_fields} | {"trimming", "common"})
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=150)
@given(st.sampled_from(MODELS), anything)
def test_reading_never_fails(model: Any, document: Any) -> None:
    loaded = load(model, document, "column")
    if loaded.value is None:
        assert loaded.differences
    elif not loaded.differences:
        stored = loaded.value.model_dump(mode="json", exclude_unset=True)
        assert load(model, stored, "column") == loaded
