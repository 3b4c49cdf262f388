"""One recording."""

from __future__ import annotations

import streamlit as st

from dashboard.session import Me
from dashboard.texts import t


def show(me: Me) -> None:
    st.title(t("Recording"))
