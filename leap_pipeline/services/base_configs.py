"""Global base configurations: what holds for all users who say nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from leap_pipeline.db.models.users import BaseConfig
from leap_pipeline.db.repositories.catalogue import BaseConfigs
from leap_pipeline.domain.permissions import Rights, require_admin
from leap_pipeline.domain.shapes.registry import KINDS
from leap_pipeline.errors import InputError
from leap_pipeline.services.audit import record
from leap_pipeline.services.credentials import Editor

CONFIG_TYPES = tuple(KINDS[("base_configs", "config_data")])
FIELDS = ("name", "description", "config_type", "config_data", "is_active")


def global_configs(session: Session, rights: Rights) -> list[BaseConfig]:
    """All of them, in the order in which they are merged; in the system's scope."""
    require_admin(rights)
    query = select(BaseConfig).where(BaseConfig.user_id.is_(None)).order_by(BaseConfig.id)
    return list(session.scalars(query))


def global_config(session: Session, rights: Rights, config_id: int) -> BaseConfig:
    """One of them; raises `NotFound`, also where it is a user's own."""
    require_admin(rights)
    configs = BaseConfigs(session)
    row = configs.require(config_id)
    if row.user_id is not None:
        raise configs.not_found(config_id)
    return row


def create_base_config(session: Session, editor: Editor, **values: Any) -> BaseConfig:
    """A new one. Raises `InputError` with the path of what its shape does not take."""
    require_admin(editor.rights)
    row = BaseConfigs(session).create(**_said(values))
    _note(session, editor, "base_config.create", row.id, None, values)
    return row


def update_base_config(
    session: Session,
    editor: Editor,
    config_id: int,
    *,
    unchanged_since: datetime | None = None,
    **values: Any,
) -> BaseConfig:
    """Change one; raises as `create_base_config`, `NotFound` and `StaleChange`."""
    row = global_config(session, editor.rights, config_id)
    said = _said(values)
    was = {name: getattr(row, name) for name in said}
    row = BaseConfigs(session).update(config_id, unchanged_since=unchanged_since, **said)
    changed = {name: getattr(row, name) for name in said if getattr(row, name) != was[name]}
    if changed:
        before = {name: was[name] for name in changed}
        _note(session, editor, "base_config.update", config_id, before, changed)
    return row


def delete_base_config(session: Session, editor: Editor, config_id: int) -> None:
    """Take one away; what it said no longer holds for the next run of anybody."""
    row = global_config(session, editor.rights, config_id)
    was = {name: getattr(row, name) for name in FIELDS}
    BaseConfigs(session).delete(config_id)
    _note(session, editor, "base_config.delete", config_id, was, None)


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    said = dict(values)
    if "name" in said:
        said["name"] = str(said["name"]).strip()
        if not said["name"]:
            msg = "A base configuration needs a name: give one."
            raise InputError(msg)
    if "config_type" in said and said["config_type"] not in CONFIG_TYPES:
        msg = f"A base configuration is of one of the kinds {', '.join(CONFIG_TYPES)}."
        raise InputError(msg)
    if "config_data" in said and not isinstance(said["config_data"], Mapping):
        msg = "A base configuration is a JSON object: write it in { }."
        raise InputError(msg)
    return said


def _note(
    session: Session,
    editor: Editor,
    action: str,
    config_id: int,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    record(
        session,
        editor.actor,
        action,
        "base_config",
        config_id,
        owner_id=None,
        before=before,
        after=after,
    )
