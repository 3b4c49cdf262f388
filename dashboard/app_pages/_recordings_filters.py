"""What the list of recordings is narrowed to: kept in the address, so that it can be sent on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

import streamlit as st

from dashboard.addressed import begun, moved, note, said, tell
from dashboard.chips import status_name
from dashboard.fields import told_apart
from dashboard.session import Me
from dashboard.texts import mark, number, t
from leap_pipeline.db.repositories.recordings import RecordingFilter
from leap_pipeline.domain.states import RecordingStatus
from leap_pipeline.services.recording_frames import Frame

T = TypeVar("T", str, int)
EVERYTHING, BIN = "ALL", "BIN"
EVERYBODY = "ALL"
SORTS = {
    "newest": mark("Newest first"),
    "oldest": mark("Oldest first"),
    "latest": mark("Latest lecture first"),
    "earliest": mark("Earliest lecture first"),
    "name": mark("By name"),
    "name_descending": mark("By name, backwards"),
}
# Over all owners no index has the other orders.
SORTS_OF_EVERYBODY = ("newest", "oldest")
BLANKS = {"": mark("Blank or not"), "yes": mark("Only blank"), "no": mark("Not blank")}
LONGEST_SEARCH, LONGEST_OWNER = 200, 26
PLACE = ("status", "q", "template", "source", "blank", "owner", "sort", "after")
PAGE, OPENED = "recordings", "id"
DEFAULTS = {"status": EVERYTHING, "sort": "newest", "blank": "", "template": 0, "source": 0}


@dataclass(frozen=True)
class Filters:
    """`owner_id` None is everybody, for admins."""

    owner_id: str | None
    status: str
    text: str
    template_id: int
    source_id: int
    blank: str
    sort: str

    @property
    def criteria(self) -> RecordingFilter:
        known = self.status not in (EVERYTHING, BIN)
        return RecordingFilter(
            statuses=(RecordingStatus(self.status),) if known else (),
            deleted=self.status == BIN,
            template_id=self.template_id or None,
            source_id=self.source_id or None,
            blank=None if not self.blank else self.blank == "yes",
            text=self.text,
        )

    @property
    def query(self) -> str:
        """As the export's address takes them."""
        asked = {
            "status": self.status,
            "q": self.text,
            "template": self.template_id,
            "source": self.source_id,
            "blank": self.blank,
            "owner": self.owner_id,
            "sort": self.sort,
        }
        return urlencode({name: value for name, value in asked.items() if value})

    @property
    def narrows(self) -> bool:
        """Does it leave anything out?"""
        return bool(
            self.text or self.template_id or self.source_id or self.blank
        ) or self.status not in (EVERYTHING,)


def owner_of(me: Me) -> str | None:
    """Whose recordings are looked at: one's own, or what an admin chose."""
    if not me.is_admin:
        return me.user_id
    chosen = str(_begun("owner", EVERYBODY, str))
    is_id = chosen.isascii() and chosen.isalnum() and len(chosen) <= LONGEST_OWNER
    return chosen if is_id and chosen != EVERYBODY else None


def follow_address() -> bool:
    """As `moved`, for the list."""
    if OPENED in st.query_params:
        # Streamlit gives the list's address the recording's number before it leaves for it, and
        # that is where Back leads.
        st.query_params.from_dict(place())
        note(PAGE, ())
    return moved(PAGE, {name: _state(name) for name in PLACE})


def note_address() -> None:
    note(PAGE, PLACE)


def remember_place() -> None:
    """Before the list is left for one of its recordings."""
    st.session_state["list_place"] = said(PLACE)


def place() -> dict[str, str]:
    """The address of the list as it was left: a recording's page leads back to it."""
    found: dict[str, str] = st.session_state.get("list_place", {})
    return found


def draw(me: Me, frame: Frame, owner_id: str | None) -> Filters:
    """Search, order, filters and status chips, as they were in the address or chosen since."""
    chips = st.container()
    left, right = st.columns([3, 2])
    with left:
        text = _search()
    with right.container(horizontal=True):
        sort = _sort(owner_id)
        template, source, blank = _more(me, frame, owner_id)
    with chips:
        status = _status_chips(frame)
    return Filters(owner_id, status, text, template, source, blank, sort)


def _search() -> str:
    asked = str(_begun("q", "", str))
    usable = asked.replace("\0", "")[:LONGEST_SEARCH]
    if usable != asked:
        st.session_state[_state("q")] = usable
    text = st.text_input(
        t("Search"),
        key=_state("q"),
        type="search",
        placeholder=t("Part of a name"),
        label_visibility="collapsed",
        max_chars=LONGEST_SEARCH,
    )
    found = (text or "").replace("\0", "")
    tell("q", found, "")
    return found


def _sort(owner_id: str | None) -> str:
    sorts = SORTS_OF_EVERYBODY if owner_id is None else tuple(SORTS)
    return _chosen("sort", t("Order"), sorts, lambda name: t(SORTS[name]), collapsed=True)


def _more(me: Me, frame: Frame, owner_id: str | None) -> tuple[int, int, str]:
    set_now = sum(
        st.session_state.get(_state(name)) not in (None, DEFAULTS[name])
        for name in ("template", "source", "blank")
    )
    label = t("Filters") if not set_now else t("Filters ({n})", n=number(set_now))
    with st.popover(label, key="more", width="content"):
        if me.is_admin:
            _owner(me, frame, owner_id)
        template, source = 0, 0
        if owner_id is not None:
            template = _named("template", t("Template"), t("Any template"), frame.templates)
            source = _named("source", t("Source"), t("Any source"), frame.sources)
        else:
            tell("template", 0, 0)
            tell("source", 0, 0)
        blank = _chosen("blank", t("Blank"), tuple(BLANKS), lambda name: t(BLANKS[name]))
    return template, source, blank


def _owner(me: Me, frame: Frame, owner_id: str | None) -> None:
    names = {EVERYBODY: t("Everybody"), me.user_id: t("My own")}
    names |= {key: name for key, name in frame.owners.items() if key != me.user_id}
    if owner_id is not None:
        names.setdefault(owner_id, owner_id)
    _chosen("owner", t("Owner"), tuple(names), lambda key: names[key])


def _named(key: str, label: str, anything: str, names: dict[int, str]) -> int:
    options = (0, *names)
    apart = told_apart(names)
    return _chosen(key, label, options, lambda each: apart[each] if each else anything)


def _status_chips(frame: Frame) -> str:
    counts = frame.counts
    numbers = {str(status): found for status, found in counts.by_status.items()}
    numbers |= {EVERYTHING: counts.total, BIN: counts.soft_deleted}
    known = (EVERYTHING, *(str(each) for each in RecordingStatus), BIN)
    now = str(_begun("status", EVERYTHING, str))
    if now not in known:
        st.session_state[_state("status")] = now = EVERYTHING
    options = [each for each in known if numbers.get(each) or each in (EVERYTHING, now)]
    chosen = st.pills(
        t("Status"),
        options,
        required=True,
        format_func=lambda each: f"{_chip_name(each)} {number(numbers.get(each, 0))}",
        key=_state("status"),
        label_visibility="collapsed",
    )
    status = str(chosen or EVERYTHING)
    tell("status", status, EVERYTHING)
    return status


def _chip_name(option: str) -> str:
    if option == EVERYTHING:
        return t("All")
    return t("Bin") if option == BIN else status_name(option)


def _chosen(
    key: str,
    label: str,
    options: Sequence[T],
    name: Callable[[T], str],
    *,
    default: T | None = None,
    collapsed: bool = False,
) -> T:
    """A select box whose value stands in the address by itself, not by its label."""
    usual = options[0] if default is None else default
    if _begun(key, usual, type(usual)) not in options:
        st.session_state[_state(key)] = usual
    found = st.selectbox(
        label,
        options,
        format_func=name,
        key=_state(key),
        label_visibility="collapsed" if collapsed else "visible",
    )
    value = usual if found is None else found
    tell(key, value, usual)
    return value


def _begun(name: str, usual: T, kind: type[T]) -> T:
    return begun(name, usual, kind, key=_state(name))


def _state(key: str) -> str:
    """The widget's own key: pages share what is kept under one name, and others have these too."""
    return f"recordings_{key}"
