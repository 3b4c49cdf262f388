"""The person's password, and where they are logged in."""

from __future__ import annotations

import streamlit as st

from dashboard.live import dialog
from dashboard.messages import say_later
from dashboard.session import Me
from dashboard.texts import ago, t, tn, when
from dashboard.words import plain
from leap_pipeline.errors import LeapError, TransientError
from leap_pipeline.services.token_families import SessionInfo, live_sessions

# In the order in which they must be looked for: each one's name stands in the next ones' too.
BROWSERS: tuple[tuple[str, str], ...] = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("YaBrowser", "Yandex"),
    ("Firefox", "Firefox"),
)
BROWSERS += (("Chrome", "Chrome"), ("Safari", "Safari"))
SYSTEMS: tuple[tuple[str, str], ...] = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
)
SYSTEMS += (("Mac OS", "macOS"), ("Linux", "Linux"))
LONGEST_AGENT = 60
CHANGED = "passwords_changed"


def show_login(me: Me) -> None:
    _password(me)
    _sessions(me)


def _password(me: Me) -> None:
    st.subheader(t("Password"))
    # A new field begins empty: no password stays in a page, on a computer that others use too.
    number = st.session_state.get(CHANGED, 0)
    with st.form("password"):
        current = st.text_input(
            t("Current password"),
            type="password",
            autocomplete="current-password",
            key=f"current:{number}",
        )
        new = st.text_input(
            t("New password"), type="password", autocomplete="new-password", key=f"new:{number}"
        )
        again = st.text_input(
            t("New password again"),
            type="password",
            autocomplete="new-password",
            key=f"again:{number}",
        )
        st.caption(t("All other sessions end when it changes."))
        wanted = st.form_submit_button(t("Change the password"), type="primary")
    if not wanted:
        return
    if new != again:
        st.error(t("The two passwords differ: type the same one twice."))
        return
    try:
        me.console.sessions.change_password(me.who, current or "", new or "", me.origin)
    except TransientError:
        raise
    except LeapError as error:
        st.error(plain(str(error)))
        return
    st.session_state[CHANGED] = number + 1
    say_later(t("Your password is changed"))
    st.rerun()


def _sessions(me: Me) -> None:
    st.subheader(t("Where you are logged in"))
    with me.tenant() as session:
        found = live_sessions(session, me.user_id)
    for each in found:
        _session(me, each)
    others = len(found) - 1
    if others > 0 and st.button(t("End all others"), key="end_others"):
        _end_others(others)


def _session(me: Me, each: SessionInfo) -> None:
    own = each.family_id == me.who.family_id
    with st.container(border=True):
        head = st.container(horizontal=True, vertical_alignment="center")
        head.markdown(plain(device(each.user_agent)))
        if own:
            head.badge(t("This one"), color="green")
        elif head.button(t("End"), key=f"end:{each.family_id}", type="tertiary"):
            me.console.sessions.logout(me.user_id, each.family_id, me.actor)
            say_later(t("That session has ended"))
            st.rerun()
        seen, begun = ago(each.last_seen_at), when(each.started_at)
        where = each.ip_address or t("unknown address")
        text = t(
            "{where} · last seen {seen} · logged in {begun}", where=where, seen=seen, begun=begun
        )
        st.caption(plain(text))


@dialog(lambda: t("End all other sessions?"))
def _end_others(me: Me, others: int) -> None:
    st.write(
        tn(
            "{n} other session ends; this one stays.",
            "{n} other sessions end; this one stays.",
            others,
        )
    )
    if st.button(t("End them"), key="end_others_now", type="primary"):
        ended = me.console.sessions.logout_everywhere(me.user_id, me.actor, keep=me.who.family_id)
        say_later(tn("{n} session has ended", "{n} sessions have ended", ended))
        st.rerun()


def device(agent: str | None) -> str:
    """A browser and its system, as people call them."""
    if not agent:
        return t("Unknown browser")
    browser = next((name for sign, name in BROWSERS if sign in agent), None)
    system = next((name for sign, name in SYSTEMS if sign in agent), None)
    if browser is None:
        return agent[:LONGEST_AGENT]
    return browser if system is None else f"{browser}, {system}"
