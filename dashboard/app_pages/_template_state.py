"""A template while somebody changes it: what was loaded, and what is typed, saved nowhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from dashboard.fields import Document, told_apart
from dashboard.owners import Owner
from dashboard.session import Me
from dashboard.texts import t
from leap_pipeline.db.repositories.catalogue import Presets, Sources, Templates
from leap_pipeline.domain.layers import Resolved
from leap_pipeline.domain.shapes.registry import validate_column
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError, NotFound
from leap_pipeline.services.configuration import UnsavedTemplate, load_defaults
from leap_pipeline.services.template_documents import (
    BLOCKS,
    NOTHING,
    TABLE,
    after_recording,
    documents_of,
)
from leap_pipeline.services.thumbnails import list_thumbnails

STATE = "template_editor"
ACTIVE, OFF, DRAFT = "active", "off", "draft"
RULES, PROCESSING, METADATA, OUTPUT = BLOCKS


@dataclass(frozen=True)
class Choices:
    """What a template can name, and what holds by block and path where it says nothing."""

    sources: Mapping[int, str]
    presets: Mapping[Platform, Mapping[int, str]]
    pictures: tuple[str, ...]
    inherited: Mapping[str, Mapping[str, Any]]


@dataclass
class Editing:
    """`seen_at` is the `updated_at` of the loaded row; `key` begins the keys of widgets."""

    subject: tuple[str, ...]
    key: str
    owner: Owner
    template_id: int | None
    seen_at: datetime | None
    name: str
    description: str
    state: str
    documents: dict[str, Document]
    choices: Choices
    differences: tuple[tuple[str, str], ...] = ()
    rounds: dict[str, int] = field(default_factory=dict)
    """How often a block was taken over from JSON: its fields are new ones then."""
    saved: Mapping[str, Document] = field(default_factory=dict)
    stale: bool = False
    found: tuple[Any, ...] | None = None
    """The last look at what its rules take: when, for what, and what it was."""

    def key_of(self, block: str) -> str:
        return f"{self.key}:{block}:{self.rounds.get(block, 0)}"

    def take(self, block: str, document: Document) -> None:
        self.documents[block] = document
        self.rounds[block] = self.rounds.get(block, 0) + 1


@dataclass(frozen=True)
class Typed:
    """What the form says at this moment; `problems` by the block that cannot be saved so."""

    name: str
    description: str
    state: str
    documents: Mapping[str, Document]
    problems: Mapping[str, str]

    @property
    def values(self) -> dict[str, Any]:
        """As the columns have it."""
        return {
            "name": self.name.strip(),
            "description": self.description.strip() or None,
            "is_active": self.state != OFF,
            "is_draft": self.state == DRAFT,
            **self.documents,
        }

    def unsaved(self, template_id: int | None) -> UnsavedTemplate:
        documents = self.documents
        return UnsavedTemplate(
            template_id, self.name, *(documents[each] for each in (PROCESSING, METADATA, OUTPUT))
        )


def problems_in(documents: Mapping[str, Document]) -> dict[str, str]:
    """Sentences by block."""
    found: dict[str, str] = {}
    for block, document in documents.items():
        try:
            validate_column(TABLE, block, document)
        except InputError as error:
            found[block] = str(error)
    return found


def current(me: Me, owner: Owner, asked: Mapping[str, str]) -> Editing:
    """What is being changed on this page; loaded anew for another template, or after an absence.

    `asked` names one of `id`, `copy` and `recording`, or nothing for an empty one. Raises
    `NotFound` where there is no such row.
    """
    subject = (owner.id, *(f"{name}={text}" for name, text in sorted(asked.items())))
    editing = st.session_state.get(STATE)
    if (
        isinstance(editing, Editing)
        and editing.subject == subject
        # Streamlit forgets the widgets of a page that is left.
        and f"{editing.key}:name" in st.session_state
    ):
        return editing
    with me.tenant(owner.id) as session:
        editing = _loaded(session, me, owner, subject, asked)
    st.session_state[STATE] = editing
    return editing


def forget() -> None:
    """Load it anew at the next rerun."""
    st.session_state.pop(STATE, None)


def _loaded(
    session: Session, me: Me, owner: Owner, subject: tuple[str, ...], asked: Mapping[str, str]
) -> Editing:
    number = st.session_state.get("template_round", 0) + 1
    st.session_state["template_round"] = number
    choices = _choices(session, me, owner)
    editing = Editing(subject, f"t{number}", owner, None, None, "", "", ACTIVE, {}, choices)
    if "id" in asked or "copy" in asked:
        row = Templates(session).require(number_of(asked.get("id") or asked["copy"], "template"))
        found, name = documents_of(row), row.name
        editing = replace(editing, description=row.description or "")
        if "copy" in asked:
            editing = replace(editing, name=t("{name} (copy)", name=name), state=DRAFT)
        else:
            is_off = OFF if row.is_active is False else ACTIVE
            editing = replace(
                editing,
                name=name,
                state=DRAFT if row.is_draft else is_off,
                template_id=row.id,
                seen_at=row.updated_at,
            )
    elif "recording" in asked:
        name, found = after_recording(session, number_of(asked["recording"], "recording"))
        editing = replace(editing, name=name, state=DRAFT)
    else:
        found = NOTHING
    documents = {block: dict(getattr(found, block)) for block in BLOCKS}
    saved = documents if editing.template_id is not None else {}
    return replace(editing, documents=dict(documents), saved=saved, differences=found.differences)


def number_of(text: str, thing: str) -> int:
    """A key in an address; raises `NotFound` for what is none."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        msg = f"There is no {thing} {text:.40}."
        raise NotFound(msg)
    return int(text)


def _choices(session: Session, me: Me, owner: Owner) -> Choices:
    presets: dict[Platform, dict[int, str]] = {}
    for row in Presets(session).all():
        name = row.name if row.is_active is not False else t("{name} (off)", name=row.name)
        presets.setdefault(Platform(row.platform), {})[row.id] = name
    return Choices(
        told_apart({row.id: row.name for row in Sources(session).all()}),
        {platform: told_apart(names) for platform, names in presets.items()},
        tuple(each.name for each in list_thumbnails(session, me.console.storage, owner.id)),
        dict(inherited(session, owner)),
    )


def inherited(session: Session, owner: Owner) -> Iterator[tuple[str, dict[str, Any]]]:
    """By block what holds without a template; nothing where the owner's defaults are wrong."""
    found = load_defaults(session, owner.id)
    texts = _values(lambda: found.metadata(Platform.YOUTUBE))
    for platform in Platform:
        own = _values(lambda platform=platform: found.metadata(platform))  # type: ignore[misc]
        texts |= {f"{platform.lower()}.{path}": value for path, value in own.items()}
    yield METADATA, texts
    yield PROCESSING, _values(found.processing)
    yield OUTPUT, _values(found.output)


def _values(resolve: Callable[[], Resolved[Any]]) -> dict[str, Any]:
    with suppress(InputError):
        return {said.path: said.value for said in resolve().values()}
    return {}
