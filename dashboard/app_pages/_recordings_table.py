"""The table of recordings: one page of lines, which of them are selected, and the way on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.app_pages._recordings_filters import (
    BIN,
    Filters,
    note_address,
    remember_place,
)
from dashboard.chips import COLORS, status_name
from dashboard.shell import go_to
from dashboard.texts import clock, t, tn, when
from leap_pipeline.db.repositories.pages import Page
from leap_pipeline.db.repositories.recording_lines import RecordingLine, RecordingLines
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.states import Platform, RecordingStatus
from leap_pipeline.errors import InputError

PAGE = 50
OPEN = "name"
NAME_PIXELS = 260
# Where all have a reason, it is what one looks for.
EXPLAINED = (RecordingStatus.FAILED, RecordingStatus.SKIPPED)


@dataclass(frozen=True)
class Shown:
    """A page of lines. `held`: it does not follow the list, because lines of it are selected."""

    page: Page[RecordingLine]
    held: bool


def read(lines: RecordingLines, filters: Filters) -> Shown:
    """The page that the address names; while lines are selected, those that were shown before, so
    that no other recording comes under somebody's selection.
    """
    before: tuple[int, ...] = st.session_state.get("shown", ())
    if before and _selected(st.session_state.get(_key(before))) and _same(filters):
        again = lines.lines_of(before)
        if len(again) == len(before):
            return Shown(Page(again, st.session_state.get("older")), held=True)
    page = _page(lines, filters)
    st.session_state["shown"] = tuple(each.id for each in page.items)
    st.session_state["older"] = page.after
    return Shown(page, held=False)


def begin_anew() -> None:
    """The next list is taken as its address has it."""
    st.session_state.pop("listed", None)
    st.session_state["trail"] = []


def forget_selection() -> None:
    """After something was asked for with it."""
    st.session_state["selections"] = st.session_state.get("selections", 0) + 1


def draw(filters: Filters, shown: Shown) -> tuple[int, ...]:
    """The table; the ids of the selected lines."""
    items = shown.page.items
    if not items:
        _empty(filters)
        return ()
    state = st.dataframe(
        _columns(filters, items),
        hide_index=True,
        key=_key([each.id for each in items]),
        on_select="rerun",
        selection_mode=["multi-row", "single-cell"],
        row_height=40,
        height="content",
        alt=t("Recordings"),
        column_config=_config(),
    )
    cells = state.selection.cells
    if cells and cells[0][1] == OPEN and 0 <= cells[0][0] < len(items):
        remember_place()
        go_to("recording", id=str(items[cells[0][0]].id))
    return tuple(items[place].id for place in _selected(state) if place < len(items))


def pager(shown: Shown) -> None:
    """Newer and older pages; where one is stands in the address."""
    trail: list[str] = st.session_state.setdefault("trail", [])
    here = st.query_params.get("after")
    with st.container(horizontal=True, vertical_alignment="center"):
        if here and st.button(t("Previous page"), key="newer"):
            before = trail.pop() if trail else ""
            _move(before)
        if shown.page.after and st.button(t("Next page"), key="older_page"):
            trail.append(here or "")
            _move(shown.page.after)
        n = len(shown.page.items)
        said = tn("{n} recording on this page", "{n} recordings on this page", n)
        held = t("The list stands still while recordings are selected.") if shown.held else ""
        st.caption(f"{said} · {held}" if held else said)


def _move(cursor: str) -> None:
    if cursor:
        st.query_params["after"] = cursor
    else:
        st.query_params.pop("after", None)
    note_address()
    forget_selection()
    st.rerun()


def _page(lines: RecordingLines, filters: Filters) -> Page[RecordingLine]:
    if not _same(filters):
        st.query_params.pop("after", None)
        st.session_state["trail"] = []
    st.session_state["listed"] = filters
    after = st.query_params.get("after")
    try:
        return lines.lines(filters.criteria, sort=filters.sort, after=after, limit=PAGE)
    except InputError:
        if after is None:
            raise
        st.query_params.pop("after", None)  # an address that was cut or changed
        return lines.lines(filters.criteria, sort=filters.sort, limit=PAGE)


def _same(filters: Filters) -> bool:
    """Is it the list of the last rerun? The first one takes its place from the address."""
    return bool(st.session_state.get("listed", filters) == filters)


def _key(ids: Sequence[int]) -> str:
    """A selection belongs to exactly these lines in this order."""
    said = f"{st.session_state.get('selections', 0)}:{','.join(map(str, ids))}"
    return f"rows-{hashlib.sha256(said.encode()).hexdigest()[:16]}"


def _selected(state: Any) -> list[int]:
    return [] if state is None else [each for each in state["selection"]["rows"] if each >= 0]


def _empty(filters: Filters) -> None:
    if filters.status == BIN:
        st.info(t("The bin is empty: deleted recordings lie here until their time is over."))
    elif filters.narrows:
        st.info(t("No recording meets this: change the search or the filters."))
    else:
        st.info(t("There are no recordings yet: connect a source, or upload a file."))
        with st.container(horizontal=True):
            for name in ("sources", "upload"):
                st.page_link(st.session_state["pages"][name])


def _columns(filters: Filters, items: Sequence[RecordingLine]) -> dict[str, list[Any]]:
    """Columns of the table, in the order of the lines."""
    blank, reasons = t("Blank"), [each.reason or "" for each in items]
    found: dict[str, list[Any]] = {
        OPEN: [each.name for each in items],
        "status": [[status_name(each.status), *([blank] if each.blank else [])] for each in items],
        **({"reason": reasons} if filters.status in EXPLAINED else {}),
        **({"owner": [each.owner or "" for each in items]} if filters.owner_id is None else {}),
        "start": [when(each.start_time) for each in items],
        "length": [clock(each.duration) for each in items],
        "template": [each.template or "" for each in items],
        "source": [each.source or "" for each in items],
        "published": [
            ", ".join(PLATFORM_NAMES[Platform(name)] for name in each.published) for each in items
        ],
        "reason": reasons,
    }
    if filters.status == BIN:
        found["until"] = [when(each.until) for each in items]
    empty = {name for name in ("published", "reason", "template", "source") if not any(found[name])}
    return {name: values for name, values in found.items() if name not in empty}


def _config() -> dict[str, Any]:
    names = [*(status_name(status) for status in RecordingStatus), t("Blank")]
    colors = [*(COLORS[status] for status in RecordingStatus), "orange"]
    return {
        OPEN: st.column_config.TextColumn(
            t("Name"), width=NAME_PIXELS, help=t("A click on a name opens it.")
        ),
        "status": st.column_config.MultiselectColumn(t("Status"), options=names, color=colors),
        "start": st.column_config.TextColumn(t("Recorded")),
        "length": st.column_config.TextColumn(t("Length")),
        "template": st.column_config.TextColumn(t("Template")),
        "source": st.column_config.TextColumn(t("Source")),
        "published": st.column_config.TextColumn(t("Published")),
        "reason": st.column_config.TextColumn(t("Why"), width="large"),
        "until": st.column_config.TextColumn(t("To be restored until")),
        "owner": st.column_config.TextColumn(t("Owner")),
    }
