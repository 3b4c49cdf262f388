"""What the person says of themselves: profile, retention, defaults, notices, password, sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from dashboard.addressed import begun, moved, note, tell
from dashboard.app_pages._my_defaults import show_defaults
from dashboard.app_pages._my_login import show_login
from dashboard.app_pages._my_notices import show_notices
from dashboard.messages import say_later
from dashboard.session import Me
from dashboard.texts import NAMES, mark, t
from dashboard.words import plain
from leap_pipeline.domain.deletion import RESTORE_DAYS
from leap_pipeline.errors import UserActionError
from leap_pipeline.services.preferences import own_of, set_language, set_retention
from leap_pipeline.services.users import time_zones, update_profile

PROFILE = "profile"
LONGEST_DAYS = 36_500


def show(me: Me) -> None:
    st.title(t("My settings"))
    moved("my_settings", {"section": "section"})
    if begun("section", PROFILE, str) not in SECTIONS:
        st.session_state["section"] = PROFILE
    chosen = st.segmented_control(
        t("Section"),
        list(SECTIONS),
        required=True,
        format_func=lambda name: t(SECTIONS[name][0]),
        key="section",
        label_visibility="collapsed",
    )
    section = chosen if chosen is not None and chosen in SECTIONS else PROFILE
    tell("section", section, PROFILE)
    note("my_settings", ["section"])
    SECTIONS[section][1](me)


def _profile(me: Me) -> None:
    confirmed = t("confirmed") if me.who.is_verified else t("not confirmed")
    st.caption(plain(f"{me.who.email} · {confirmed}"))
    known = time_zones()
    languages = ["", *NAMES]
    with st.form("profile"):
        name = st.text_input(t("Full name"), me.who.full_name or "", max_chars=255)
        timezone = st.selectbox(
            t("Time zone"),
            known,
            index=known.index(me.who.timezone) if me.who.timezone in known else None,
            help=t("Times are shown in it, here and in published texts."),
        )
        language = st.selectbox(
            t("Language"),
            languages,
            index=languages.index(me.who.language) if me.who.language in languages else 0,
            format_func=lambda each: NAMES.get(each, t("The browser's")),
        )
        wanted = st.form_submit_button(t("Save"), type="primary")
    if wanted:
        try:
            with me.tenant() as session:
                update_profile(
                    session, me.user_id, full_name=name or "", timezone=timezone, actor=me.actor
                )
                set_language(session, language or None, me.actor)
        except UserActionError as error:
            st.error(plain(str(error)))
            return
        say_later(t("Saved"))
        st.rerun()


def _retention(me: Me) -> None:
    with me.tenant() as session:
        own = own_of(session).preferences.retention
    with st.form("retention"):
        expire = st.number_input(
            t("Delete recordings after (days)"),
            0,
            LONGEST_DAYS,
            own.expire_after_days,
            placeholder=t("Never"),
            help=t(
                "Counted from the day they come in; holds for recordings that come from now on."
            ),
        )
        restore = st.number_input(
            t("Deleted ones can be restored for (days)"),
            0,
            LONGEST_DAYS,
            own.restore_days,
            placeholder=t("By default: {value}", value=RESTORE_DAYS),
            help=t("After that their files are gone for good."),
        )
        st.caption(t("What is published elsewhere stays there."))
        wanted = st.form_submit_button(t("Save"), type="primary")
    if wanted:
        try:
            with me.tenant() as session:
                set_retention(session, expire, restore, me.actor)
        except UserActionError as error:
            st.error(plain(str(error)))
            return
        st.toast(t("Saved"))


SECTIONS: Mapping[str, tuple[str, Callable[[Me], None]]] = {
    PROFILE: (mark("Profile"), _profile),
    "retention": (mark("Keeping"), _retention),
    "defaults": (mark("Defaults"), show_defaults),
    "notices": (mark("Notices"), show_notices),
    "login": (mark("Password and sessions"), show_login),
}
