"""What is said after a change, when the page has been drawn anew."""

from __future__ import annotations

import streamlit as st

from dashboard.words import plain

SAID = "said"


def say_later(text: str) -> None:
    """Say it on the page that comes next."""
    st.session_state[SAID] = text


def say() -> None:
    """What was put aside to be said."""
    text = st.session_state.pop(SAID, None)
    if text:
        st.toast(plain(text))
