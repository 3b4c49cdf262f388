"""Choices that stand in a page's address by themselves, so that a link keeps them.

Streamlit binds a choice by its label, which changes with the language and which nobody can build.
"""

from __future__ import annotations

from typing import TypeVar

import streamlit as st

T = TypeVar("T", str, int)


def begun(key: str, usual: T, kind: type[T]) -> T:
    """The value of a widget; before it is drawn first, what the address says."""
    if key not in st.session_state:
        try:
            st.session_state[key] = kind(st.query_params.get(key, usual))
        except ValueError:
            st.session_state[key] = usual
    found: T = st.session_state[key]
    return found


def tell(key: str, value: object, usual: object) -> None:
    """Put a widget's value into the address; the usual one is left out."""
    if value == usual:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != str(value):
        st.query_params[key] = str(value)
