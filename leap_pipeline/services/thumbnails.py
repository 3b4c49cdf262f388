"""Thumbnails: each user's own pictures, and the shared ones where there is no own one of a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Text, cast, delete, func, literal, select, union_all
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, JSONPATH, insert
from sqlalchemy.orm import InstrumentedAttribute, Session
from ulid import ULID

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.runs import StoredObject
from leap_pipeline.db.models.templates import OutputPreset, RecordingTemplate
from leap_pipeline.db.models.users import BaseConfig, User, UserConfig
from leap_pipeline.errors import InputError, NotFound, UserActionError
from leap_pipeline.media.default_thumbnails import default_thumbnails
from leap_pipeline.media.thumbnails import thumbnail
from leap_pipeline.services.audit import Actor, record
from leap_pipeline.services.quotas import lock_usage, refresh_storage, require_storage
from leap_pipeline.storage.local import LocalStorage
from leap_pipeline.storage.thumbnails import (
    own_path,
    safe_name,
    seed_shared,
    shared_names,
    shared_path,
)

KIND = "thumbnail"
SUBJECT = "thumbnail"
NAMED = cast("$.**.thumbnail_name", JSONPATH)
NAMING = cast("$.**.thumbnail_name ? (@ == $name)", JSONPATH)
"""A block that names a picture, wherever in a document: older rows have it elsewhere than newer."""
MOST_TOLD = 5
WHO: Mapping[InstrumentedAttribute[Any], tuple[str, InstrumentedAttribute[Any]]] = {
    RecordingTemplate.metadata_config: ("the template “{}”", RecordingTemplate.name),
    OutputPreset.preset_metadata: ("the preset “{}”", OutputPreset.name),
    UserConfig.metadata_config: ("the user's defaults", UserConfig.id),
    BaseConfig.config_data: ("the base configuration “{}”", BaseConfig.name),
    Recording.processing_preferences: ("recording {}", Recording.id),
}
"""The columns that may name a picture, and how their rows are told."""


@dataclass(frozen=True)
class Thumbnail:
    """A picture that a template or a preset can name; `path` relative to the storage root.

    `bytes` is None for a shared one, which counts for nobody.
    """

    name: str
    path: str
    bytes: int | None = None
    updated_at: datetime | None = None

    @property
    def is_shared(self) -> bool:
        return self.bytes is None


def list_thumbnails(session: Session, storage: LocalStorage, user_id: str) -> list[Thumbnail]:
    """The user's own by name, then the shared ones that no own one of the name hides."""
    own = [
        Thumbnail(row.path.rpartition("/")[2], row.path, row.bytes, row.updated_at)
        for row in session.scalars(
            select(StoredObject).where(*_own(user_id)).order_by(StoredObject.path)
        )
    ]
    seed_shared(storage, default_thumbnails)
    hidden = {each.name for each in own}
    shared = (name for name in shared_names(storage) if name not in hidden)
    return own + [Thumbnail(each, shared_path(storage, each) or "") for each in shared]


def find_thumbnail(session: Session, storage: LocalStorage, user_id: str, name: str) -> str | None:
    """Where the picture of that name lies, the user's own before a shared one; None: nowhere."""
    seed_shared(storage, default_thumbnails)
    path = own_path(_slug(session, user_id), name)
    stored = session.scalar(select(StoredObject.id).where(*_own(user_id, path)))
    if stored is not None and storage.path(path).is_file():
        return path
    return shared_path(storage, name)


def add_thumbnail(
    database: Database,
    storage: LocalStorage,
    user_id: str,
    name: str,
    content: bytes,
    *,
    actor: Actor,
    at: datetime,
    replace: bool = False,
) -> Thumbnail:
    """Take a picture over, drawn anew as a thumbnail; `replace` one of that name, or refuse.

    Raises `InputError` for what is no usable picture or has no safe name, `QuotaExceeded` where the
    storage is full. `at` says which month counts it.
    """
    name = safe_name(name)
    drawn = thumbnail(content, name)
    with storage.scratch(f"thumbnail-{ULID()}") as folder:
        made = folder / "picture"
        made.write_bytes(drawn)
        storage.settle(made)
        with database.tenant(user_id) as session:
            return _store(session, storage, user_id, name, made, actor, at, replace=replace)


def _store(
    session: Session,
    storage: LocalStorage,
    user_id: str,
    name: str,
    made: Path,
    actor: Actor,
    at: datetime,
    *,
    replace: bool,
) -> Thumbnail:
    path = own_path(_slug(session, user_id), name)
    lock_usage(session, user_id, at)  # of two at once of one name, the second finds the first
    known = session.scalar(select(StoredObject.bytes).where(*_own(user_id, path)))
    if known is not None and not replace:
        msg = f"There is a picture {name} already: replace it, or choose another name."
        raise InputError(msg)
    more = made.stat().st_size - (known or 0)
    if more > 0:
        require_storage(session, user_id, more, at)
    size = _put(session, storage, user_id, made, path)
    refresh_storage(session, user_id, at)
    was = None if known is None else {"bytes": known}
    now = {"bytes": size}
    record(session, actor, "thumbnail.add", SUBJECT, name, owner_id=user_id, before=was, after=now)
    return Thumbnail(name, path, size, at)


def delete_thumbnail(
    session: Session, storage: LocalStorage, user_id: str, name: str, *, actor: Actor, at: datetime
) -> None:
    """Delete one of the user's own pictures.

    Raises `NotFound` where there is none, `UserActionError` naming the templates, presets and the
    like that name it. The file goes first; should this die in between, doing it again ends it.
    """
    path = own_path(_slug(session, user_id), name)
    lock_usage(session, user_id, at)
    size = session.scalar(select(StoredObject.bytes).where(*_own(user_id, path)))
    if size is None:
        why = "is shared, and not yours to delete" if shared_path(storage, name) else "is not there"
        msg = f"The picture {name} {why}: `leap thumbnails list` shows which there are."
        raise NotFound(msg)
    if users := users_of_thumbnail(session, user_id, safe_name(name)):
        more = f" and {len(users) - MOST_TOLD} more" if len(users) > MOST_TOLD else ""
        msg = (
            f"The picture {name} is named by {', '.join(users[:MOST_TOLD])}{more}: "
            "choose another one there first."
        )
        raise UserActionError(msg)
    storage.remove(path)
    session.execute(delete(StoredObject).where(*_own(user_id, path)))
    refresh_storage(session, user_id, at)
    was = {"bytes": size}
    record(session, actor, "thumbnail.delete", SUBJECT, name, owner_id=user_id, before=was)


def users_of_thumbnail(session: Session, user_id: str, name: str) -> list[str]:
    """What of the user's names the picture: templates, presets, defaults, recordings."""
    told = []
    for column, (words, shown) in WHO.items():
        model = column.class_
        found = session.scalars(
            select(shown)
            .where(
                model.user_id == user_id,
                func.jsonb_path_exists(column, NAMING, cast({"name": name}, JSONB)),
            )
            .order_by(model.id)
        )
        told += [words.format(each) for each in found]
    return told


def uses_of_thumbnails(session: Session, user_id: str) -> dict[str, list[str]]:
    """As `users_of_thumbnail`, for all names at once: one statement."""
    queries = [
        select(
            func.jsonb_path_query(column, NAMED).op("#>>")(cast([], ARRAY(Text))).label("picture"),
            cast(shown, Text).label("shown"),
            literal(place).label("place"),
            column.class_.id.label("key"),
        ).where(column.class_.user_id == user_id, column.is_not(None))
        for place, (column, (_, shown)) in enumerate(WHO.items())
    ]
    words = [told for told, _ in WHO.values()]
    found: dict[str, list[str]] = {}
    for row in session.execute(union_all(*queries).order_by("place", "key")):
        if row.picture is None:
            continue
        told = words[row.place].format(row.shown)
        known = found.setdefault(row.picture, [])
        if told not in known:
            known.append(told)
    return found


def copy_defaults(session: Session, storage: LocalStorage, user: User) -> None:
    """Give a new user copies of the shared pictures, to keep or to replace."""
    seed_shared(storage, default_thumbnails)
    for name in shared_names(storage):
        content = storage.fetch(shared_path(storage, name) or "").read_bytes()
        with storage.scratch(f"thumbnail-{ULID()}") as folder:
            made = folder / "picture"
            made.write_bytes(content)
            storage.settle(made)
            _put(session, storage, user.id, made, own_path(user.user_slug, name))


def _put(session: Session, storage: LocalStorage, user_id: str, made: Path, path: str) -> int:
    """Put a scratch file in place, with its row; its bytes."""
    size = storage.put(made, path)
    session.execute(
        insert(StoredObject)
        .values(user_id=user_id, kind=KIND, path=path, bytes=size)
        .on_conflict_do_update(
            index_elements=[StoredObject.user_id, StoredObject.path],
            set_={"bytes": size, "updated_at": func.now()},
        )
    )
    return size


def _own(user_id: str, path: str | None = None) -> list[Any]:
    wanted = [StoredObject.user_id == user_id, StoredObject.kind == KIND]
    return wanted if path is None else [*wanted, StoredObject.path == path]


def _slug(session: Session, user_id: str) -> int:
    slug = session.scalar(select(User.user_slug).where(User.id == user_id))
    if slug is None:
        msg = f"There is no user {user_id}: look at the list of users."
        raise NotFound(msg)
    return slug
