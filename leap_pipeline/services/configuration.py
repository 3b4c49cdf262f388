"""The configuration of a recording from the rows that say something about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session, lazyload

from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.templates import OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import BaseConfig, UserConfig
from leap_pipeline.domain.config import (
    Configuration,
    Placed,
    Preset,
    configuration,
    of_base,
    of_recording,
    of_template,
    of_user,
)
from leap_pipeline.domain.layers import Origin, OriginKind
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError


@dataclass(frozen=True)
class UnsavedTemplate:
    """The documents of a template as somebody types them; `id` is None for a new one."""

    id: int | None
    name: str
    processing_config: object = None
    metadata_config: object = None
    output_config: object = None


def load_configuration(
    session: Session, recording_id: int, *, template: UnsavedTemplate | None = None
) -> Configuration:
    """Everything that is said about a recording, presets included: 3 statements at most.

    With a `template` as if the recording had that one, whichever it has. Raises `InputError` where
    there is no such recording, where what is said of the output is wrong, and where a platform has
    two presets.
    """
    placed = list(_placed(session, recording_id, template))
    chosen = configuration(placed).output().value.preset_ids
    return configuration(placed, _presets(session, recording_id, chosen) if chosen else ())


def load_processing(session: Session, recording_id: int) -> Configuration:
    """As `load_configuration`, without the presets: 2 statements."""
    return configuration(_placed(session, recording_id))


def load_defaults(session: Session, user_id: str) -> Configuration:
    """What holds for a user where neither template nor recording says otherwise: 2 statements."""
    own = session.scalars(select(UserConfig).where(UserConfig.user_id == user_id)).one_or_none()
    return configuration([*_bases(session, user_id), *_of_user(own)])


def _placed(session: Session, recording_id: int, unsaved: UnsavedTemplate | None = None) -> Placed:
    found = session.execute(
        select(Recording.user_id, Recording.processing_preferences, UserConfig, RecordingTemplate)
        .outerjoin(UserConfig, UserConfig.user_id == Recording.user_id)
        .outerjoin(
            RecordingTemplate,
            and_(
                RecordingTemplate.id == Recording.template_id,
                RecordingTemplate.user_id == Recording.user_id,
            ),
        )
        .where(Recording.id == recording_id)
        .options(lazyload("*"))
    ).one_or_none()
    if found is None:
        msg = f"There is no recording {recording_id}."
        raise InputError(msg)
    user_id, preferences, own, template = found
    yield from _bases(session, user_id)
    yield from _of_user(own)
    if unsaved is not None:
        template = unsaved
    if template is not None:
        yield from of_template(
            Origin(OriginKind.TEMPLATE, template.id, template.name if template.id else None),
            processing=template.processing_config,
            metadata=template.metadata_config,
            output=template.output_config,
        )
    yield from of_recording(Origin(OriginKind.RECORDING, recording_id), preferences)


def _of_user(own: UserConfig | None) -> Placed:
    if own is not None:
        yield from of_user(
            Origin(OriginKind.USER, own.id),
            processing=own.processing_config,
            transcription=own.transcription_config,
            metadata=own.metadata_config,
            upload=own.upload_config,
        )


def _bases(session: Session, user_id: str | None) -> Placed:
    rows = session.execute(
        select(
            BaseConfig.id,
            BaseConfig.name,
            BaseConfig.user_id,
            BaseConfig.config_type,
            BaseConfig.config_data,
        )
        .where(
            BaseConfig.is_active.is_(True),
            or_(BaseConfig.user_id.is_(None), BaseConfig.user_id == user_id),
        )
        .order_by(BaseConfig.user_id.is_not(None), BaseConfig.id)
    )
    for key, name, owner, config_type, data in rows:
        kind = OriginKind.GLOBAL_BASE if owner is None else OriginKind.USER_BASE
        yield from of_base(Origin(kind, key, name), config_type, data)


def _presets(session: Session, recording_id: int, chosen: tuple[int, ...]) -> Iterator[Preset]:
    rows = session.execute(
        select(
            OutputPreset.id, OutputPreset.name, OutputPreset.platform, OutputPreset.preset_metadata
        )
        .join(Recording, Recording.user_id == OutputPreset.user_id)
        .where(
            Recording.id == recording_id,
            OutputPreset.id.in_(chosen),
            OutputPreset.is_active.is_(True),
        )
        .order_by(OutputPreset.id)
    )
    for key, name, platform, metadata in rows:
        if platform in tuple(Platform):
            yield Preset(key, name, Platform(platform), metadata)
