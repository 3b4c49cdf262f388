"""Templates, presets and sources as people change them: rights asked, rules kept, acts noted.

Deleting a preset takes it out of the lists that name it. A source that is deleted stays named in
rules and automations: there an empty list means “all sources”, and nothing may come to mean more
than its author said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.automation import AutomationJob
from leap_pipeline.db.models.templates import InputSource, OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import UserConfig, UserCredential
from leap_pipeline.db.repositories.base import Repository
from leap_pipeline.db.repositories.catalogue import Presets, Sources, Templates
from leap_pipeline.domain.config import Preset, one_a_platform
from leap_pipeline.domain.permissions import Permission, require
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError
from leap_pipeline.services import matching
from leap_pipeline.services.audit import record
from leap_pipeline.services.credential_rows import title_of
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.match_rows import lock_matching

Row = RecordingTemplate | OutputPreset | InputSource


def create_template(
    session: Session, editor: Editor, **values: Any
) -> tuple[RecordingTemplate, matching.Changes]:
    """A new template, and what of the unmapped recordings it took at once.

    Raises `InputError` for values that cannot be saved, `UserActionError` without the permission.
    """
    require(editor.rights, Permission.CREATE_TEMPLATES)
    _require_name(values, "template")
    templates = Templates(session)
    _require_one_preset_a_platform(session, values)
    row = templates.create(**values)
    changes = matching.template_created(session, templates.owner(), row.id)
    note_change(session, editor, "template.create", row, None, values)
    return row, changes


def update_template(
    session: Session,
    editor: Editor,
    template_id: int,
    *,
    unchanged_since: datetime | None = None,
    **values: Any,
) -> RecordingTemplate:
    """Change a template; its recordings stay mapped until somebody rematches it.

    One that comes to life (no longer a draft, switched on) takes unmapped recordings as a new one
    does. Raises as `create_template` does, and `StaleChange`.
    """
    require(editor.rights, Permission.CREATE_TEMPLATES)
    _require_name(values, "template")
    templates = Templates(session)
    _require_one_preset_a_platform(session, values)
    if {"is_active", "is_draft"} & values.keys():
        # Before the row, as all who match take them: in the other order two wait for each other.
        lock_matching(session, templates.owner(), shared=False)
    before = templates.require(template_id)
    was, was_live = _told(before, values), _is_live(before)
    row = templates.update(template_id, unchanged_since=unchanged_since, **values)
    if _is_live(row) and not was_live:
        matching.template_created(session, row.user_id, template_id)
    note_change(session, editor, "template.update", row, was, values)
    return row


def delete_template(session: Session, editor: Editor, template_id: int) -> tuple[int, ...]:
    """Delete a template with its automations; the recordings that it had are unmapped."""
    require(editor.rights, Permission.CREATE_TEMPLATES)
    templates = Templates(session)
    row = templates.require(template_id)
    unmapped = matching.template_deleted(session, row.user_id, template_id)
    note_change(session, editor, "template.delete", row, {"name": row.name}, {})
    templates.delete(template_id)
    return unmapped


def rematch_template(session: Session, editor: Editor, template_id: int) -> matching.Changes:
    """Look at all recordings of the owner again for one template, as `matching.rematch` does."""
    require(editor.rights, Permission.CREATE_TEMPLATES)
    row = Templates(session).require(template_id)
    changes = matching.rematch(session, row.user_id, template_id)
    done = {"mapped": len(changes.mapped), "unmapped": len(changes.unmapped)}
    note_change(session, editor, "template.rematch", row, None, done)
    return changes


def create_preset(session: Session, editor: Editor, **values: Any) -> OutputPreset:
    """A new preset; `platform` is YOUTUBE or VK, and the account is one of that platform."""
    _require_name(values, "preset")
    _require_account(session, values.get("platform"), values)
    row: OutputPreset = _create(session, editor, Presets(session), "preset.create", values)
    return row


def update_preset(
    session: Session,
    editor: Editor,
    preset_id: int,
    *,
    unchanged_since: datetime | None = None,
    **values: Any,
) -> OutputPreset:
    """Change a preset; raises `StaleChange` where somebody else did meanwhile."""
    _require_name(values, "preset")
    platform = values.get("platform") or Presets(session).require(preset_id).platform
    _require_account(session, platform, values)
    seen = {"unchanged_since": unchanged_since}
    row: OutputPreset = _update(
        session, editor, Presets(session), "preset.update", preset_id, seen, values
    )
    return row


def delete_preset(session: Session, editor: Editor, preset_id: int) -> None:
    """Delete a preset; templates and defaults no longer name it."""
    presets = Presets(session)
    row = presets.require(preset_id)
    of_owner = RecordingTemplate.user_id == row.user_id
    for template in session.scalars(select(RecordingTemplate).where(of_owner).with_for_update()):
        template.output_config = _without_preset(template.output_config, preset_id)
    own = select(UserConfig).where(UserConfig.user_id == row.user_id).with_for_update()
    for defaults in session.scalars(own):
        defaults.upload_config = _without_preset(defaults.upload_config, preset_id)
    note_change(session, editor, "preset.delete", row, {"name": row.name}, {})
    presets.delete(preset_id)


def create_source(session: Session, editor: Editor, **values: Any) -> InputSource:
    """A new source; `source_type` is ZOOM or LOCAL_FILE."""
    _require_name({"name": None, **values}, "source")
    row: InputSource = _create(session, editor, Sources(session), "source.create", values)
    return row


def update_source(
    session: Session,
    editor: Editor,
    source_id: int,
    *,
    unchanged_since: datetime | None = None,
    unchanged: Mapping[str, Any] | None = None,
    **values: Any,
) -> InputSource:
    """Change a source; raises `StaleChange` where somebody else did meanwhile.

    Each sync moves `updated_at`, so a person's `unchanged` are the columns as they were seen.

    One that is to be read from another day, account or person on is read anew, and soon.
    """
    _require_name(values, "source")
    sources = Sources(session)
    was = _read_of(sources.require(source_id))
    seen = {"unchanged_since": unchanged_since, "unchanged": unchanged}
    row: InputSource = _update(session, editor, sources, "source.update", source_id, seen, values)
    if _read_of(row) != was:
        row.cursor = row.next_poll_at = row.last_error = None
        row.failures = 0
    return row


def delete_source(session: Session, editor: Editor, source_id: int) -> None:
    """Delete a source; its recordings stay."""
    sources = Sources(session)
    row = sources.require(source_id)
    note_change(session, editor, "source.delete", row, {"name": row.name}, {})
    sources.delete(source_id)


def _create(
    session: Session,
    editor: Editor,
    repository: Repository[Any],
    action: str,
    values: Mapping[str, Any],
) -> Any:
    row = repository.create(**values)
    note_change(session, editor, action, row, None, values)
    return row


def _update(
    session: Session,
    editor: Editor,
    repository: Repository[Any],
    action: str,
    key: int,
    seen: Mapping[str, Any],
    values: Mapping[str, Any],
) -> Any:
    was = _told(repository.require(key), values)
    row = repository.update(key, **seen, **values)
    note_change(session, editor, action, row, was, values)
    return row


def _require_one_preset_a_platform(session: Session, values: Mapping[str, Any]) -> None:
    """A recording has one target a platform, so a template has one preset of each."""
    ids = (values.get("output_config") or {}).get("preset_ids") or []
    if isinstance(ids, list):
        presets = Presets(session).get_by_ids(each for each in ids if isinstance(each, int))
        one_a_platform(Preset(row.id, row.name, Platform(row.platform)) for row in presets.values())


def _require_name(values: Mapping[str, Any], thing: str) -> None:
    if "name" in values and not str(values["name"] or "").strip():
        msg = f"A {thing} needs a name: give it one."
        raise InputError(msg)


def _require_account(session: Session, platform: str | None, values: Mapping[str, Any]) -> None:
    """A preset publishes by an account of its own platform."""
    if "credential_id" not in values:
        return
    if values["credential_id"] is None:
        msg = "A preset needs an account to publish with: choose one."
        raise InputError(msg)
    account = session.execute(
        select(UserCredential.platform, UserCredential.account_name).where(
            UserCredential.id == values["credential_id"]
        )
    ).one_or_none()
    if account is not None and account.platform != str(platform).lower():
        msg = (
            f"{title_of(*account)} cannot publish for a preset of {platform}: "
            f"choose a {str(platform).lower()} account."
        )
        raise InputError(msg)


def accounts_at(session: Session, platform: Platform) -> list[UserCredential]:
    """The owner's accounts that a preset of the platform can name, by name."""
    return list(
        session.scalars(
            select(UserCredential)
            .where(
                UserCredential.user_id == Presets(session).owner(),
                UserCredential.platform == platform.lower(),
            )
            .order_by(UserCredential.account_name, UserCredential.id)
        )
    )


def in_tried_order(rows: Iterable[RecordingTemplate]) -> list[RecordingTemplate]:
    """Live templates as they are tried on a recording, the oldest first; then the others."""
    first = datetime.min.replace(tzinfo=UTC)
    return sorted(rows, key=lambda row: (not _is_live(row), row.created_at or first, row.id))


def templates_with_preset(session: Session, preset_id: int) -> list[str]:
    """Names of the owner's templates that publish by a preset."""
    return [
        row.name
        for row in Templates(session).all()
        if preset_id in ((row.output_config or {}).get("preset_ids") or ())
    ]


def _is_live(template: RecordingTemplate) -> bool:
    return template.is_active is not False and not template.is_draft


def _without_preset(document: dict[str, Any] | None, preset_id: int) -> dict[str, Any] | None:
    named = (document or {}).get("preset_ids")
    if document is None or not isinstance(named, list) or preset_id not in named:
        return document
    return {**document, "preset_ids": [each for each in named if each != preset_id]}


def _read_of(source: InputSource) -> tuple[Any, ...]:
    """What is read of a source."""
    config = source.config or {}
    said = (config.get("user_id") or "me", config.get("sync_from_date"))
    return (source.credential_id, source.is_active, *said)


def _told(row: Row, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(row, name, None) for name in values}


def note_change(
    session: Session,
    editor: Editor,
    action: str,
    row: Row | AutomationJob,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
) -> None:
    """Put a change of an owner's row into the audit log; `action` begins with what the row is."""
    record(
        session,
        editor.actor,
        action,
        action.partition(".")[0],
        row.id,
        owner_id=row.user_id,
        before=before,
        after=after,
    )
