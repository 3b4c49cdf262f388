"""Columns that several tables have."""

from __future__ import annotations

import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from dashboard.texts import zone

# Of Moment.js (https://momentjs.com/docs/#/displaying/format/), which has no names of months but
# English ones here.
MINUTES = "YYYY-MM-DD HH:mm"


def moments(label: str, *, pinned: bool | None = None) -> ColumnConfig:
    """Moments in the zone of whoever looks."""
    return st.column_config.DatetimeColumn(
        label, format=MINUTES, timezone=zone().key, pinned=pinned
    )
