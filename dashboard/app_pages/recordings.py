"""The recordings: the home of daily work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.chips import COLORS, status_name
from dashboard.live import live
from dashboard.session import Me
from dashboard.texts import clock, number, t, tn, zone
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.repositories.pages import Page
from leap_pipeline.db.repositories.recordings import RecordingCounts, RecordingFilter, Recordings
from leap_pipeline.domain.states import RecordingStatus

REFRESH_SECONDS = 5
PAGE = 50
EVERYTHING, BIN = "ALL", "BIN"
SORTS = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "latest": "Latest lecture first",
    "earliest": "Earliest lecture first",
    "name": "By name",
    "name_descending": "By name, backwards",
}


def show(me: Me) -> None:
    st.title(t("Recordings"))
    _list()


@live(REFRESH_SECONDS)
def _list(me: Me) -> None:
    """The whole list: its filters, the counts of each status, and one page of rows."""
    chips = st.container()
    text, sort = _search()
    wanted = _criteria(st.session_state.get("status"), text)
    with me.tenant() as session:
        recordings = Recordings(session)
        counts = recordings.counts()
        page = recordings.page(wanted, sort=sort, after=st.session_state.get("after"), limit=PAGE)
    with chips:
        _status_chips(counts)
    _table(page)
    _pager(page)


def _status_chips(counts: RecordingCounts) -> None:
    options = [EVERYTHING, *(str(each) for each in RecordingStatus), BIN]
    numbers = {str(status): found for status, found in counts.by_status.items()}
    numbers |= {EVERYTHING: counts.total, BIN: counts.soft_deleted}

    def label(option: str) -> str:
        return f"{_chip_name(option)} {number(numbers.get(option, 0))}"

    st.pills(
        t("Status"),
        options,
        default=EVERYTHING,
        required=True,
        format_func=label,
        key="status",
        label_visibility="collapsed",
    )


def _chip_name(option: str) -> str:
    if option == EVERYTHING:
        return t("All")
    return t("Bin") if option == BIN else status_name(option)


def _search() -> tuple[str, str]:
    left, right = st.columns([3, 1])
    text = left.text_input(
        t("Search"),
        key="q",
        type="search",
        placeholder=t("Part of a name"),
        label_visibility="collapsed",
        bind="query-params",
        max_chars=200,
    )
    sort = right.selectbox(
        t("Order"),
        list(SORTS),
        format_func=lambda name: t(SORTS[name]),
        key="sort",
        label_visibility="collapsed",
    )
    return text or "", sort or "newest"


def _criteria(status: str | None, text: str) -> RecordingFilter:
    if status == BIN:
        return RecordingFilter(deleted=True, text=text)
    chosen = () if status in (None, EVERYTHING) else (RecordingStatus(status),)
    return RecordingFilter(statuses=chosen, text=text)


def _table(page: Page[Recording]) -> None:
    if not page.items:
        st.info(t("No recording meets this."))
        return
    names = [status_name(status) for status in RecordingStatus]
    st.dataframe(
        _rows(page.items),
        hide_index=True,
        key="rows",
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        row_height=40,
        height="content",
        alt=t("Recordings"),
        column_config={
            "name": st.column_config.TextColumn(t("Name"), width="large", pinned=True),
            "status": st.column_config.MultiselectColumn(
                t("Status"),
                options=names,
                color=[COLORS[status] for status in RecordingStatus],
            ),
            "start": st.column_config.DatetimeColumn(t("Recorded"), timezone=zone().key),
            "length": st.column_config.TextColumn(t("Length")),
            "template": st.column_config.TextColumn(t("Template")),
            "source": st.column_config.TextColumn(t("Source")),
            "published": st.column_config.TextColumn(t("Published")),
            "reason": st.column_config.TextColumn(t("Why"), width="large"),
        },
    )


def _rows(items: Sequence[Recording]) -> dict[str, list[Any]]:
    """Columns of a table, in the order of the rows."""
    return {
        "name": [row.display_name for row in items],
        "status": [[status_name(row.status)] for row in items],
        "start": [row.start_time for row in items],
        "length": [clock(row.duration) for row in items],
        "template": [row.template.name if row.template else "" for row in items],
        "source": [row.input_source.name if row.input_source else "" for row in items],
        "published": [
            ", ".join(each.target_type for each in row.targets if each.status == "UPLOADED")
            for row in items
        ],
        "reason": [row.failed_reason or row.skip_reason or "" for row in items],
    }


def _pager(page: Page[Recording]) -> None:
    st.caption(tn("{n} recording on this page", "{n} recordings on this page", len(page.items)))
