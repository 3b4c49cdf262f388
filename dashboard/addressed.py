"""Choices that stand in a page's address by themselves, so that a link keeps them.

Streamlit binds a choice by its label, which changes with the language and which nobody can build.
"""

from __future__ import annotations

from typing import TypeVar

import streamlit as st

T = TypeVar("T", str, int)


def begun(name: str, usual: T, kind: type[T], *, key: str | None = None) -> T:
    """The value of a widget; before it is drawn first, what the address says under `name`.

    `key` is the widget's own, where that is not `name`.
    """
    state = key or name
    if state not in st.session_state:
        try:
            st.session_state[state] = kind(st.query_params.get(name, usual))
        except ValueError:
            st.session_state[state] = usual
    found: T = st.session_state[state]
    return found


def tell(name: str, value: object, usual: object) -> None:
    """Put a widget's value into the address; the usual one is left out."""
    if value == usual:
        st.query_params.pop(name, None)
    elif st.query_params.get(name) != str(value):
        st.query_params[name] = str(value)
