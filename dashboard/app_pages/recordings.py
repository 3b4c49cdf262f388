"""The recordings: the home of daily work.

A rerun reads tables with four statements at most: who is there, what stands around the list, one
page of it, and the bulk actions that go on; or, where a dialog opens, how many it is about.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st
from sqlalchemy.orm import Session

from dashboard.app_pages import _recordings_bulk as bulk
from dashboard.app_pages import _recordings_filters as narrowing
from dashboard.app_pages import _recordings_table as table
from dashboard.live import live
from dashboard.session import Me
from dashboard.texts import t
from dashboard.words import html
from leap_pipeline.db.repositories.recording_lines import RecordingLines
from leap_pipeline.domain.permissions import Permission
from leap_pipeline.services.recording_frames import load_frame

REFRESH_SECONDS = 5


def show(me: Me) -> None:
    st.title(t("Recordings"))
    if narrowing.follow_address():
        table.begin_anew()
    bulk.confirm(me)
    _list()


@live(REFRESH_SECONDS)
def _list(me: Me) -> None:
    """The whole list: its filters, the counts of each status, and one page of lines."""
    owner_id = narrowing.owner_of(me)
    with _scope(me, owner_id) as session:
        frame = load_frame(session, owner_id, with_owners=me.is_admin)
        filters = narrowing.draw(me, frame, owner_id)
        shown = table.read(RecordingLines(session, owner_id), filters)
    bulk.progress(me, frame.owners)
    actions = st.container()
    selected = table.draw(filters, shown)
    with actions:
        bulk.menus(me, filters, selected, anything=bool(shown.page.items))
    if shown.page.items:
        table.pager(shown)
        _export(me, filters)
    narrowing.note_address()


def _export(me: Me, filters: narrowing.Filters) -> None:
    if me.may(Permission.EXPORT_DATA):
        links = (
            f'<a href="/exports/recordings.{form}?{html(filters.query)}" target="_top">{name}</a>'
            for form, name in (("csv", "CSV"), ("json", "JSON"))
        )
        st.html(f"{html(t('All of this list as a file:'))} {' · '.join(links)}")


@contextmanager
def _scope(me: Me, owner_id: str | None) -> Iterator[Session]:
    """Admins choose among all owners, also while they look at one."""
    if me.is_admin:
        with me.console.database.system() as session:
            yield session
        return
    with me.tenant(owner_id) as session:
        yield session
