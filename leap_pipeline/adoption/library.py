"""What users configured: credentials, sources, presets and templates. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leap_pipeline.adoption.documents import block, fitted
from leap_pipeline.adoption.naming import Names
from leap_pipeline.adoption.outcome import Leave, Notes, Row
from leap_pipeline.adoption.references import References
from leap_pipeline.adoption.settings import text_variables, work
from leap_pipeline.domain.credentials import CredentialPlatform, parse_credential, reveal
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError

Values = dict[str, Any]
CREDENTIAL_PLATFORMS = {"vk_video": CredentialPlatform.VK}
ZOOM, LOCAL_FILE = "ZOOM", "LOCAL_FILE"
TEXT_LISTS = ("exact_matches", "keywords", "patterns", "exclude_keywords", "exclude_patterns")
STAMPS = ("created_at", "updated_at")


def credential(row: Row, opened: Values | None, names: Names, notes: Notes) -> Values:
    """A credential without its `encrypted_data`, and the document to encrypt as `document`.

    What cannot be opened or used keeps its row, so that what refers to it stays whole, but it is
    switched off. Raises Leave for a platform that LEAP does not know.
    """
    platform = CREDENTIAL_PLATFORMS.get(row["platform"], row["platform"])
    if platform not in tuple(CredentialPlatform):
        secret = "" if opened is not None else ", and it does not open with this secret"
        msg = f"LEAP knows no platform “{platform}”{secret}"
        raise Leave(msg)
    if platform != row["platform"]:
        notes.say("platform", f"{row['platform']} is {platform}")
    document, usable = _today(platform, opened, notes)
    return {
        "user_id": row["user_id"],
        "platform": platform,
        "account_name": _account(row["account_name"], platform, names, notes),
        "document": document,
        "is_active": row["is_active"] and usable,
        "last_used_at": row["last_used_at"],
    } | {name: row[name] for name in STAMPS}


def _today(platform: str, opened: Values | None, notes: Notes) -> tuple[Values, bool]:
    if opened is None:
        notes.say("switched off", "it does not open with this secret: connect the account again")
        return {}, False
    try:
        return reveal(parse_credential(platform, opened)), True
    except InputError as error:
        notes.say("switched off", f"its content is kept, but cannot be used ({error})")
        return opened, False


def _account(name: str | None, platform: str, names: Names, notes: Notes) -> str | None:
    """Of several without a name the first keeps none."""
    found = names.free(name or platform, notes, within=platform)
    return name if found == (name or platform) else found


def source(row: Row, references: References, names: Names, notes: Notes) -> Values:
    kind, description, active = row["source_type"], row["description"], row["is_active"]
    config = row["config"]
    if kind != ZOOM:
        kept = (
            f"{kind} {config['path']}" if isinstance(config, Mapping) and "path" in config else kind
        )
        notes.say("switched off", f"LEAP does not read from {kind}")
        description = "; ".join(each for each in (description, f"Was {kept}.") if each)
        kind, config, active = LOCAL_FILE, None, False
    credential_id = references.find("user_credentials", row["credential_id"], notes)
    return {
        "user_id": row["user_id"],
        "name": names.free(row["name"], notes, within=(kind, credential_id)),
        "description": description,
        "source_type": kind,
        "credential_id": credential_id,
        "config": fitted("input_sources", "config", config, notes, kind=kind),
        "is_active": active,
        "last_sync_at": row["last_sync_at"],
    } | {name: row[name] for name in STAMPS}


def preset(row: Row, references: References, names: Names, notes: Notes) -> Values:
    """Raises Leave for another platform, or where its credential was left."""
    platform = row["platform"].upper().removesuffix("_VIDEO")
    if platform not in tuple(Platform):
        msg = f"LEAP does not publish to “{row['platform']}”"
        raise Leave(msg)
    credential_id = references.find("user_credentials", row["credential_id"], notes)
    if credential_id is None:
        msg = "its credential was left, and a preset needs one"
        raise Leave(msg)
    metadata = row["preset_metadata"]
    if isinstance(metadata, Mapping):
        metadata = dict(metadata)
        text_variables(metadata, notes)
    return {
        "user_id": row["user_id"],
        "name": names.free(row["name"], notes),
        "description": row["description"],
        "platform": platform,
        "credential_id": credential_id,
        "preset_metadata": fitted(
            "output_presets", "preset_metadata", metadata, notes, kind=platform
        ),
        "is_active": row["is_active"],
    } | {name: row[name] for name in STAMPS}


def template(
    row: Row, references: References, platforms: Mapping[int, str], names: Names, notes: Notes
) -> Values:
    """`platforms` are those of the owner's presets here."""
    rules, narrow = _rules(row["matching_rules"], references, notes)
    if not narrow:
        notes.say("switched off", "with a rule less it could take recordings it should not")
    metadata = _metadata(row["metadata_config"], notes)
    config = row["processing_config"]
    return {
        "user_id": row["user_id"],
        "name": names.free(row["name"], notes),
        "description": row["description"],
        "matching_rules": rules,
        "processing_config": fitted(
            "recording_templates",
            "processing_config",
            work(config, notes) if isinstance(config, Mapping) else config,
            notes,
        ),
        "metadata_config": fitted("recording_templates", "metadata_config", metadata, notes),
        "output_config": output(row["output_config"], references, platforms, notes),
        "is_draft": row["is_draft"],
        "is_active": row["is_active"] and narrow,
    } | {name: row[name] for name in STAMPS}


def _metadata(stored: Any, notes: Notes) -> Any:
    if not isinstance(stored, Mapping):
        return stored
    metadata = {**block(stored, "common", notes), **stored}
    metadata.pop("common", None)
    text_variables(metadata, notes)
    return metadata


def output(
    stored: Any, references: References, platforms: Mapping[int, str], notes: Notes
) -> Values | None:
    """An `output_config` with the new ids of its presets, at most one a platform."""
    document = dict(stored) if isinstance(stored, Mapping) else stored
    if isinstance(document, dict) and isinstance(document.get("preset_ids"), list):
        found = references.find_all("output_presets", document["preset_ids"], notes)
        first = {platforms[each]: each for each in reversed(found)}
        if len(first) < len(found):
            notes.say("one preset a platform", "the first of each counts")
        document["preset_ids"] = [each for each in found if each in first.values()]
    quiet = Notes()
    fit = fitted("recording_templates", "output_config", document, quiet)
    notes.lines += [line for line in quiet.lines if "today's form" not in line]
    return fit


def _rules(stored: Any, references: References, notes: Notes) -> tuple[Values | None, bool]:
    """The rules, and whether they take no more recordings than they did."""
    if not isinstance(stored, Mapping):
        return fitted("recording_templates", "matching_rules", stored, notes), True
    document = dict(stored)
    for key in TEXT_LISTS:
        if isinstance(document.get(key), list):
            document[key] = _texts(key, document[key], notes)
    sources = document.get("source_ids")
    if isinstance(sources, list) and sources:
        document["source_ids"] = references.find_all("input_sources", sources, notes)
    found = fitted("recording_templates", "matching_rules", document, notes)
    return found, _still_narrow(stored, found or {})


def _texts(key: str, items: list[Any], notes: Notes) -> list[Any]:
    """Numbers as texts; what is neither is left to the shape, and blanks match nothing anyway."""
    found = []
    for item in items:
        if isinstance(item, int | float) and not isinstance(item, bool):
            notes.say(f"`matching_rules.{key}[…]` is a text now", f"{item} was a number")
            found.append(str(item))
        elif not (isinstance(item, str) and not item.strip()):
            found.append(item)
    return found


def _still_narrow(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Sources that are all gone would be "any source"; exclusions that are gone exclude nothing."""

    def count(document: Mapping[str, Any], key: str) -> int:
        value = document.get(key)
        said = value if isinstance(value, list) else []
        return len([each for each in said if str(each or "").strip()])

    if count(before, "source_ids") and not count(after, "source_ids"):
        return False
    guarded = ["exclude_keywords", "exclude_patterns"]
    if before.get("match_mode") == "all":
        guarded += ["exact_matches", "keywords", "patterns"]
    return all(count(after, key) >= count(before, key) for key in guarded)
