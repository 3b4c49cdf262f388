"""What is said after a change, when the page has been drawn anew."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from dashboard.words import plain
from leap_pipeline.errors import SessionEnded, UserActionError

SAID, REFUSED = "said", "refused"


def say_later(text: str) -> None:
    """Say it on the page that comes next."""
    st.session_state[SAID] = text


def say() -> None:
    """What was put aside to be said."""
    text = st.session_state.pop(SAID, None)
    if text:
        st.toast(plain(text))
    refused = st.session_state.pop(REFUSED, None)
    if refused:
        st.error(plain(refused))


def act(body: Callable[[], object]) -> None:
    """Do something in a part that reruns by itself; a refusal is said above it.

    Where it was pressed the part's next rerun would take the sentence away again.
    """
    try:
        body()
    except SessionEnded:
        raise
    except UserActionError as error:
        st.session_state[REFUSED] = str(error)
        st.rerun(scope="app")
