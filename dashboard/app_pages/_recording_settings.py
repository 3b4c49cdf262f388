"""What a recording is processed and published with, who says so, and what it has of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import streamlit as st

from dashboard import fields
from dashboard.app_pages import _template_fields as template_fields
from dashboard.app_pages._recording_parts import Subject, attempt
from dashboard.fields import Document, Field, Kind
from dashboard.session import Me
from dashboard.texts import mark, t
from dashboard.words import plain
from leap_pipeline.db.repositories.catalogue import Presets
from leap_pipeline.domain.config import Configuration
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.layers import OriginKind, Resolved, Said
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.shapes.registry import validate_column
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError
from leap_pipeline.services.configuration import load_configuration
from leap_pipeline.services.recording_edits import (
    COLUMN,
    TABLE,
    Overrides,
    inherited,
    load_overrides,
    save_overrides,
)
from leap_pipeline.services.recording_view import View
from leap_pipeline.services.thumbnails import list_thumbnails

METADATA, OUTPUT = "metadata_config", "output_config"
BEGUN = "settings_begun"
LAYERS: Mapping[OriginKind, str] = {
    OriginKind.DEFAULT: mark("default"),
    OriginKind.GLOBAL_BASE: mark("everybody's base"),
    OriginKind.USER_BASE: mark("own base"),
    OriginKind.USER: mark("own defaults"),
    OriginKind.PRESET: mark("preset"),
    OriginKind.TEMPLATE: mark("template"),
    OriginKind.RECORDING: mark("this recording"),
}


@dataclass(frozen=True)
class Begun:
    """The recording's own settings that were there when a person began to change them."""

    number: int
    document: Document

    @property
    def key(self) -> str:
        """Begins the keys of the fields."""
        stored = hashlib.sha256(fields.as_json(self.document).encode()).hexdigest()
        return f"own:{self.number}:{stored[:12]}"


def show_settings(me: Me, subject: Subject, view: View) -> None:
    found: Configuration | None = None
    with me.tenant(subject.owner_id) as session:
        own = load_overrides(session, subject.number)
        presets = {row.id: row.name for row in Presets(session).all()}
        pictures = [
            each.name for each in list_thumbnails(session, me.console.storage, subject.owner_id)
        ]
        problem = ""
        try:
            found = load_configuration(session, subject.number)
        except InputError as error:
            problem = str(error)
    if problem:
        st.error(plain(problem))
    for path, what in own.differences:
        st.warning(
            plain(t("What is stored at {path} is left out: it {what}.", path=path, what=what))
        )
    if view.state is DeleteState.ACTIVE:
        _own(me, subject, own)
        _form(me, subject, own, found, presets, pictures)
    if found is not None:
        _table(found)


def _own(me: Me, subject: Subject, own: Overrides) -> None:
    """What is set here, each with the way back to what is inherited."""
    said = list(_leaves(own.document))
    if not said:
        st.caption(
            t("Everything is inherited: from its template, the account's defaults and base.")
        )
        return
    for path, value in said:
        row = st.container(horizontal=True, vertical_alignment="center")
        row.text(f"{'.'.join(path)}: {_written(value)}")
        if row.button(t("Inherit"), key=f"reset:{'.'.join(path)}", type="tertiary"):
            _save(me, subject, own.document, _without(own.document, path))
    if len(said) > 1 and st.button(t("Inherit everything"), key="reset_all"):
        _save(me, subject, own.document, {})


def _form(
    me: Me,
    subject: Subject,
    own: Overrides,
    found: Configuration | None,
    presets: Mapping[int, str],
    pictures: list[str],
) -> None:
    below = dict(_inherited(inherited(found))) if found is not None else {}
    begun = _begun(subject, own.document)
    key = begun.key
    if begun.document != own.document:
        st.warning(t("Somebody else has changed these settings meanwhile."))
        if st.button(t("Load them, without what is written here"), key="load_settings"):
            _forget()
            st.rerun()
    with st.expander(t("Change settings of this recording")):
        with st.form("settings", border=False):
            document = begun.document
            for title, shown in _groups(presets, pictures):
                st.markdown(f"**{title}**")
                document = fields.draw(shown, document, key=key, inherited=below)
            wanted = st.form_submit_button(t("Save"), type="primary")
        if wanted:
            _save(me, subject, begun.document, document)
    taken = fields.json_editor(begun.document, key=key, check=_checked)
    if taken is not None:
        _save(me, subject, begun.document, taken)


def _begun(subject: Subject, stored: Document) -> Begun:
    """Stays as long as its fields are shown: what is written there and not sent is known to the
    browser alone, so what somebody else saves meanwhile must not take their place.
    """
    begun = st.session_state.get(BEGUN)
    if isinstance(begun, Begun) and begun.number == subject.number:
        first = template_fields.processing()[0]
        if f"{begun.key}:{first.path}" in st.session_state:
            return begun
    begun = st.session_state[BEGUN] = Begun(subject.number, stored)
    return begun


def _forget() -> None:
    st.session_state.pop(BEGUN, None)


def _groups(presets: Mapping[int, str], pictures: list[str]) -> Iterator[tuple[str, list[Field]]]:
    at = f"{METADATA}."
    yield t("Processing"), template_fields.processing()
    topics = [replace(each, path=f"{at}{each.path}") for each in template_fields.topics()]
    yield t("Title and texts"), [*template_fields.texts(pictures, at), *topics]
    for platform, name in PLATFORM_NAMES.items():
        block = f"{at}{platform.lower()}."
        yield (
            t("For {platform} alone", platform=name),
            [
                *template_fields.of_platform(platform, block),
                *template_fields.texts(pictures, block),
            ],
        )
    yield (
        t("Where to publish"),
        [
            Field(f"{OUTPUT}.preset_ids", t("Presets"), Kind.SEVERAL, presets),
            Field(f"{OUTPUT}.auto_upload", t("Publish without asking"), Kind.FLAG),
        ],
    )


def _checked(document: Any) -> Any:
    return validate_column(TABLE, COLUMN, document)


def _save(me: Me, subject: Subject, seen: Document, document: Mapping[str, Any]) -> None:
    """`seen` is what the person began with."""

    def act() -> str:
        with me.tenant(subject.owner_id) as session:
            save_overrides(session, subject.number, document, seen=seen, actor=me.actor)
        _forget()
        return t("Saved: it holds from the next run on.")

    attempt(act)


def _inherited(found: Configuration) -> Iterator[tuple[str, Any]]:
    """By path in the recording's own document what holds without it; what is said for all platforms
    at once only where they agree on it.
    """
    yield from ((each.path, each.value) for each in _values(found.processing))
    yield from ((f"{OUTPUT}.{each.path}", each.value) for each in _values(found.output))
    told: list[dict[str, Any]] = []
    for platform in Platform:
        said = {each.path: each.value for each in _values(partial(found.metadata, platform))}
        yield from ((f"{METADATA}.{platform.lower()}.{path}", said[path]) for path in said)
        told.append(said)
    first, *others = told
    for path, value in first.items():
        if all(path in each and each[path] == value for each in others):
            yield f"{METADATA}.{path}", value


def _values(resolve: Callable[[], Resolved[Any]]) -> tuple[Said, ...]:
    with suppress(InputError):
        return resolve().values()
    return ()


def _table(found: Configuration) -> None:
    """Every value that holds, with the row that says it."""
    st.subheader(t("What holds, and who says so"))
    blocks: list[tuple[str, Callable[[], Resolved[Any]]]] = [
        (t("Processing"), found.processing),
        (t("Output"), found.output),
        *((name, partial(found.metadata, platform)) for platform, name in PLATFORM_NAMES.items()),
    ]
    rows: list[tuple[str, str, str, str]] = []
    for title, resolve in blocks:
        try:
            said = resolve().values()
        except InputError as error:
            st.error(plain(str(error)))
            continue
        rows += [(title, each.path, _written(each.value), _layer(each)) for each in said]
    names = ("block", "path", "value", "layer")
    titles = (t("Block"), t("Setting"), t("Value"), t("Said by"))
    st.dataframe(
        {name: [row[at] for row in rows] for at, name in enumerate(names)},
        hide_index=True,
        key="resolved",
        column_config={
            name: st.column_config.TextColumn(title)
            for name, title in zip(names, titles, strict=True)
        },
    )


def _layer(said: Said) -> str:
    layer = t(LAYERS[said.origin.kind])
    return f"{layer} “{said.origin.name}”" if said.origin.name else layer


def _written(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value) or "—"
    if isinstance(value, bool):
        return t("On") if value else t("Off")
    return "—" if value is None else str(value)


def _leaves(document: Document, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in document.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*at, name))
        else:
            yield (*at, name), value


def _without(document: Document, path: tuple[str, ...]) -> Document:
    inner = document.get(path[0])
    if len(path) == 1 or not isinstance(inner, dict):
        return {name: value for name, value in document.items() if name != path[0]}
    return {**document, path[0]: _without(inner, path[1:])}
