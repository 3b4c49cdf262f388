"""One user, as an admin sees and changes the account."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.addressed import begun, tell
from dashboard.app_pages.admin_parts import done, first_shown, system
from dashboard.app_pages.admin_user_account import show_account
from dashboard.app_pages.admin_user_lists import show_history, show_recordings, show_sessions
from dashboard.app_pages.admin_user_plan import show_plan
from dashboard.app_pages.admin_users import role_name
from dashboard.live import guarded
from dashboard.session import Me
from dashboard.texts import ago, mark, t, when
from dashboard.words import plain
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.services.administration import change_rights
from leap_pipeline.services.directory import person

ACCOUNT = "account"
NAMES: dict[Permission, str] = {
    Permission.TRANSCRIBE: mark("Transcribe, and what needs a transcript"),
    Permission.PROCESS_VIDEO: mark("Process video"),
    Permission.UPLOAD: mark("Publish"),
    Permission.CREATE_TEMPLATES: mark("Create and change templates"),
    Permission.DELETE_RECORDINGS: mark("Delete recordings"),
    Permission.UPDATE_UPLOADED_VIDEOS: mark("Change videos that are already published"),
    Permission.MANAGE_CREDENTIALS: mark("Manage connected accounts"),
    Permission.EXPORT_DATA: mark("Export data"),
}


def show(me: Me) -> None:
    if st.button(t("All users"), key="back", type="tertiary"):
        from dashboard.shell import go_to  # the shell knows the pages

        go_to("users")
    if "id" not in st.query_params:
        st.title(t("User"))
        st.info(t("Choose a user in the list of users."))
        return
    with system(me) as session:
        user = person(session, me.rights, st.query_params["id"].replace("\0", ""))
    st.title(plain(user.full_name or user.email))
    _badges(user)
    if begun("part", ACCOUNT, str) not in PARTS:
        st.session_state["part"] = ACCOUNT
    chosen = st.segmented_control(
        t("Part"),
        list(PARTS),
        required=True,
        format_func=lambda each: t(PARTS[each][0]),
        key="part",
        label_visibility="collapsed",
    )
    part = chosen if chosen in PARTS else ACCOUNT
    tell("part", part, ACCOUNT)
    PARTS[part][1](me, user)


def _badges(user: User) -> None:
    with st.container(horizontal=True):
        st.badge(role_name(user.role), color="violet" if user.role == Role.ADMIN else "gray")
        if user.is_active:
            st.badge(t("Active"), color="green")
        else:
            st.badge(t("Switched off"), color="red")
        if not user.is_verified:
            st.badge(t("Address not confirmed"), color="orange")
    login = t("never") if user.last_login_at is None else ago(user.last_login_at)
    st.caption(
        t(
            "{email} · since {since} · last login {login} · number {number}",
            email=plain(user.email),
            since=when(user.created_at),
            login=login,
            number=f"{user.user_slug:06d}",
        )
    )


def _rights(me: Me, user: User) -> None:
    seen = {"role": user.role} | {str(each): getattr(user, each) for each in Permission}
    shown = first_shown(f"rights:{user.id}", f"role:{user.id}", seen)
    with st.form(f"rights:{user.id}"):
        role = st.selectbox(
            t("Role"),
            list(Role),
            index=list(Role).index(Role.ADMIN if user.role == Role.ADMIN else Role.USER),
            format_func=role_name,
            key=shown.key(f"role:{user.id}"),
            help=t("An admin sees all users and manages accounts, plans and defaults."),
        )
        st.markdown(t("**This user may**"))
        granted = {
            each: st.checkbox(
                t(NAMES[each]), value=getattr(user, each), key=shown.key(f"{each}:{user.id}")
            )
            for each in Permission
        }
        if not st.form_submit_button(t("Save"), type="primary"):
            return
        with guarded():
            with shown.saved(), system(me) as session:
                change_rights(
                    session,
                    me.editor,
                    user.id,
                    role=role or Role.USER,
                    permissions=granted,
                    unchanged=shown.values,
                )
            done(t("The rights were saved."))


PARTS: dict[str, tuple[str, Callable[[Me, User], None]]] = {
    ACCOUNT: (mark("Account"), show_account),
    "rights": (mark("Rights"), _rights),
    "plan": (mark("Plan and use"), show_plan),
    "recordings": (mark("Recordings"), show_recordings),
    "sessions": (mark("Sessions"), show_sessions),
    "history": (mark("History"), show_history),
}
