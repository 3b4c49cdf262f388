"""What is said after a change, when the page has been drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from dashboard.words import plain
from leap_pipeline.errors import SessionEnded, UserActionError

SAID, REFUSED = "said", "refused"


def say_later(text: str) -> None:
    """Say it on the page that comes next."""
    st.session_state[SAID] = text


@contextmanager
def saying() -> Iterator[None]:
    """Says what was put aside above the page that is drawn within.

    It is kept until the page is whole: who clicks on meanwhile ends its rerun, and with that what
    was on its way to the browser.
    """
    said, refused = (st.session_state.get(key) for key in (SAID, REFUSED))
    if said:
        st.toast(plain(said))
    if refused:
        st.error(plain(refused))
    yield
    for key, text in ((SAID, said), (REFUSED, refused)):
        if text and st.session_state.get(key) == text:
            del st.session_state[key]


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
