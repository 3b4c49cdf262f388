"""What the pages of administration share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import streamlit as st
from sqlalchemy.orm import Session

from dashboard.session import Me
from dashboard.texts import number, t
from leap_pipeline.domain.permissions import require_admin

AFTER = "after"
SAID = "said_after_rerun"


@contextmanager
def system(me: Me) -> Iterator[Session]:
    """A transaction that sees all tenants; for admins alone."""
    require_admin(me.rights)
    with me.console.database.system() as session:
        yield session


def done(text: str) -> None:
    """Run the page anew, which then says this."""
    st.session_state[SAID] = text
    st.rerun()


def say_what_was_done() -> None:
    text = st.session_state.pop(SAID, None)
    if text:
        st.toast(text)


def place_in_list(*filters: object) -> str | None:
    """The cursor in the page's address; other filters begin at the first page again."""
    kept = st.session_state.setdefault("list_filters", filters)
    if kept != filters:
        st.session_state["list_filters"] = filters
        st.query_params.pop(AFTER, None)
    return st.query_params.get(AFTER)


def pager(after: str | None) -> None:
    """On to the next page, and back to the first."""
    begun = AFTER in st.query_params
    if not begun and after is None:
        return
    with st.container(horizontal=True):
        if begun and st.button(t("First page"), key="first_page"):
            del st.query_params[AFTER]
            st.rerun()
        if after is not None and st.button(t("Next page"), key="next_page"):
            st.query_params[AFTER] = after
            st.rerun()


def limit_name(value: int | None) -> str:
    return t("unlimited") if value is None else number(value)


def dollars(value: Decimal | None) -> str:
    return "—" if value is None else f"${number(float(value), 2)}"


def as_int(text: str | None) -> int | None:
    """A number from an address; None where it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
