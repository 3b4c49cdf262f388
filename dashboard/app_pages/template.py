"""One template: what it takes, what it does, and what would come of it."""

from __future__ import annotations

import streamlit as st

from dashboard.app_pages import _template_dialogs as dialogs
from dashboard.app_pages._template_editor import editor
from dashboard.app_pages._template_state import Editing, current
from dashboard.owners import Owner, owner_of, visit
from dashboard.session import Me
from dashboard.texts import ago, t, tn
from dashboard.words import plain
from leap_pipeline.services.template_use import TemplateUse, template_uses

ASKED = ("id", "copy", "recording")


def show(me: Me) -> None:
    owner = owner_of(me)
    asked = {name: st.query_params[name] for name in ASKED if name in st.query_params}
    if st.button(t("All templates"), key="back", type="tertiary"):
        visit(me, owner, "templates")
    editing = current(me, owner, asked)
    if editing.template_id is None:
        st.title(t("New template"))
    else:
        st.title(plain(editing.name))
        _head(me, owner, editing.template_id)
    _left_out(editing)
    editor()


def _head(me: Me, owner: Owner, template_id: int) -> None:
    with me.tenant(owner.id) as session:
        use = template_uses(session, owner.id).get(template_id, TemplateUse())
    st.caption(plain_facts(use))
    row = st.container(horizontal=True)
    if row.button(t("Look at the recordings again"), key="rematch"):
        dialogs.rematch(owner, template_id)
    if row.button(t("Copy"), key="copy"):
        visit(me, owner, "template", copy=str(template_id))
    if row.button(t("Delete"), key="delete"):
        dialogs.delete(owner, template_id)


def plain_facts(use: TemplateUse) -> str:
    """Its statistics in one line, for a place of Markdown."""
    facts = [
        tn("{n} recording", "{n} recordings", use.matched),
        t("{n} processed", n=use.processed),
        t("{n} failed", n=use.failed),
        t("{n} published", n=use.published),
        t("last used {when}", when=ago(use.last_used)) if use.last_used else t("never used"),
    ]
    if use.automations:
        facts.append(t("automations: {names}", names=plain(", ".join(use.automations))))
    return " · ".join(facts)


def _left_out(editing: Editing) -> None:
    if editing.differences:
        paths = ", ".join(path for path, _ in editing.differences[:5])
        st.warning(
            t(
                "Some of what is stored cannot be read and is left out when you save: {paths}.",
                paths=plain(paths),
            )
        )
