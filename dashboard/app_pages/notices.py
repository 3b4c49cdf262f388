"""Notices: what was published, failed, waits for a decision, or must be connected again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import streamlit as st

from dashboard.app_pages._notice_words import kind_name, of_many, why
from dashboard.live import again, live
from dashboard.messages import say_later
from dashboard.session import Me
from dashboard.texts import number, t, tn, when, zone
from dashboard.words import plain
from leap_pipeline.db.models.notices import Notice
from leap_pipeline.domain.notices import NoticeKind
from leap_pipeline.services.notices import (
    GROUPS,
    MEMBERS,
    Group,
    groups,
    mark_all_read,
    mark_read,
    members,
)

REFRESH_SECONDS = 15
# In the session's state: the page of groups, the group that is open, and its page.
BEFORE, OPEN, OLDER = "notices:before", "notices:open", "notices:older"
COLORS: Mapping[NoticeKind, Literal["orange", "red", "green", "gray"]] = {
    NoticeKind.CONNECT: "orange",
    NoticeKind.HELD: "orange",
    NoticeKind.FAILED: "red",
    NoticeKind.READY: "green",
    NoticeKind.TEST: "gray",
}


def show(me: Me) -> None:
    st.title(t("Notices"))
    st.caption(t("Kept for 30 days. By mail or to a webhook too, if you say so in your settings."))
    _list()


@live(REFRESH_SECONDS)
def _list(me: Me) -> None:
    top = st.container(horizontal=True, vertical_alignment="center")
    unread = top.toggle(t("Only unread"), key="notices:unread")
    before = _before(unread=unread)
    with me.tenant() as session:
        found = groups(session, zone(), unread=unread, before=before)
    if not found:
        _nothing(unread=unread, paged=before is not None)
    elif any(each.unread for each in found) and top.button(t("Mark all as read"), key="read_all"):
        with me.tenant() as session:
            marked = mark_all_read(session, max(each.newest.id for each in found))
        say_later(tn("{n} notice is read", "{n} notices are read", marked))
        st.rerun()
    for each in found:
        with st.container(border=True):
            _group(me, each)
    _pager(found, before, unread=unread)


def _before(*, unread: bool) -> int | None:
    """Where the page of groups begins; one of other groups counts for nothing."""
    kept: tuple[bool, int] | None = st.session_state.get(BEFORE)
    if kept is None or kept[0] != unread:
        st.session_state.pop(BEFORE, None)
        return None
    return kept[1]


def _nothing(*, unread: bool, paged: bool) -> None:
    if paged:
        st.info(t("There is nothing older."))
    elif unread:
        st.info(t("Everything is read."))
    else:
        st.info(t("Nothing to tell yet: what is published, fails or waits for you will be here."))


def _group(me: Me, group: Group) -> None:
    newest, key = group.newest, f"{group.kind}:{group.about}:{group.day}"
    is_open = st.session_state.get(OPEN) == key
    head = st.container(horizontal=True, vertical_alignment="center")
    head.badge(kind_name(group.kind), color=COLORS[group.kind])
    if group.unread:
        head.badge(t("New") if group.count == 1 else t("{n} new", n=number(group.unread)))
    head.caption(when(newest.created_at, "d MMM, HH:mm"))
    if group.unread and head.button(t("Mark as read"), key=f"read:{key}", type="tertiary"):
        with me.tenant() as session:
            mark_read(session, group, zone())
        st.rerun()
    if group.count == 1:
        _one(newest)
        return
    st.markdown(f"**{plain(of_many(group))}**")
    if st.button(t("Hide them") if is_open else t("Show them"), key=f"open:{key}"):
        st.session_state.pop(OLDER, None)
        st.session_state[OPEN] = None if is_open else key
        again()
    if is_open:
        _members(me, group)


def _members(me: Me, group: Group) -> None:
    before = st.session_state.get(OLDER)
    with me.tenant() as session:
        rows = members(session, group, zone(), before=before)
    for row in rows:
        _one(row)
    pages = st.container(horizontal=True)
    if before is not None and pages.button(t("Newest of them"), key="members:newest"):
        del st.session_state[OLDER]
        again()
    if len(rows) == MEMBERS and pages.button(t("Older ones"), key="members:older"):
        st.session_state[OLDER] = rows[-1].id
        again()


def _one(notice: Notice) -> None:
    """A notice, with the way to what it is about."""
    name = plain(notice.subject)
    if notice.recording_id is not None:
        _link("recording", name, id=str(notice.recording_id))
    elif notice.kind == NoticeKind.CONNECT:
        _link("connections", name)
    else:
        st.markdown(name)
    st.caption(plain(why(notice)))


def _link(page: str, label: str, **query: str) -> None:
    """To a page, where the person may see it."""
    pages = st.session_state["pages"]
    if page in pages:
        st.page_link(pages[page], label=label, query_params=query or None)
    else:
        st.markdown(label)


def _pager(found: list[Group], before: int | None, *, unread: bool) -> None:
    row = st.container(horizontal=True)
    if before is not None and row.button(t("Newest"), key="notices:newest"):
        del st.session_state[BEFORE]
        again()
    if len(found) == GROUPS and row.button(t("Older"), key="notices:older_page"):
        st.session_state[BEFORE] = (unread, min(each.newest.id for each in found))
        again()
