"""What users say of themselves in `user_configs`: language, retention, and the defaults under
which their templates are merged. Within a tenant's transaction; every change is in the audit log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import SCOPE
from leap_pipeline.db.models.users import UserConfig
from leap_pipeline.db.repositories.base import Explained
from leap_pipeline.db.repositories.catalogue import Presets
from leap_pipeline.domain.config import Preset, one_a_platform
from leap_pipeline.domain.shapes.accounts import Preferences
from leap_pipeline.domain.shapes.registry import read_column, validate_column
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError, StaleChange
from leap_pipeline.services.audit import Actor, record

TABLE = "user_configs"
DEFAULTS = ("processing_config", "transcription_config", "metadata_config", "upload_config")
"""Columns of `user_configs` that stand under a template's."""


@dataclass(frozen=True)
class Own:
    """What a user has said: `preferences` whole, `defaults` by column, only what was said."""

    preferences: Preferences
    defaults: Mapping[str, Mapping[str, Any]]


def own_of(session: Session) -> Own:
    """What stands now; nothing where the user has said nothing yet."""
    row = session.scalars(select(UserConfig).where(UserConfig.user_id == _owner(session))).first()
    if row is None:
        return Own(Preferences(), {name: {} for name in DEFAULTS})
    found = read_column(TABLE, "preferences", row.preferences).value
    return Own(
        found if isinstance(found, Preferences) else Preferences(),
        {name: dict(getattr(row, name) or {}) for name in DEFAULTS},
    )


def set_language(session: Session, language: str | None, actor: Actor) -> None:
    """The console's language (en, ru); None: the browser's."""
    _prefer(session, "language", language, actor)


def set_retention(
    session: Session, expire_after_days: int | None, restore_days: int | None, actor: Actor
) -> None:
    """For recordings that come from now on, and for what is deleted from now on.

    None of `expire_after_days` is never, of `restore_days` the default. Raises `InputError`.
    """
    said = {"expire_after_days": expire_after_days, "restore_days": restore_days}
    _prefer(session, "retention", said, actor)


def set_defaults(
    session: Session,
    column: str,
    document: object,
    actor: Actor,
    *,
    unchanged: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """Replace one column's defaults; what is stored.

    Raises `InputError` with the path of what does not fit, or where two presets are of one
    platform; with `unchanged`, the document that was seen, `StaleChange` where it is another now.
    """
    if column not in DEFAULTS:
        msg = f"There are no defaults called {column}: use one of {', '.join(DEFAULTS)}."
        raise InputError(msg)
    checked: dict[str, Any] = validate_column(TABLE, column, document) or {}
    row = _locked(session)
    before: dict[str, Any] = getattr(row, column) or {}
    if unchanged is not None and before != dict(unchanged):
        msg = "These defaults were changed elsewhere meanwhile: load them again."
        raise StaleChange(msg)
    if checked == before:
        return before
    _require_one_preset_a_platform(session, checked)
    _write(session, row, column, checked)
    _note(session, actor, "user.set_defaults", {column: before}, {column: checked})
    return checked


def _prefer(session: Session, key: str, value: Any, actor: Actor) -> None:
    row = _locked(session)
    stored = dict(row.preferences or {})
    changed = validate_column(TABLE, "preferences", {**stored, key: value})
    if changed == stored:
        return
    _write(session, row, "preferences", changed)
    said = ({key: stored.get(key)}, {key: changed.get(key)})
    _note(session, actor, "user.set_preferences", *said)


def _locked(session: Session) -> UserConfig:
    """The user's row, made where there is none: older accounts may lack it."""
    owner = _owner(session)
    session.execute(insert(UserConfig).values(user_id=owner).on_conflict_do_nothing())
    return session.scalars(
        select(UserConfig)
        .where(UserConfig.user_id == owner)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _write(session: Session, row: UserConfig, column: str, value: Any) -> None:
    with Explained(session, "default"):
        setattr(row, column, value)
        session.flush()


def _require_one_preset_a_platform(session: Session, document: Mapping[str, Any]) -> None:
    found = Presets(session).get_by_ids(document.get("preset_ids", ()))
    one_a_platform(Preset(row.id, row.name, Platform(row.platform)) for row in found.values())


def _note(session: Session, actor: Actor, action: str, before: Any, after: Any) -> None:
    owner = _owner(session)
    record(session, actor, action, "user", owner, owner_id=owner, before=before, after=after)


def _owner(session: Session) -> str:
    owner: str = session.info[SCOPE]
    return owner
