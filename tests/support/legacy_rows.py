"""The rows of `tests.support.legacy`: users Ada (nearly everything), Ben and Eve (addresses that
differ in case alone), and one who is switched off and has nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.engine import URL

from tests.support.legacy import (
    ADA,
    AT,
    BEN,
    EVE,
    NULL,
    OFF,
    PASSCODE,
    PASSWORDS,
    ZOOM_SECRET,
    Legacy,
    encrypted,
    hashed,
)

CONFIG: dict[str, Any] = {
    "trimming": {
        "enable_trimming": True,
        "silence_threshold": -38.0,
        "padding_before": 5.0,
        "padding_after": 3.0,
        "audio_detection": True,
    },
    "transcription": {
        "prompt": "",
        "language": "ru",
        "provider": "fireworks",
        "granularity": "short",
        "temperature": 0.0,
        "subtitle_formats": ["srt"],
    },
    "metadata": {
        "date_format": "DD.MM.YY",
        "title_template": "{display_name} | {topic} ({date})",
        "topics_display": {"format": "numbered_list", "include_timestamps": False, "enabled": True},
    },
    "upload": {"auto_upload": True, "upload_captions": True, "default_preset_ids": {"youtube": 1}},
    "platforms": {
        "youtube": {"enabled": False, "default_privacy": "unlisted"},
        "vk_video": {"no_comments": True, "default_privacy": "1", "privacy_comment": "2"},
    },
    "retention": {"auto_expire_days": 90, "hard_delete_days": 30, "soft_delete_days": 3},
    "legacy_unknown_key": {"keep": [1, {"x": None}]},
}
RULES: dict[str, Any] = {
    "exact": {"exact_matches": ["Введение в ML", " Math 101 "]},
    "redos": {"patterns": ["(a+)+$"]},
    "numbers": {"keywords": [123, None, "chem"]},
    "broken": {"keywords": ["physics"], "patterns": ["(unclosed", "physics"]},
    "broken exclusion": {"keywords": ["physics"], "exclude_patterns": ["(?=x)"]},
    "foreign source": {"keywords": ["statistics"], "source_ids": [999_999]},
    "own source": {"keywords": ["algorithms"], "source_ids": [1, 999_999]},
}


def make_legacy(url: URL) -> None:
    """Tables and rows in an empty database."""
    with Legacy(url) as legacy:
        legacy.make()
        _users(legacy)
        _plans(legacy)
        _library(legacy)
        _templates(legacy)
        _jobs(legacy)
        _recordings(legacy)
        legacy.add("celery_periodic_task", name="automation_job_1", task="automation.run_job")
        legacy.run("INSERT INTO homework VALUES ('of another program'), (NULL)")


def _users(legacy: Legacy) -> None:
    addresses: dict[str, tuple[int, str, dict[str, Any]]] = {
        ADA: (1, "ada@example.edu", {"role": "admin", "timezone": "Europe/Moscow"}),
        BEN: (2, "Mixed.Case@Example.EDU", {"can_upload": False}),
        EVE: (9, "mixed.case@example.edu", {"role": "root"}),
        OFF: (73, "off@example.edu", {"is_active": False, "timezone": "Mars/Olympus"}),
    }
    for user_id, (slug, email, more) in addresses.items():
        password = "md5:1234" if user_id == OFF else hashed(PASSWORDS[user_id])
        said = {"user_slug": slug, "email": email, "hashed_password": password}
        legacy.run(f"SELECT setval('user_slug_seq', {slug})")
        legacy.add("users", id=user_id, **said, **more)
        legacy.add("refresh_tokens", user_id=user_id, token=f"eyJ.{user_id}")
    legacy.add("user_configs", user_id=ADA, config_data=CONFIG)
    legacy.add("user_configs", user_id=BEN, config_data={"transcription": {"prompt": "№2"}})
    configs: list[tuple[str | None, str | None, dict[str, Any]]] = [
        (None, "processing", {"silence_threshold": -35.0, "k": 1}),
        (None, None, {"k": 0}),
        (ADA, "metadata", {"title_template": "{themes}"}),
    ]
    for owner, kind, data in configs:
        legacy.add("base_configs", user_id=owner, name="base", config_type=kind, config_data=data)


def _plans(legacy: Legacy) -> None:
    names = ("free", "plus", "pro", "legacy-gold")
    ids = [
        legacy.add(
            "subscription_plans",
            name=name,
            display_name=name.title(),
            sort_order=number,
            max_automation_jobs=number,
        )
        for number, name in enumerate(names, start=1)
    ]
    own = {"custom_max_recordings_per_month": 0, "custom_max_automation_jobs": 7}
    legacy.add("user_subscriptions", user_id=ADA, plan_id=ids[2], **own, created_by=ADA)
    legacy.add("user_subscriptions", user_id=BEN, plan_id=ids[3], modified_by="0" * 26)
    for user_id, period, count, size in (
        (ADA, 202602, 39, 37_148_819_580),
        (ADA, 202602, 4, 1024),
        (ADA, 202601, 1, 2**30),
        (BEN, 202613, 1, 1),
    ):
        legacy.add(
            "quota_usage",
            user_id=user_id,
            period=period,
            recordings_count=count,
            storage_bytes=size,
            overage_cost=1.5,
        )
    plan = {"old_plan_id": ids[0], "new_plan_id": ids[2], "changes": {"i": 4, "reason": "upgrade"}}
    legacy.add("quota_change_history", user_id=ADA, change_type="plan_change", **plan)
    override = {"custom_max_storage_gb": {"new": 500, "old": None}}
    legacy.add("quota_change_history", user_id=ADA, change_type="custom_override", changes=override)


def _library(legacy: Legacy) -> None:
    zoom = {"account_id": "a", "client_id": "c", "client_secret": ZOOM_SECRET, "account": "h@x.y"}
    youtube = {"token": {"token": "ya29.x", "refresh_token": "1//x"}}
    for platform, name, data in (
        ("zoom", "host", encrypted(zoom)),
        ("fireworks", None, encrypted({"api_key": "fw_ключ"})),
        ("fireworks", None, encrypted({"api_key": "fw_2"})),
        ("vk_video", "vk", encrypted({"access_token": "vk1.a.x", "user_id": 7})),
        ("youtube", "channel", encrypted(youtube)),
        ("youtube", "channel", encrypted({"api_key": "of another platform"})),
        ("youtube", "lost", encrypted(youtube, "another secret")),
        ("openai", "bad", encrypted({"api_key": "x"}, "another secret")),
    ):
        said = {"platform": platform, "account_name": name, "encrypted_data": data}
        legacy.add("user_credentials", user_id=ADA, **said)
    for name, kind, credential, config in (
        ("Zoom 1", "ZOOM", 1, {"user_id": "me", "min_duration_minutes": 20}),
        ("Zoom 2", "ZOOM", 8, NULL),
        ("Same", "LOCAL", None, None),
        ("Same", "LOCAL", None, {"path": "/lectures"}),
        ("Drive", "GOOGLE_DRIVE", None, {"path": "/lectures"}),
    ):
        legacy.add(
            "input_sources",
            user_id=ADA,
            name=name,
            source_type=kind,
            credential_id=credential,
            config=config,
        )
    youtube_preset = {"privacy": "unlisted", "topics_display": {"show_timestamps": True}}
    for name, platform, credential, metadata in (
        ("основной", "youtube", 5, youtube_preset),
        ("основной", "youtube", 5, NULL),
        ("vk", "vk", 4, {"group_id": 227_000_001, "no_comments": False}),
        ("lost", "youtube", 8, {}),
    ):
        legacy.add(
            "output_presets",
            user_id=ADA,
            name=name,
            platform=platform,
            credential_id=credential,
            preset_metadata=metadata,
        )


def _templates(legacy: Legacy) -> None:
    for name, rules in RULES.items():
        legacy.add("recording_templates", user_id=ADA, name=name, matching_rules=rules)
    legacy.add(
        "recording_templates",
        user_id=ADA,
        name="redos",
        matching_rules=NULL,
        processing_config={"processing_config": {"transcription": {"language": "en"}, "k": 1}},
        metadata_config={
            "common": {"tags": ["x"]},
            "vk": {"album_id": "77"},
            "title_template": "{themes} | {record_time:DD.MM.YYYY}",
        },
        output_config={"preset_ids": [1, 2, 3, 4], "auto_upload": True},
        used_count=57,
    )
    legacy.add("recording_templates", user_id=BEN, name="of Ben", matching_rules={})


def _jobs(legacy: Legacy) -> None:
    moscow = {"timezone": "Europe/Moscow"}
    for name, templates, schedule, more in (
        ("daily", [1], {"type": "time_of_day", "time": "06:30", **moscow}, {}),
        (
            "daily",
            [],
            {"type": "hours", "hours": 6, "timezone": "UTC"},
            {"filters": {"status": []}},
        ),
        ("week", [1, 2], {"type": "weekdays", "time": "21:05", "days": [0, 6], **moscow}, {}),
        ("cron", [1], {"type": "cron", "expression": "15 */4 * * 1-5", "timezone": "UTC"}, {}),
        ("both", [1], {"type": "cron", "expression": "0 0 1 * 1", **moscow}, {}),
        ("own", [1], {"type": "hours", "hours": 1}, {"processing_config": {"video": {}}}),
        ("strange", [1], {"type": "sunrise"}, {}),
        ("foreign", [9], {"type": "hours", "hours": 1}, {}),
        ("elsewhere", [1], {"type": "time_of_day", "time": "6:30", "timezone": "Mars/Olympus"}, {}),
    ):
        legacy.add(
            "automation_jobs",
            user_id=ADA,
            name=name,
            template_ids=templates,
            schedule=schedule,
            **more,
        )


def _recordings(legacy: Legacy) -> None:
    for status, stages, targets, more in RECORDINGS:
        folder = f"storage/users/user_000001/recordings/{_next(legacy)}"
        paths = {}
        if stages:
            paths["local_video_path"] = f"{folder}/source.mp4"
            paths["transcription_dir"] = f"{folder}/transcriptions"
        if stages and set(stages) <= set("CSN"):
            paths["processed_video_path"] = f"{folder}/video.mp4"
            paths["processed_audio_path"] = f"{folder}/audio.mp3"
        recording = legacy.add(
            "recordings",
            **{"user_id": ADA, "status": status, "input_source_id": 1, **paths, **more},
        )
        owner = more.get("user_id", ADA)
        _parts(legacy, recording, owner, stages, targets)
        if "no source" not in more.get("display_name", ""):
            kinds = ("ZOOM", "LOCAL", "MANUAL", "GOOGLE_DRIVE", "YANDEX_DISK")
            kind = kinds[recording % 5]
            meta = ZOOM_META if kind == "ZOOM" else {"original_filename": "lecture.mp4"}
            key = "twice" if kind in ("LOCAL", "MANUAL") else f"uuid=={recording}"
            said = {"source_type": kind, "source_key": key, "metadata": meta}
            legacy.add("source_metadata", recording_id=recording, user_id=owner, **said)


STAGE_STATUS = {
    "P": "PENDING",
    "I": "IN_PROGRESS",
    "C": "COMPLETED",
    "F": "FAILED",
    "S": "SKIPPED",
    "N": None,
}


def _parts(
    legacy: Legacy, recording: int, owner: str | None, stages: str, targets: dict[str, str | None]
) -> None:
    kinds = ("TRANSCRIBE", "EXTRACT_TOPICS", "GENERATE_SUBTITLES")
    metas = ({"model": "fireworks", "language": "ru"}, {"version_id": "v1"}, NULL)
    for kind, letter, meta in zip(kinds, stages, metas, strict=False):
        more: dict[str, Any] = {"completed_at": AT} if letter in "CN" else {}
        if letter == "F":
            more = {"failed": True, "failed_at": AT, "failed_reason": "API 429", "retry_count": 2}
        if letter == "N":
            more |= {"failed": None, "retry_count": None}
        said = {"stage_type": kind, "status": STAGE_STATUS[letter], "stage_meta": meta, **more}
        legacy.add("processing_stages", recording_id=recording, user_id=owner, **said)
    for kind, status in targets.items():
        more = {"uploaded_at": AT} if status == "UPLOADED" else {}
        if status == "FAILED":
            more = {"failed": True, "failed_at": AT, "failed_reason": "token=" + PASSCODE}
        meta = {"platform": kind.lower(), "video_id": "b4b1", "uploaded_by_task": True}
        preset = {"YOUTUBE": 1, "VK": 3}.get(kind)
        said = {"target_type": kind, "status": status, "target_meta": meta, "preset_id": preset}
        legacy.add("output_targets", recording_id=recording, user_id=owner, **said, **more)


def _next(legacy: Legacy) -> int:
    [(number,)] = legacy.run("SELECT COALESCE(max(id), 0) + 1 FROM recordings")
    return int(number)


ZOOM_META = {
    "meeting_id": "++Fsed==",
    "password": PASSCODE,
    "recording_play_passcode": PASSCODE,
    "download_url": f"https://zoom.us/rec/download/1?access_token={PASSCODE}",
    "video_file_size": 314_572_800,
    "zoom_api_meeting": {"topic": "SECRET Talk"},
}
RESULTS = {
    "transcription_info": {
        "text": "да",
        "words": [{"word": "да"}],
        "segments": [],
        "language": "ru",
    },
    "topic_timestamps": [{"start": 0.0, "end": 600.0, "topic": "Введение"}],
    "main_topics": ["Градиентный спуск"],
    "processing_preferences": {
        "output_config": {"preset_ids": [1]},
        "transcription": {"language": "en"},
        "metadata_config": {"title_template": "T {n}"},
    },
}
DELETED = {"deleted": True, "deleted_at": AT, "soft_deleted_at": AT, "hard_delete_at": AT}
DOWNLOAD_FAILED = {"failed": True, "failed_at_stage": "DOWNLOADING", "failed_reason": "HTTP 500"}
RECORDINGS: list[tuple[str | None, str, dict[str, str | None], dict[str, Any]]] = [
    ("PENDING_SOURCE", "", {}, {"duration": 0}),
    ("INITIALIZED", "", {}, {"template_id": 1, "is_mapped": True}),
    ("INITIALIZED", "", {}, DOWNLOAD_FAILED | {"failed_at": AT, "retry_count": 2}),
    ("DOWNLOADING", "", {}, {}),
    ("SKIPPED", "", {}, {"blank_record": True}),
    ("SKIPPED", "", {}, DOWNLOAD_FAILED),
    ("DOWNLOADED", "PPP", {}, {"video_file_size": 26_214_400}),
    ("PROCESSING", "IPP", {}, {}),
    ("PROCESSING", "CIP", {}, {}),
    ("PREPARING", "CIP", {}, {}),
    ("TRANSCRIBING", "IPP", {}, {}),
    ("TRANSCRIBED", "CCC", {}, RESULTS),
    ("PROCESSED", "CCS", {"YOUTUBE": "NOT_UPLOADED", "VK": "FAILED"}, {}),
    ("UPLOADING", "CCC", {"YOUTUBE": "UPLOADING", "VK": "NOT_UPLOADED"}, {}),
    ("UPLOADED", "CCC", {"YOUTUBE": "UPLOADED", "VK": "FAILED"}, {}),
    ("READY", "CCC", {"YOUTUBE": "UPLOADED", "VK": "UPLOADED"}, {"template_id": 9}),
    ("READY", "CCC", {"YOUTUBE": "UPLOADED", "LOCAL": "UPLOADED"}, {"failed": True}),
    ("READY", "CCC", {}, {}),
    ("FAILED", "FPP", {"VK": None}, {"failed": True, "failed_at_stage": "transcribe"}),
    ("EXPIRED", "CCC", {"VK": "UPLOADED"}, {"delete_state": "soft", **DELETED}),
    ("EXPIRED", "NCS", {}, {"deleted": None, "delete_state": None}),
    (
        "EXPIRED",
        "CCC",
        {"VK": "UPLOADED"},
        {"delete_state": "hard", "deletion_reason": "expired", **DELETED, **RESULTS},
    ),
    (None, "", {}, {"is_mapped": None, "blank_record": None, "failed": None, "retry_count": None}),
    ("READY", "CCC", {"VK": "UPLOADED"}, {"user_id": None}),
    ("INITIALIZED", "", {}, {"user_id": EVE, "display_name": "no source", "input_source_id": None}),
    ("INITIALIZED", "", {}, {"user_id": BEN, "input_source_id": 1}),
    ("DOWNLOADED", "PPP", {}, {"local_video_path": "storage/users/user_000002/recordings/1/x.mp4"}),
    ("DOWNLOADED", "PPP", {}, {"local_video_path": "storage/../../etc/passwd"}),
]
_AFTER = {
    "PENDING_SOURCE": (1,),
    "INITIALIZED": (2, 4, 23, 25, 26, 27, 28),
    "SKIPPED": (5, 6),
    "DOWNLOADED": (7, 8, 11),
    "PROCESSING": (9, 10),
    "PROCESSED": (12, 14, 18, 21),
    "READY": (16, 17, 20, 22),
    "FAILED": (3, 13, 15, 19),
}
STATUS_AFTER = {number: status for status, numbers in _AFTER.items() for number in numbers}
"""Of each recording that has an owner, by its place in the list."""
