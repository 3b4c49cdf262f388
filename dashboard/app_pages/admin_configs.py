"""Base configurations that hold for all users, as JSON that their shapes check."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import streamlit as st

from dashboard.app_pages.admin_parts import done, system
from dashboard.live import dialog, guarded
from dashboard.session import Me
from dashboard.texts import mark, t
from dashboard.words import plain
from leap_pipeline.db.models.users import BaseConfig
from leap_pipeline.errors import InputError
from leap_pipeline.services.base_configs import (
    CONFIG_TYPES,
    create_base_config,
    delete_base_config,
    global_config,
    global_configs,
    update_base_config,
)

KINDS = {
    "processing": mark("Processing"),
    "transcription": mark("Transcription"),
    "metadata": mark("Title, description, tags"),
    "upload": mark("Publishing"),
}


def show(me: Me) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(t("Base configurations"))
        if st.button(t("New configuration"), type="primary", key="new_config"):
            _edit(None, None)
    st.caption(
        t(
            "They hold for every user who says nothing else: a user's own defaults, templates and "
            "recordings come after them. Of two that say the same, the later one counts."
        )
    )
    with system(me) as session:
        found = global_configs(session, me.rights)
    if not found:
        st.info(t("There is none: what LEAP has built in holds."))
    for row in found:
        _config(me, row)


def _config(me: Me, row: BaseConfig) -> None:
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(row.name)}**")
            st.badge(_kind(row.config_type), color="blue")
            if row.is_active:
                st.badge(t("On"), color="green")
            else:
                st.badge(t("Off"), color="gray")
        if row.description:
            st.caption(plain(row.description))
        # Colours of a language would be too pale on white.
        st.code(_json(row.config_data), language=None, wrap_lines=True)
        with st.container(horizontal=True), guarded():
            if st.button(t("Edit"), key=f"edit:{row.id}"):
                _edit(row.id, row.updated_at)
            switch = t("Switch off") if row.is_active else t("Switch on")
            if st.button(switch, key=f"switch:{row.id}"):
                with system(me) as session:
                    update_base_config(session, me.editor, row.id, is_active=not row.is_active)
                done(t("The configuration was switched."))
            if st.button(t("Delete…"), key=f"delete:{row.id}"):
                _delete(row.id)


@dialog(lambda: t("Base configuration"), width="large")
def _edit(me: Me, config_id: int | None, since: datetime | None) -> None:
    """`since`: when it was changed last, as it was when the dialog was opened."""
    row = None
    if config_id is not None:
        with system(me) as session:
            row = global_config(session, me.rights, config_id)
    with st.form(f"config:{config_id}", border=False):
        name = st.text_input(
            t("Name"), value=row.name if row else "", max_chars=255, key=f"name:{config_id}"
        )
        kind = st.selectbox(
            t("What it sets"),
            CONFIG_TYPES,
            index=CONFIG_TYPES.index(row.config_type)
            if row and row.config_type in CONFIG_TYPES
            else 0,
            format_func=_kind,
            key=f"kind:{config_id}",
        )
        description = st.text_input(
            t("Description"),
            value=(row.description if row else "") or "",
            max_chars=1000,
            key=f"description:{config_id}",
        )
        text = st.text_area(
            t("Values, as JSON"),
            value=_json(row.config_data) if row else "{}",
            height=260,
            key=f"json:{config_id}",
        )
        active = st.checkbox(
            t("On"), value=row is None or bool(row.is_active), key=f"on:{config_id}"
        )
        if not st.form_submit_button(t("Save"), type="primary"):
            return
        with guarded():
            _save(
                me,
                config_id,
                since,
                name=name,
                config_type=kind,
                description=description.strip() or None,
                config_data=_parsed(text),
                is_active=active,
            )
            done(t("The configuration was saved."))


def _save(me: Me, config_id: int | None, since: datetime | None, **values: Any) -> None:
    with system(me) as session:
        if config_id is None:
            create_base_config(session, me.editor, **values)
        else:
            update_base_config(session, me.editor, config_id, unchanged_since=since, **values)


@dialog(lambda: t("Delete a base configuration"))
def _delete(me: Me, config_id: int) -> None:
    with system(me) as session:
        row = global_config(session, me.rights, config_id)
    st.write(t("“{name}” no longer holds for the next run of anybody.", name=plain(row.name)))
    if st.button(t("Delete"), type="primary", key="really_delete"):
        with system(me) as session:
            delete_base_config(session, me.editor, config_id)
        done(t("The configuration was deleted."))


def _kind(name: str | None) -> str:
    return t(KINDS[name]) if name in KINDS else name or t("of no kind")


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        msg = f"The values are no JSON ({error}): correct them there."
        raise InputError(msg) from error
