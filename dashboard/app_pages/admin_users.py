"""The users: found, and made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.addressed import begun, tell
from dashboard.app_pages.admin_parts import (
    as_int,
    done,
    pager,
    place_in_list,
    system,
)
from dashboard.live import dialog, guarded
from dashboard.session import Me
from dashboard.tables import moments
from dashboard.texts import mark, t
from leap_pipeline.domain.permissions import Role
from leap_pipeline.services.administration import create_account
from leap_pipeline.services.directory import PeopleFilter, Person, people

ANY, ACTIVE, OFF, ADMINS = "all", "active", "off", "admins"
KINDS = {
    ANY: mark("All"),
    ACTIVE: mark("Active"),
    OFF: mark("Switched off"),
    ADMINS: mark("Admins"),
}
FILTERS = {
    ANY: PeopleFilter(),
    ACTIVE: PeopleFilter(active=True),
    OFF: PeopleFilter(active=False),
    ADMINS: PeopleFilter(role=Role.ADMIN),
}
OPENED = "opened_user"


def show(me: Me) -> None:
    made = st.session_state.pop(OPENED, None)
    if made:
        open_user(made)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(t("Users"))
        if st.button(t("New user"), type="primary", key="new_user"):
            _new()
    text, kind = _search()
    after = place_in_list("users", text, kind)
    wanted = PeopleFilter(text, FILTERS[kind].role, FILTERS[kind].active)
    with system(me) as session:
        found, following = people(session, me.rights, wanted, before=as_int(after))
    if not found:
        st.info(t("No user meets this."))
        return
    _table(found)
    pager(None if following is None else str(following))


def role_name(role: str) -> str:
    return t("Admin") if role == Role.ADMIN else t("User")


def _search() -> tuple[str, str]:
    text = st.text_input(
        t("Search"),
        key="q",
        type="search",
        placeholder=t("Part of an address or a name"),
        label_visibility="collapsed",
        bind="query-params",
        max_chars=200,
    )
    if begun("kind", ANY, str) not in KINDS:
        st.session_state["kind"] = ANY
    chosen = st.pills(
        t("Which users"),
        list(KINDS),
        required=True,
        format_func=lambda each: t(KINDS[each]),
        key="kind",
        label_visibility="collapsed",
    )
    kind = chosen if chosen in KINDS else ANY
    tell("kind", kind, ANY)
    return (text or "").replace("\0", ""), kind


def _table(found: Sequence[Person]) -> None:
    st.caption(t("Choose a line to open the user."))
    chosen: Any = st.dataframe(
        {
            "email": [each.email for each in found],
            "name": [each.full_name or "" for each in found],
            "role": [role_name(each.role) for each in found],
            "state": [_state(each) for each in found],
            "plan": [each.plan for each in found],
            "recordings": [each.recordings for each in found],
            "login": [each.last_login_at for each in found],
            "since": [each.created_at for each in found],
        },
        hide_index=True,
        # Of these rows: a click on older ones opens none of their neighbours.
        key=f"users:{hash(tuple(each.id for each in found))}",
        on_select="rerun",
        selection_mode="single-row",
        row_height=40,
        height="content",
        alt=t("Users"),
        column_config={
            "email": st.column_config.TextColumn(t("Address"), pinned=True, width=180),
            "name": st.column_config.TextColumn(t("Full name")),
            "role": st.column_config.TextColumn(t("Role")),
            "state": st.column_config.TextColumn(t("State")),
            "plan": st.column_config.TextColumn(t("Plan")),
            "recordings": st.column_config.NumberColumn(t("Recordings")),
            "login": moments(t("Last login")),
            "since": moments(t("Since")),
        },
    )
    lines = [at for at in chosen.selection.rows if 0 <= at < len(found)]
    if lines:
        open_user(found[lines[0]].id)


def open_user(user_id: str) -> None:
    from dashboard.shell import go_to  # the shell knows the pages

    go_to("user", id=user_id)


def _state(each: Person) -> str:
    if not each.is_active:
        return t("Switched off")
    return t("Active") if each.is_verified else t("Address not confirmed")


@dialog(lambda: t("New user"))
def _new(me: Me) -> None:
    with st.form("new_user_form", border=False):
        email = st.text_input(t("Address"), type="email", max_chars=255, key="new_email")
        name = st.text_input(t("Full name"), max_chars=255, key="new_name")
        role = st.selectbox(t("Role"), list(Role), format_func=role_name, key="new_role")
        st.caption(t("The user begins on the Free plan and sets a password by a one-time link."))
        if not st.form_submit_button(t("Create"), type="primary"):
            return
    with guarded():
        with system(me) as session:
            made = create_account(
                session,
                me.editor,
                email.strip(),
                name,
                role=role or Role.USER,
                storage=me.console.storage,
            ).id
        st.session_state[OPENED] = made
        done(t("The user was created."))
