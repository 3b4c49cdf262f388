"""Choices that stand in a page's address by themselves, so that a link keeps them.

Streamlit binds a choice by its label, which changes with the language and which nobody can build.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

import streamlit as st

T = TypeVar("T", str, int)
TOLD = "addresses_told"


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


def moved(page: str, keys: Mapping[str, str]) -> bool:
    """Does the address say something else than it did at the last `note`? Then that counts, and the
    widgets (by name in the address, their keys) forget what was chosen: the browser's Back and
    Forward change the address alone.

    To be asked where the whole page is drawn: a part's rerun may have begun before the browser
    heard of what was told last.
    """
    told: dict[str, dict[str, str]] = st.session_state.get(TOLD, {})
    if told.get(page) in (None, said(keys)):
        return False
    for key in keys.values():
        st.session_state.pop(key, None)
    return True


def note(page: str, names: Collection[str]) -> None:
    """What the address says now was told to it by the page."""
    told = st.session_state.setdefault(TOLD, {})
    told[page] = said(names)


def said(names: Collection[str]) -> dict[str, str]:
    """What the address says under these names, where it says anything."""
    here = st.query_params.to_dict()
    return {name: here[name] for name in names if name in here}
