"""Uploading recordings from one's own machine."""

from __future__ import annotations

import streamlit as st

from dashboard.session import Me
from dashboard.texts import size, t

HEIGHT = 560


def show(me: Me) -> None:
    st.title(t("Upload"))
    st.caption(
        t(
            "Each video becomes a recording, dated by its file. Files of up to {most} are taken; "
            "the same file twice is one recording.",
            most=size(me.console.settings.download_max_bytes),
        )
    )
    st.iframe(f"/uploads?theme={st.context.theme.type or ''}", height=HEIGHT)
