"""What stands around every page: the navigation, and who is logged in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.live import forget_dialog, guarded, on_page
from dashboard.messages import saying
from dashboard.pages import PageSpec, Section, all_pages, page_named
from dashboard.session import Me, entered
from dashboard.texts import number, t
from dashboard.words import plain
from leap_pipeline.errors import NotFound
from leap_pipeline.supervisor.status import daemon_alive

MOST_COUNTED = 100
# Streamlit writes white on the primary colour, which in the dark has to be a light one: it is the
# colour of chosen texts too.
STYLE = """
<style>
@media (prefers-color-scheme: dark) {
  [data-testid^="stBaseButton-primary"]:not(:disabled), [data-baseweb="tag"] * {
    color: #0a0d12 !important;
  }
}
</style>
"""
Pages = Mapping[str, StreamlitPage]


def main() -> None:
    """One rerun of the whole page."""
    forget_dialog()
    st.set_page_config(page_title="LEAP", page_icon="/assets/icon.png", layout="wide")
    st.html(STYLE)
    with guarded(), entered() as me:
        allowed = [page for page in all_pages() if page.allows(me)]
        made = {page.name: _made(page, me, default=page is allowed[0]) for page in allowed}
        st.session_state["pages"] = made
        chosen = st.navigation(_sections(allowed, made), expanded=True)
        _who_is_there(me)
        _say_if_nobody_works(me)
        chosen.run()


def run_page(name: str) -> None:
    """One page without the navigation; raises `NotFound` where the person may not see it."""
    with guarded(), entered() as me:
        page = page_named(name)
        if not page.allows(me):
            msg = "There is no such page."
            raise NotFound(msg)
        with on_page(name), saying():
            page.show(me)


def go_to(name: str, **query: str) -> None:
    """Switch to another page."""
    pages: Pages = st.session_state["pages"]
    st.switch_page(pages[name], query_params=query or None)


def _up_to(counted: int) -> str:
    return number(counted) if counted < MOST_COUNTED else f"{number(MOST_COUNTED - 1)}+"


def _made(page: PageSpec, me: Me, *, default: bool) -> StreamlitPage:
    counted = page.count(me) if page.count is not None else 0
    return st.Page(
        partial(run_page, page.name),
        title=f"{t(page.title)} ({_up_to(counted)})" if counted else t(page.title),
        url_path=page.name,
        default=default,
        visibility="hidden" if page.hidden else "visible",
    )


def _sections(allowed: list[PageSpec], made: Pages) -> dict[str, list[StreamlitPage]]:
    found: dict[str, list[StreamlitPage]] = {}
    for section in Section:
        pages = [made[page.name] for page in allowed if page.section is section]
        if pages:
            found[t(section)] = pages
    return found


def _who_is_there(me: Me) -> None:
    with st.sidebar:
        st.caption(plain(me.who.full_name or me.who.email))
        if st.button(t("Log out"), key="log_out", type="tertiary"):
            me.console.sessions.logout(me.user_id, me.who.family_id, me.actor)
            st.rerun()


def _say_if_nobody_works(me: Me) -> None:
    if not daemon_alive(me.console.settings):
        st.warning(
            t("Dagster is not running: what you ask for is kept, and carried out once it is back.")
        )
