"""The person's defaults: what holds where a template says nothing. The common keys as fields, all
of them as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from dashboard.app_pages import _template_fields as shown
from dashboard.fields import Document, Field, draw, json_editor
from dashboard.live import again, live
from dashboard.messages import say_later
from dashboard.session import Me
from dashboard.texts import mark, t
from dashboard.words import plain
from leap_pipeline.db.repositories.catalogue import Presets
from leap_pipeline.domain.config import Configuration
from leap_pipeline.domain.layers import OriginKind, Resolved
from leap_pipeline.domain.shapes.registry import validate_column
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError, StaleChange, UserActionError
from leap_pipeline.services.configuration import load_defaults
from leap_pipeline.services.preferences import TABLE, own_of, set_defaults
from leap_pipeline.services.thumbnails import list_thumbnails

STATE, BLOCK = "my_defaults", "defaults_block"
PROCESSING, TEXTS, PUBLISHING = "processing", "texts", "publishing"
BLOCKS = {
    PROCESSING: mark("Processing"),
    TEXTS: mark("Texts"),
    PUBLISHING: mark("Publishing"),
}
# The columns of each block, by the key under which the form has them; "" is the whole document.
COLUMNS: Mapping[str, Mapping[str, str]] = {
    PROCESSING: {"video": "processing_config", "transcription": "transcription_config"},
    TEXTS: {"": "metadata_config"},
    PUBLISHING: {"": "upload_config"},
}


@dataclass
class Editing:
    """A block while it is changed: `seen` are the columns as they were loaded."""

    key: str
    seen: Mapping[str, Mapping[str, Any]]
    document: Document
    presets: Mapping[Platform, Mapping[int, str]]
    pictures: tuple[str, ...]
    inherited: Mapping[str, Any]


def show_defaults(me: Me) -> None:
    if BLOCK not in st.session_state:  # Streamlit forgets the widgets of a page that is left
        st.session_state.pop(STATE, None)
    st.caption(t("They hold for each recording where its template says nothing else."))
    _editor()


@live()
def _editor(me: Me) -> None:
    block = st.segmented_control(
        t("Defaults of"),
        list(BLOCKS),
        default=PROCESSING,
        required=True,
        format_func=lambda name: t(BLOCKS[name]),
        key=BLOCK,
        label_visibility="collapsed",
    )
    block = block or PROCESSING
    editing = _current(me, block)
    bar = st.container()
    document = _fields(block, editing)
    taken = json_editor(document, key=editing.key, check=lambda found: _checked(block, found))
    if taken is not None:
        editing.document, editing.key = taken, _fresh_key(block)
        again()
    with bar:
        _save(me, block, editing, document)


def _current(me: Me, block: str) -> Editing:
    state: dict[str, Editing] = st.session_state.setdefault(STATE, {})
    if block not in state:
        with me.tenant() as session:
            state[block] = _loaded(me, session, block)
    return state[block]


def _loaded(me: Me, session: Session, block: str) -> Editing:
    stored = own_of(session).defaults
    columns = COLUMNS[block]
    seen = {column: stored[column] for column in columns.values()}
    whole = {key: dict(seen[column]) for key, column in columns.items() if seen[column]}
    presets: dict[Platform, dict[int, str]] = {}
    if block == PUBLISHING:
        for row in Presets(session).all():
            presets.setdefault(Platform(row.platform), {})[row.id] = f"{row.name} ({row.id})"
    pictures: tuple[str, ...] = ()
    if block == TEXTS:
        found = list_thumbnails(session, me.console.storage, me.user_id)
        pictures = tuple(each.name for each in found)
    return Editing(
        _fresh_key(block),
        seen,
        whole.get("", {}) if "" in columns else whole,
        presets,
        pictures,
        _inherited(load_defaults(session, me.user_id), block),
    )


def _fresh_key(block: str) -> str:
    """Other fields, where what they show was not typed into them."""
    number = int(st.session_state.get("my_defaults_round", 0)) + 1
    st.session_state["my_defaults_round"] = number
    return f"defaults:{block}:{number}"


def _inherited(found: Configuration, block: str) -> dict[str, Any]:
    """What holds by path where the person says nothing."""
    read: dict[str, Callable[[], Resolved[Any]]] = {
        PROCESSING: found.processing,
        TEXTS: lambda: found.metadata(Platform.YOUTUBE),
        PUBLISHING: found.output,
    }
    try:
        resolved = read[block]()
    except InputError:  # a stored row that does not fit: nothing is known then
        return {}
    return {
        each.path: each.value
        for each in resolved.values()
        if each.origin.kind is not OriginKind.USER
    }


def _fields(block: str, editing: Editing) -> Document:
    if block == PROCESSING:
        return _draw(shown.processing(), editing)
    if block == PUBLISHING:
        return _publishing(editing)
    pictures = editing.pictures
    document = _draw([*shown.texts(pictures), *shown.topics()], editing)
    for platform, title in (
        (Platform.YOUTUBE, t("For YouTube alone")),
        (Platform.VK, t("For VK alone")),
    ):
        with st.expander(title):
            fields = shown.of_platform(platform, f"{platform.lower()}.")
            document = draw(fields, document, key=editing.key, inherited={})
    return document


def _draw(fields: list[Field], editing: Editing) -> Document:
    return draw(fields, editing.document, key=editing.key, inherited=editing.inherited)


def _publishing(editing: Editing) -> Document:
    """The list of presets, as one choice a platform."""
    stored = editing.document
    ids = list(stored.get("preset_ids") or ())
    split: Document = {key: value for key, value in stored.items() if key != "preset_ids"}
    split["presets"] = {
        str(platform): next(each for each in ids if each in known)
        for platform, known in editing.presets.items()
        if any(each in known for each in ids)
    }
    if not editing.presets:
        st.info(t("There is no preset yet: a preset says with which account a video is published."))
    fields = shown.output(editing.presets)
    found = draw(fields, split, key=editing.key, inherited=editing.inherited)
    wanted = list((found.pop("presets", None) or {}).values())
    return {"preset_ids": wanted, **found} if wanted else found


def _checked(block: str, document: Any) -> Document:
    """The document as it is stored; raises `InputError` with the path of what does not fit."""
    columns = COLUMNS[block]
    if "" in columns:
        whole: Document = validate_column(TABLE, columns[""], document) or {}
        return whole
    parts = {
        key: validate_column(TABLE, column, _part(document, key, block))
        for key, column in columns.items()
    }
    return {key: value for key, value in parts.items() if value}


def _part(document: Any, key: str, block: str) -> Any:
    if not isinstance(document, Mapping):
        msg = "This must be an object in curly braces."
        raise InputError(msg)
    unknown = next((name for name in document if name not in COLUMNS[block]), None)
    if unknown is not None:
        msg = f"`{unknown:.60}` is not a known key; use {' and '.join(COLUMNS[block])}."
        raise InputError(msg)
    return document.get(key)


def _save(me: Me, block: str, editing: Editing, document: Document) -> None:
    columns = COLUMNS[block]
    said = {column: document.get(key, {}) if key else document for key, column in columns.items()}
    row = st.container(horizontal=True, vertical_alignment="center")
    wanted = row.button(t("Save"), type="primary", key=f"{editing.key}:save")
    if any(said[column] != editing.seen[column] for column in said):
        row.caption(t("Not saved yet"))
    if not wanted:
        return
    try:
        with me.tenant() as session:
            for column, value in said.items():
                set_defaults(session, column, value, me.actor, unchanged=editing.seen[column])
    except StaleChange as error:
        st.error(plain(str(error)))
        st.session_state.pop(STATE, None)
        st.button(t("Load them again"), key=f"{editing.key}:again")
        return
    except UserActionError as error:
        st.error(plain(str(error)))
        return
    st.session_state.pop(STATE, None)
    say_later(t("Saved: it holds from each recording's next run on"))
    st.rerun()
