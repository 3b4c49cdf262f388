"""The form of a template, with what it would come to beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from dashboard.app_pages import _template_fields as shown
from dashboard.app_pages._template_preview import preview
from dashboard.app_pages._template_state import (
    ACTIVE,
    DRAFT,
    METADATA,
    OFF,
    OUTPUT,
    PROCESSING,
    RULES,
    STATE,
    Editing,
    Typed,
    forget,
    problems_in,
)
from dashboard.fields import Document, Field, draw, json_editor
from dashboard.live import guarded, live
from dashboard.messages import say_later
from dashboard.owners import visit
from dashboard.session import Me
from dashboard.texts import t, tn
from dashboard.words import plain
from leap_pipeline.domain.shapes.registry import validate_column
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import StaleChange, UserActionError
from leap_pipeline.services.catalogue import create_template, update_template
from leap_pipeline.services.template_documents import TABLE


@live()
def editor(me: Me) -> None:
    """Reruns alone as something is typed; saves nothing but by its button."""
    editing: Editing = st.session_state[STATE]
    form, beside = st.columns([3, 2], gap="large")
    with form:
        bar = st.container()
        typed = _form(editing)
    # Saved before the preview, which may meet an error, or read long.
    with bar:
        _save(me, editing, typed)
    with beside, guarded():
        preview(me, editing, typed)


def _form(editing: Editing) -> Typed:
    name = st.text_input(t("Name"), editing.name, key=f"{editing.key}:name")
    states = {ACTIVE: t("Active"), OFF: t("Switched off"), DRAFT: t("Draft")}
    state = st.segmented_control(
        t("State"),
        list(states),
        default=editing.state,
        required=True,
        format_func=lambda each: states[each],
        key=f"{editing.key}:state",
        help=t("Only active templates take recordings. A draft waits until you activate it."),
    )
    description = st.text_input(
        t("Description"),
        editing.description,
        key=f"{editing.key}:description",
        placeholder=t("For yourself, shown in the list"),
    )
    tabs = st.tabs([t("Recordings"), t("Processing"), t("Texts"), t("Publishing")])
    documents: dict[str, Document] = {}
    with tabs[0]:
        documents[RULES] = _block(editing, RULES, shown.rules(editing.choices.sources))
    with tabs[1]:
        documents[PROCESSING] = _block(editing, PROCESSING, shown.processing())
    with tabs[2]:
        documents[METADATA] = _texts(editing)
    with tabs[3]:
        documents[OUTPUT] = _output(editing)
    return Typed(name or "", description or "", state or DRAFT, documents, problems_in(documents))


def _block(editing: Editing, block: str, fields: list[Field]) -> Document:
    document = draw(
        fields,
        editing.documents[block],
        key=editing.key_of(block),
        inherited=editing.choices.inherited.get(block, {}),
    )
    _as_json(editing, block, document)
    return document


def _texts(editing: Editing) -> Document:
    key, inherited = editing.key_of(METADATA), editing.choices.inherited.get(METADATA, {})
    pictures = editing.choices.pictures
    document = draw(
        [*shown.texts(pictures), *shown.topics()],
        editing.documents[METADATA],
        key=key,
        inherited=inherited,
    )
    for platform, title in (
        (Platform.YOUTUBE, t("For YouTube alone")),
        (Platform.VK, t("For VK alone")),
    ):
        at = f"{platform.lower()}."
        with st.expander(title):
            fields = [*shown.of_platform(platform, at), *shown.texts(pictures, at)]
            document = draw(fields, document, key=key, inherited=inherited)
    _as_json(editing, METADATA, document)
    return document


def _output(editing: Editing) -> Document:
    stored, presets = editing.documents[OUTPUT], editing.choices.presets
    split = _by_platform(stored, editing)
    if not presets:
        st.info(t("There is no preset yet: a preset says with which account a video is published."))
    found = draw(
        shown.output(presets),
        split,
        key=editing.key_of(OUTPUT),
        inherited=editing.choices.inherited.get(OUTPUT, {}),
    )
    document = _joined(found, stored)
    _as_json(editing, OUTPUT, document)
    return document


def _by_platform(document: Document, editing: Editing) -> Document:
    """The first preset of each platform by its name; the others stay in the list."""
    ids = list(document.get("preset_ids") or ())
    chosen: dict[str, int] = {}
    for platform, known in editing.choices.presets.items():
        first = next((each for each in ids if each in known), None)
        if first is not None:
            chosen[str(platform)] = first
            ids.remove(first)
    others = {key: value for key, value in document.items() if key != "preset_ids"}
    return {**others, "presets": chosen, "others": ids}


def _joined(found: Document, stored: Document) -> Document:
    ids = [*(found.pop("presets", None) or {}).values(), *(found.pop("others", None) or ())]
    before = stored.get("preset_ids")
    if before and sorted(before) == sorted(ids):
        ids = list(before)
    if ids or before == []:
        return {"preset_ids": ids, **found}
    return found


def _as_json(editing: Editing, block: str, document: Document) -> None:
    def check(found: Any) -> Any:
        return validate_column(TABLE, block, found)

    taken = json_editor(document, key=editing.key_of(block), check=check)
    if taken is not None:
        editing.take(block, taken)
        st.rerun()


def _save(me: Me, editing: Editing, typed: Typed) -> None:
    is_new = editing.template_id is None
    row = st.container(horizontal=True, vertical_alignment="center")
    wanted = row.button(
        t("Create") if is_new else t("Save"), type="primary", key=f"{editing.key}:save"
    )
    if _differs(editing, typed):
        row.caption(t("Not saved yet"))
    if wanted:
        _refused(lambda: _write(me, editing, typed), editing)
    else:
        for problem in typed.problems.values():
            st.warning(plain(problem))
    if editing.stale:
        st.error(t("Somebody else has changed this template meanwhile."))
        if st.button(t("Load it again, without what is typed here"), key=f"{editing.key}:again"):
            forget()
            st.rerun()


def _differs(editing: Editing, typed: Typed) -> bool:
    return (typed.name, typed.description, typed.state) != (
        editing.name,
        editing.description,
        editing.state,
    ) or dict(typed.documents) != editing.saved


def _refused(write: Callable[[], None], editing: Editing) -> None:
    """Say at the form why it cannot be saved; what is typed stays."""
    try:
        write()
    except StaleChange:
        editing.stale = True
    except UserActionError as error:
        st.error(plain(str(error)))


def _write(me: Me, editing: Editing, typed: Typed) -> None:
    if editing.template_id is None:
        with me.tenant(editing.owner.id) as session:
            row, changes = create_template(session, me.editor, **typed.values)
            number = row.id
        say_later(
            tn(
                "Created: it took {n} recording",
                "Created: it took {n} recordings",
                len(changes.mapped),
            )
        )
        visit(me, editing.owner, "template", id=str(number))
        return
    with me.tenant(editing.owner.id) as session:
        update_template(
            session,
            me.editor,
            editing.template_id,
            unchanged_since=editing.seen_at,
            **typed.values,
        )
    say_later(t("Saved"))
    forget()
    st.rerun()
