"""A user's defaults: one JSON document there, four columns and the preferences here. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from leap_pipeline.adoption.documents import block, drop, fitted
from leap_pipeline.adoption.outcome import Leave, Notes, Row
from leap_pipeline.adoption.references import References

BLOCKS = (
    "trimming",
    "transcription",
    "metadata",
    "upload",
    "platforms",
    "retention",
    "processing_config",
)
# Variables of the old text templates, and what says the same here.
_DATE = re.compile(r"\{date\}")
_TOPIC = re.compile(r"\{topic\}")
DATE_FORMAT = "DD.MM.YYYY"


def user_config(row: Row, references: References, notes: Notes) -> dict[str, Any]:
    """`user_configs`; unknown blocks are left out and said."""
    document = row["config_data"] if isinstance(row["config_data"], Mapping) else {}
    for key in document:
        if key not in BLOCKS:
            notes.say(f"`{key}` was left out", "LEAP has no such setting")
    upload = block(document, "upload", notes)
    said = fitted("recording_templates", "processing_config", processing(document, notes), notes)
    return {
        "user_id": row["user_id"],
        "processing_config": (said or {}).get("video", {}),
        "transcription_config": (said or {}).get("transcription", {}),
        "metadata_config": fitted(
            "user_configs", "metadata_config", _metadata(document, upload, notes), notes
        )
        or {},
        "upload_config": fitted(
            "user_configs", "upload_config", _upload(upload, references, notes), notes
        )
        or {},
        "preferences": fitted("user_configs", "preferences", _retention(document, notes), notes)
        or {},
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
    }


def base_config(row: Row, notes: Notes) -> dict[str, Any]:
    """`base_configs`; raises Leave where its type says nothing to LEAP."""
    kind = row["config_type"]
    data = fitted("base_configs", "config_data", row["config_data"], unread := Notes(), kind=kind)
    if data is None:
        msg = f"a base configuration of type {kind!r} has no effect in LEAP"
        raise Leave(msg)
    notes.lines += unread.lines
    same = ("user_id", "name", "description", "config_type", "is_active")
    return {name: row[name] for name in (*same, "created_at", "updated_at")} | {"config_data": data}


def processing(document: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """The blocks of a processing configuration, whose old names the shapes know."""
    inner = block(document, "processing_config", notes)
    trimming = {**block(inner, "trimming", notes), **block(document, "trimming", notes)}
    speech = {**block(inner, "transcription", notes), **block(document, "transcription", notes)}
    paddings = [trimming.pop(f"padding_{side}", None) for side in ("before", "after")]
    numbers = [each for each in paddings if isinstance(each, int | float)]
    if numbers:
        trimming["padding"] = max(numbers)
        if min(numbers) != max(numbers):
            notes.say("padding is the longer of the two", f"{max(numbers)} s")
    drop(trimming, "trimming", ("audio_detection",), notes)
    speech.setdefault("granularity", speech.get("topic_mode"))
    unknown = ("topic_mode", "temperature", "subtitle_formats", "translation_language")
    drop(speech, "transcription", (*unknown, "enable_translation"), notes)
    kept = {"trimming": trimming, "transcription": speech}
    video = {**block(inner, "video", notes), **block(document, "video", notes)}
    return {key: value for key, value in (kept | {"video": video}).items() if value}


def work(stored: Mapping[str, Any], notes: Notes) -> dict[str, Any]:
    """A whole document of that kind; what is no such block is for its shape to judge."""
    document = {**block(stored, "processing_config", Notes()), **stored}
    document.pop("processing_config", None)
    return document | processing(stored, notes)


def text_variables(metadata: dict[str, Any], notes: Notes) -> None:
    """Put the old variables of text templates in today's words."""
    form = metadata.pop("date_format", None) or DATE_FORMAT
    for name in ("title_template", "description_template"):
        text = metadata.get(name)
        if isinstance(text, str):
            found = _TOPIC.sub("{themes}", _DATE.sub(f"{{record_time:{form}}}", text))
            if found != text:
                notes.say(f"`{name}` has today's variables", f"“{text}” is “{found}”")
            metadata[name] = found
    display = metadata.get("topics_display")
    if isinstance(display, Mapping):
        metadata["topics_display"] = shown = dict(display)
        drop(shown, "topics_display", ("enabled", "display_location"), notes)


def _metadata(
    document: Mapping[str, Any], upload: dict[str, Any], notes: Notes
) -> dict[str, Any] | None:
    metadata = block(document, "metadata", notes)
    platforms = block(document, "platforms", notes)
    text_variables(metadata, notes)
    if "upload_captions" in upload:
        metadata["upload_captions"] = upload.pop("upload_captions")
    youtube = block(platforms, "youtube", notes)
    vk = block(platforms, "vk_video", notes) or block(platforms, "vk", notes)
    for name, platform in (("youtube", youtube), ("vk_video", vk)):
        drop(platform, f"platforms.{name}", ("enabled",), notes)
    if "default_privacy" in youtube:
        youtube["privacy"] = youtube.pop("default_privacy")
    if "default_privacy" in vk:
        vk["privacy_view"] = vk.pop("default_privacy")
    for name in ("privacy_view", "privacy_comment"):
        if isinstance(vk.get(name), str) and vk[name].isdigit():
            vk[name] = int(vk[name])
    category = metadata.pop("category", None)
    if category is not None:
        youtube["category_id"] = str(category)
    blocks = {"youtube": youtube, "vk": vk}
    return metadata | {key: value for key, value in blocks.items() if value} or None


def _upload(upload: dict[str, Any], references: References, notes: Notes) -> dict[str, Any] | None:
    presets = upload.pop("default_preset_ids", None)
    chosen = list(presets.values()) if isinstance(presets, Mapping) else presets
    if isinstance(chosen, list) and chosen:
        upload["preset_ids"] = references.find_all("output_presets", chosen, notes)
    drop(upload, "upload", ("default_platforms",), notes)
    return upload or None


def _retention(document: Mapping[str, Any], notes: Notes) -> dict[str, Any] | None:
    """Both old stretches of days together lay between a deletion and the end of the files."""
    old = block(document, "retention", notes)
    if not old:
        return None
    days: dict[str, Any] = {}
    if "auto_expire_days" in old:
        days["expire_after_days"] = old.pop("auto_expire_days")
    stretches = [old.pop(name, None) for name in ("soft_delete_days", "hard_delete_days")]
    numbers = [each for each in stretches if isinstance(each, int)]
    if numbers:
        days["restore_days"] = sum(numbers)
        notes.say("one stretch of days to restore in", f"{' + '.join(map(str, numbers))} days")
    return {"retention": days | old}
