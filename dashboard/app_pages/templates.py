"""The templates, in the order in which they are tried on a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.app_pages import _template_dialogs as dialogs
from dashboard.app_pages._template_preview import LIST
from dashboard.app_pages._template_verdicts import verdicts
from dashboard.live import live
from dashboard.owners import Owner, choose_owner, owner_of, visit
from dashboard.session import Me
from dashboard.tables import moments
from dashboard.texts import t
from dashboard.words import html
from leap_pipeline.db.models.templates import RecordingTemplate
from leap_pipeline.db.repositories.catalogue import Templates
from leap_pipeline.domain.permissions import Permission
from leap_pipeline.services.catalogue import in_tried_order
from leap_pipeline.services.matching import explain_name
from leap_pipeline.services.template_use import TemplateUse, template_uses

REFRESH_SECONDS = 10
COLORS = ["green", "gray", "orange"]


def show(me: Me) -> None:
    owner = owner_of(me)
    st.title(t("Templates"))
    choose_owner(me, owner, "templates")
    if me.may(Permission.CREATE_TEMPLATES):
        _new(me, owner)
    _list(owner)
    _try_a_name(me, owner)


def _new(me: Me, owner: Owner) -> None:
    row = st.container(horizontal=True)
    if row.button(t("New template"), key="new", type="primary"):
        visit(me, owner, "template")
    if row.button(t("After a recording"), key="after"):
        dialogs.after_recording(owner)


@live(REFRESH_SECONDS)
def _list(me: Me, owner: Owner) -> None:
    with me.tenant(owner.id) as session:
        rows = in_tried_order(Templates(session).all())
        uses = template_uses(session, owner.id)
    if not rows:
        st.info(
            t(
                "There is no template yet. A template takes recordings by their names, and says "
                "how they are processed and what is published of them."
            )
        )
        return
    may = me.may(Permission.CREATE_TEMPLATES)
    table = st.dataframe(
        _columns(rows, uses),
        hide_index=True,
        # Of these rows: a click on older ones opens none of their neighbours.
        key=f"templates:{hash(tuple(row.id for row in rows))}",
        on_select="rerun",
        selection_mode="single-cell",
        row_height=40,
        height="content",
        alt=t("Templates"),
        column_config={
            "order": st.column_config.NumberColumn(t("Tried"), width="small"),
            "name": st.column_config.TextColumn(t("Name"), width="medium", pinned=True),
            "state": st.column_config.MultiselectColumn(
                t("State"), options=[t("Active"), t("Switched off"), t("Draft")], color=COLORS
            ),
            "rules": st.column_config.TextColumn(t("Takes"), width="medium"),
            "matched": st.column_config.NumberColumn(t("Recordings")),
            "processed": st.column_config.NumberColumn(t("Processed")),
            "failed": st.column_config.NumberColumn(t("Failed")),
            "published": st.column_config.NumberColumn(t("Published")),
            "last": moments(t("Last used")),
            "jobs": st.column_config.TextColumn(t("Automations")),
            "description": st.column_config.TextColumn(t("Description")),
        },
    )
    cells = table["selection"]["cells"] if may else []
    if cells and 0 <= cells[0][0] < len(rows):
        visit(me, owner, "template", id=str(rows[cells[0][0]].id))
    st.caption(
        t("A recording gets the first that fits, from the top. Click on one to open it.")
        if may
        else t("A recording gets the first that fits, from the top.")
    )


def _columns(
    rows: Sequence[RecordingTemplate], uses: Mapping[int, TemplateUse]
) -> dict[str, list[Any]]:
    """Columns of a table, in the order of the rows."""
    used = [uses.get(row.id, TemplateUse()) for row in rows]
    live_ones = [row.id for row in rows if _state(row) == t("Active")]
    return {
        "order": [live_ones.index(row.id) + 1 if row.id in live_ones else None for row in rows],
        "name": [row.name for row in rows],
        "state": [[_state(row)] for row in rows],
        "rules": [_takes(row.matching_rules) for row in rows],
        "matched": [each.matched for each in used],
        "processed": [each.processed for each in used],
        "failed": [each.failed for each in used],
        "published": [each.published for each in used],
        "last": [each.last_used for each in used],
        "jobs": [", ".join(each.automations) for each in used],
        "description": [row.description or "" for row in rows],
    }


def _state(row: RecordingTemplate) -> str:
    if row.is_draft:
        return t("Draft")
    return t("Switched off") if row.is_active is False else t("Active")


def _takes(rules: object) -> str:
    """The texts of the rules that take something."""
    if not isinstance(rules, Mapping):
        return ""
    lists = (rules.get(name) for name in ("exact_matches", "keywords", "patterns"))
    return ", ".join(str(each) for found in lists if isinstance(found, list) for each in found)


def _try_a_name(me: Me, owner: Owner) -> None:
    with st.expander(t("Which template takes a name?")):
        name = st.text_input(
            t("A recording's name"),
            key="try_name",
            max_chars=500,
            label_visibility="collapsed",
            placeholder=t("A recording's name"),
        )
        if not name or not name.strip():
            return
        with me.tenant(owner.id) as session:
            told = explain_name(session, owner.id, name)
        if told.winner is None:
            st.write(t("None takes it."))
        st.html(
            f'<ul style="{LIST}">{"".join(verdicts(told, "", 0))}</ul>'
            if told.verdicts
            else f"<p>{html(t('There is no template yet.'))}</p>"
        )
