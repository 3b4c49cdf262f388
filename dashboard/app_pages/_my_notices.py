"""Where the person wants notices, beside the console: by mail, or to a webhook."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

import streamlit as st

from dashboard.app_pages._notice_words import kind_name
from dashboard.messages import say_later
from dashboard.session import Me
from dashboard.texts import t, when
from dashboard.words import plain
from leap_pipeline.domain.notices import CHOSEN, Channel, NoticeKind
from leap_pipeline.errors import UserActionError
from leap_pipeline.services.notice_channels import (
    Chosen,
    channels_of,
    switch_mail_on,
    switch_off,
    switch_webhook_on,
)
from leap_pipeline.services.notices import tell_test

# Counts what was saved: a new field begins empty, for a webhook's address is shown to nobody again.
SAVED = "notices:saved"


def show_notices(me: Me) -> None:
    st.caption(
        t(
            "All notices are on the page Notices. Here you say which of them are sent to you: "
            "together, at most once in a quarter of an hour."
        )
    )
    with me.tenant() as session:
        chosen = channels_of(session, me.console.vault)
    _mail(me, chosen.get(Channel.MAIL))
    _webhook(me, chosen.get(Channel.WEBHOOK))
    if chosen and st.button(t("Send a test"), key="send_test"):
        with me.tenant() as session:
            is_new = tell_test(session, datetime.now(UTC))
        st.toast(
            t("It comes within a minute, or with the next digest")
            if is_new
            else t("There was a test in this quarter of an hour already")
        )


def _mail(me: Me, chosen: Chosen | None) -> None:
    st.subheader(t("By mail"))
    if me.console.settings.mail_url is None:
        st.info(t("This LEAP sends no mail: its operator has set no mail server."))
        if chosen is None:
            return
    elif not me.who.is_verified:
        st.warning(
            t("Your address is not confirmed, and gets no mail before: ask an admin for a link.")
        )
    with st.form("mail"):
        on = st.toggle(t("To {email}", email=plain(me.who.email)), chosen is not None)
        kinds = _kinds(chosen, "mail")
        wanted = st.form_submit_button(t("Save"), type="primary")
    _state(chosen)
    if wanted:
        _save(me, Channel.MAIL, on=on, write=lambda: _mail_on(me, kinds))


def _mail_on(me: Me, kinds: Collection[str]) -> None:
    with me.tenant() as session:
        switch_mail_on(session, kinds, me.actor)


def _webhook(me: Me, chosen: Chosen | None) -> None:
    st.subheader(t("To a webhook"))
    with st.form("webhook"):
        on = st.toggle(t("Post them as JSON"), chosen is not None)
        stored = t("Stored: {host}. Empty keeps it.", host=chosen.host or "…") if chosen else None
        address = st.text_input(
            t("Address"),
            type="password",
            autocomplete="off",
            key=f"address:{st.session_state.get(SAVED, 0)}",
            placeholder=stored or "https://",
            help=t("It begins with https:// and is shown to nobody again."),
        )
        kinds = _kinds(chosen, "webhook")
        wanted = st.form_submit_button(t("Save"), type="primary")
    _state(chosen)
    if wanted:
        _save(me, Channel.WEBHOOK, on=on, write=lambda: _webhook_on(me, kinds, address or ""))


def _webhook_on(me: Me, kinds: Collection[str], address: str) -> None:
    private = me.console.settings.download_private_addresses
    with me.tenant() as session:
        switch_webhook_on(
            session,
            me.console.vault,
            kinds,
            me.actor,
            address=address,
            private_addresses=private,
        )


def _kinds(chosen: Chosen | None, key: str) -> list[NoticeKind]:
    return st.pills(
        t("Of what"),
        CHOSEN,
        selection_mode="multi",
        default=chosen.kinds if chosen else CHOSEN,
        format_func=kind_name,
        key=f"kinds:{key}",
    )


def _save(me: Me, channel: Channel, *, on: bool, write: Callable[[], None]) -> None:
    try:
        if on:
            write()
        else:
            with me.tenant() as session:
                switch_off(session, channel, me.actor)
    except UserActionError as error:
        st.error(plain(str(error)))
        return
    st.session_state[SAVED] = st.session_state.get(SAVED, 0) + 1
    say_later(t("Saved"))
    st.rerun()


def _state(chosen: Chosen | None) -> None:
    if chosen is None:
        return
    if chosen.last_error:
        st.error(plain(chosen.last_error))
        if chosen.next_at is not None:
            st.caption(t("Tried again at {at}.", at=when(chosen.next_at, "HH:mm")))
    elif chosen.sent_at is not None:
        st.caption(t("Last sent {at}.", at=when(chosen.sent_at)))
