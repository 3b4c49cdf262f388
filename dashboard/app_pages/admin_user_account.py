"""A user's account: name and address, one-time links, switching it off, deleting it."""

from __future__ import annotations

import streamlit as st

from dashboard.app_pages.admin_parts import done, first_shown, system
from dashboard.live import dialog, guarded
from dashboard.messages import say_later
from dashboard.session import Me
from dashboard.texts import mark, t, tn
from dashboard.words import plain
from leap_pipeline.db.models.users import User
from leap_pipeline.services.administration import (
    account_link,
    change_profile,
    confirm_address,
    delete_account,
    end_sessions,
    switch_account,
)
from leap_pipeline.services.directory import person
from leap_pipeline.services.links import Purpose
from leap_pipeline.services.users import time_zones

LINKS = {
    Purpose.RESET_PASSWORD: mark("It sets a new password. It works once, for one hour."),
    Purpose.VERIFY_EMAIL: mark("It confirms the address. It works once, for seven days."),
}


def show_account(me: Me, user: User) -> None:
    _profile(me, user)
    _access(me, user)
    st.divider()
    if st.button(t("Delete this user…"), key="delete_user"):
        _delete(user.id)


def _profile(me: Me, user: User) -> None:
    seen = {"email": user.email, "full_name": user.full_name, "timezone": user.timezone}
    shown = first_shown(f"profile:{user.id}", f"name:{user.id}", seen)
    with st.form(f"profile:{user.id}"):
        name = st.text_input(
            t("Full name"),
            value=user.full_name or "",
            max_chars=255,
            key=shown.key(f"name:{user.id}"),
        )
        email = st.text_input(
            t("Address"),
            value=user.email,
            type="email",
            max_chars=255,
            key=shown.key(f"email:{user.id}"),
        )
        known = time_zones()
        zones = known if user.timezone in known else (user.timezone, *known)
        timezone = st.selectbox(
            t("Time zone"),
            zones,
            index=zones.index(user.timezone),
            key=shown.key(f"zone:{user.id}"),
        )
        if not st.form_submit_button(t("Save"), type="primary"):
            return
        with guarded():
            with shown.saved(), system(me) as session:
                change_profile(
                    session,
                    me.editor,
                    user.id,
                    email=email.strip(),
                    full_name=name,
                    timezone=timezone,
                    unchanged=shown.values,
                )
            done(t("The account was saved."))


def _access(me: Me, user: User) -> None:
    st.subheader(t("Access"))
    with st.container(horizontal=True), guarded():
        if st.button(t("Link to set a password"), key="password_link", disabled=not user.is_active):
            _link(user.id, Purpose.RESET_PASSWORD)
        if not user.is_verified:
            if st.button(
                t("Link to confirm the address"), key="address_link", disabled=not user.is_active
            ):
                _link(user.id, Purpose.VERIFY_EMAIL)
            if st.button(t("Confirm the address"), key="confirm"):
                with system(me) as session:
                    confirm_address(session, me.editor, user.id, verified=True)
                done(t("The address counts as confirmed."))
        elif st.button(t("Take the confirmation back"), key="unconfirm"):
            with system(me) as session:
                confirm_address(session, me.editor, user.id, verified=False)
            done(t("The address counts as not confirmed."))
        if st.button(t("Sign out everywhere"), key="sign_out"):
            ended = end_sessions(me.console.sessions, me.editor, user.id)
            done(tn("{n} session was ended.", "{n} sessions were ended.", ended))
        if user.is_active and st.button(t("Switch off…"), key="switch_off"):
            _switch_off(user.id)
        if not user.is_active and st.button(t("Switch on"), key="switch_on"):
            with system(me) as session:
                switch_account(session, me.editor, user.id, active=True)
            done(t("The account is on again."))


@dialog(lambda: t("One-time link"))
def _link(me: Me, user_id: str, purpose: Purpose) -> None:
    """The token is made when the dialog opens, and shown this once."""
    with system(me) as session:
        path = account_link(session, me.editor, user_id, purpose)
    st.write(t(LINKS[purpose]))
    st.code(me.console.settings.public_url.rstrip("/") + path, language=None, wrap_lines=True)
    st.caption(t("Copy it now: it is shown once. An older link of this kind no longer works."))


@dialog(lambda: t("Switch the account off"))
def _switch_off(me: Me, user_id: str) -> None:
    with system(me) as session:
        user = person(session, me.rights, user_id)
    st.write(
        t(
            "{email} is signed out at once and cannot log in until the account is on again.",
            email=plain(user.email),
        )
    )
    if st.button(t("Switch off"), type="primary", key="really_off"):
        with system(me) as session:
            switch_account(session, me.editor, user_id, active=False)
        done(t("The account is off."))


@dialog(lambda: t("Delete a user"))
def _delete(me: Me, user_id: str) -> None:
    with system(me) as session:
        user = person(session, me.rights, user_id)
    st.warning(
        t(
            "All recordings, files, settings and accounts of {email} go for good. What is "
            "published at YouTube and VK stays there.",
            email=plain(user.email),
        )
    )
    with st.form("delete_user_form", border=False):
        typed = st.text_input(t("Type the address to confirm"), key="typed_address")
        if not st.form_submit_button(t("Delete for good"), type="primary"):
            return
    console = me.console
    delete_account(console.database, console.storage, me.editor, user_id, typed=typed)
    from dashboard.shell import go_to  # the shell knows the pages

    say_later(t("The user was deleted."))
    go_to("users")
