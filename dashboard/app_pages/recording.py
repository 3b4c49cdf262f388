"""One recording: how far it is, what it shows, what is published of it, and what can be done."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import UTC, datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.app_pages._recording_acts import show_acts
from dashboard.app_pages._recording_history import show_files, show_history
from dashboard.app_pages._recording_notices import show_notices
from dashboard.app_pages._recording_parts import Subject
from dashboard.app_pages._recording_published import show_published
from dashboard.app_pages._recording_settings import show_settings
from dashboard.app_pages._recording_timeline import follow, stamp
from dashboard.app_pages._recording_topics import show_topics
from dashboard.app_pages._recordings_filters import place
from dashboard.chips import COLORS, status_name
from dashboard.session import Me
from dashboard.shell import go_to
from dashboard.texts import clock, t, when
from dashboard.words import plain
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.permissions import Permission
from leap_pipeline.domain.states import RecordingStatus
from leap_pipeline.errors import NotFound
from leap_pipeline.services.concurrency import owner_of
from leap_pipeline.services.directory import names
from leap_pipeline.services.recording_view import View, load_view

LONGEST_ID = 9
PLAYER_HEIGHT = 620
Part = Callable[[Me, Subject, View], None]


def show(me: Me) -> None:
    if st.button(t("← Recordings"), type="tertiary", key="back"):
        go_to("recordings", **place())
    try:
        number = _asked()
        owner, account = _owner(me, number)
        with me.tenant(owner) as session:
            view = load_view(session, number, datetime.now(UTC))
    except NotFound as error:
        st.title(t("Recording"))
        st.info(plain(str(error)))
        return
    subject = Subject(owner, number, view.recording.display_name)
    head = _head(subject, view, account)
    if view.state is DeleteState.HARD_DELETED:
        st.info(t("Its content is gone for good."))
        return
    show_acts(head, me, subject, view)
    show_notices(me, subject, view)
    _pictures(subject, view)
    _parts(me, subject, view)


def _asked() -> int:
    """The recording in the address; raises `NotFound` for what is none."""
    asked = st.query_params.get("id", "")
    if not asked:
        msg = t("Choose a recording in the list.")
        raise NotFound(msg)
    if not (asked.isascii() and asked.isdigit() and len(asked) <= LONGEST_ID):
        msg = t("There is no such recording.")
        raise NotFound(msg)
    return int(asked)


def _owner(me: Me, number: int) -> tuple[str, str]:
    """One's own, and for an admin whoever has it, with that account's address."""
    if not me.is_admin:
        return me.user_id, ""
    with me.console.database.system() as session:
        found = owner_of(session, number) or me.user_id
        others = [] if found == me.user_id else [found]
        return found, names(session, me.rights, others).get(found, "")


def _head(subject: Subject, view: View, account: str) -> DeltaGenerator:
    """The name, what is to be known at once, and the row below for what can be done."""
    row = view.recording
    st.title(plain(row.display_name))
    line = st.container(horizontal=True, vertical_alignment="center", gap="small")
    line.badge(status_name(row.status), color=COLORS[RecordingStatus(row.status)])  # type: ignore[arg-type]
    facts = [when(row.start_time), clock(row.duration)]
    if row.input_source is not None:
        facts.append(row.input_source.name)
    facts.append(
        t("template “{name}”", name=row.template.name) if row.template else t("no template")
    )
    if row.blank_record:
        facts.append(t("blank"))
    if account:
        facts.append(t("recordings of {name}", name=account))
    line.caption(plain(" · ".join(facts)))
    return st.container(horizontal=True)


def _pictures(subject: Subject, view: View) -> None:
    left, right = st.columns([3, 2], gap="medium")
    with left:
        row = view.recording
        if view.state is not DeleteState.ACTIVE:
            st.info(t("Restore it to watch it."))
        elif row.local_video_path or row.processed_video_path:
            theme = st.context.theme.type or ""
            player = f"/recordings/{subject.number}/player?theme={theme}&of={_content(view)}"
            st.iframe(player, height=PLAYER_HEIGHT)
        else:
            st.info(t("There is no video yet: it comes with the download."))
    with right:
        follow(subject, stamp(view), [view])


def _content(view: View) -> str:
    """Another text when there is other content to play, for which the frame is loaded anew."""
    row = view.recording
    made = sorted((each.stage_type, str(each.completed_at)) for each in row.stages)
    said = (row.local_video_path, row.processed_video_path, row.topic_timestamps, made)
    return f"{zlib.crc32(repr(said).encode()):08x}"


def _parts(me: Me, subject: Subject, view: View) -> None:
    """Only the part that is open is read."""
    parts: dict[str, Part] = {
        t("Topics"): show_topics,
        t("Publishing"): show_published,
        t("Settings"): show_settings,
        t("History"): show_history,
    }
    if me.may(Permission.EXPORT_DATA):
        parts[t("Files")] = show_files
    opened = st.tabs(list(parts), key="parts", on_change="rerun")
    for tab, part in zip(opened, parts.values(), strict=True):
        if tab.open:
            with tab:
                part(me, subject, view)
