"""The presets: with which account a platform is published to, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.app_pages import _preset_editor as editing
from dashboard.live import live
from dashboard.owners import Owner, choose_owner, owner_of, visit
from dashboard.session import Me
from dashboard.texts import t, when
from leap_pipeline.db.models.templates import OutputPreset, RecordingTemplate
from leap_pipeline.db.repositories.catalogue import Presets, Templates
from leap_pipeline.domain.states import Platform

REFRESH_SECONDS = 15


def show(me: Me) -> None:
    owner = owner_of(me)
    if "id" in st.query_params or "new" in st.query_params:
        editing.show(me, owner)
        return
    st.title(t("Presets"))
    choose_owner(me, owner, "presets")
    row = st.container(horizontal=True)
    for platform, title in (
        (Platform.YOUTUBE, t("New for YouTube")),
        (Platform.VK, t("New for VK")),
    ):
        if row.button(title, key=f"new_{platform}"):
            visit(me, owner, "presets", new=platform)
    _list(owner)


@live(REFRESH_SECONDS)
def _list(me: Me, owner: Owner) -> None:
    with me.tenant(owner.id) as session:
        rows = Presets(session).page(limit=editing.MOST).items
        templates = Templates(session).all()
        columns = _columns(rows, templates)
    if not rows:
        st.info(
            t(
                "There is no preset yet. A preset names an account at YouTube or VK and who may "
                "see what is published by it; templates name the presets that they publish by."
            )
        )
        return
    table = st.dataframe(
        columns,
        hide_index=True,
        # Of these rows: a click on older ones opens none of their neighbours.
        key=f"presets:{hash(tuple(row.id for row in rows))}",
        on_select="rerun",
        selection_mode="single-cell",
        row_height=40,
        height="content",
        alt=t("Presets"),
        column_config={
            "name": st.column_config.TextColumn(t("Name"), width="medium", pinned=True),
            "platform": st.column_config.TextColumn(t("Platform")),
            "account": st.column_config.TextColumn(t("Account"), width="medium"),
            "privacy": st.column_config.TextColumn(t("Who may see it")),
            "state": st.column_config.MultiselectColumn(
                t("State"), options=[t("Active"), t("Switched off")], color=["green", "gray"]
            ),
            "templates": st.column_config.TextColumn(t("Templates"), width="medium"),
            "changed": st.column_config.TextColumn(t("Changed")),
        },
    )
    cells = table["selection"]["cells"]
    if cells and 0 <= cells[0][0] < len(rows):
        visit(me, owner, "presets", id=str(rows[cells[0][0]].id))
    st.caption(t("Click on one to open it."))


def _columns(
    rows: Sequence[OutputPreset], templates: Sequence[RecordingTemplate]
) -> dict[str, list[Any]]:
    """Columns of a table, in the order of the rows."""
    return {
        "name": [row.name for row in rows],
        "platform": [editing.PLATFORMS.get(row.platform, row.platform) for row in rows],
        "account": [editing.account_name(row.credential) for row in rows],
        "privacy": [_privacy(row) for row in rows],
        "state": [[t("Switched off") if row.is_active is False else t("Active")] for row in rows],
        "templates": [
            ", ".join(
                each.name
                for each in templates
                if row.id in ((each.output_config or {}).get("preset_ids") or ())
            )
            for row in rows
        ],
        "changed": [when(row.updated_at) for row in rows],
    }


def _privacy(row: OutputPreset) -> str:
    said = row.preset_metadata or {}
    if row.platform == Platform.YOUTUBE:
        names: dict[Any, str] = {
            "private": t("Nobody else"),
            "unlisted": t("Who has the link"),
            "public": t("Everybody"),
        }
        return names.get(said.get("privacy"), t("As by default"))
    audience: dict[Any, str] = {0: t("Everybody"), 1: t("Friends"), 2: t("Nobody else")}
    return audience.get(said.get("privacy_view"), t("As by default"))
