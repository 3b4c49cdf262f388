"""Dialogs that a part of a page asks for.

A part that reruns by itself would close the dialogs that it opened, so it puts down which one is
wanted, and the page as a whole opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import streamlit as st

ASKED, COUNT = "asked", "asks"


def ask(page: str, name: str, **facts: Any) -> NoReturn:
    """Draw the page anew, with that dialog open."""
    st.session_state[ASKED] = (page, name, facts)
    st.session_state[COUNT] = st.session_state.get(COUNT, 0) + 1
    st.rerun(scope="app")
    raise AssertionError  # the rerun has ended this one


def open_asked(page: str, dialogs: Mapping[str, Callable[..., None]], *first: Any) -> None:
    """Open the dialog that was asked for on this page; `first` comes before its facts."""
    asked = st.session_state.pop(ASKED, None)
    if asked is not None and asked[0] == page and asked[1] in dialogs:
        dialogs[asked[1]](*first, **asked[2])


def keyed(name: str) -> str:
    """A widget's key of its own each time that a dialog opens: nothing typed earlier is in it."""
    return f"{name}_{st.session_state.get(COUNT, 0)}"
