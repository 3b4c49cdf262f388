"""What a user has and did: recordings, sessions, history."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dashboard.app_pages.admin_audit import AUDIT_PAGE, draw_entries
from dashboard.app_pages.admin_parts import done, pager, place_in_list, system
from dashboard.chips import status_name
from dashboard.owners import Owner, visit
from dashboard.session import Me
from dashboard.tables import moments
from dashboard.texts import clock, t, tn
from leap_pipeline.db.models.users import User
from leap_pipeline.db.repositories.recordings import RecordingFilter, Recordings
from leap_pipeline.services.administration import audit_page, end_sessions
from leap_pipeline.services.audit import AuditFilter
from leap_pipeline.services.token_families import live_sessions

PAGE = 25


def show_recordings(me: Me, user: User) -> None:
    owner = Owner(user.id, user.email)
    after = place_in_list("recordings", user.id)
    with me.tenant(user.id) as session:
        found = Recordings(session).page(RecordingFilter(deleted=None), after=after, limit=PAGE)
    if not found.items:
        st.info(t("This user has no recordings."))
        return
    if st.button(t("Open their list"), key="their_recordings"):
        visit(me, owner, "recordings")
    chosen: Any = st.dataframe(
        {
            "id": [row.id for row in found.items],
            "name": [row.display_name for row in found.items],
            "status": [_status(row.status, deleted=bool(row.deleted)) for row in found.items],
            "start": [row.start_time for row in found.items],
            "length": [clock(row.duration) for row in found.items],
            "reason": [row.failed_reason or row.skip_reason or "" for row in found.items],
        },
        hide_index=True,
        key=f"recordings:{user.id}",
        on_select="rerun",
        selection_mode="single-row",
        height="content",
        alt=t("Recordings"),
        column_config={
            "id": st.column_config.NumberColumn(t("Number"), format="%d"),
            "name": st.column_config.TextColumn(t("Name"), width="large"),
            "status": st.column_config.TextColumn(t("Status")),
            "start": moments(t("Recorded")),
            "length": st.column_config.TextColumn(t("Length")),
            "reason": st.column_config.TextColumn(t("Why"), width="large"),
        },
    )
    lines = [at for at in chosen.selection.rows if 0 <= at < len(found.items)]
    if lines:
        visit(me, owner, "recording", id=str(found.items[lines[0]].id))
    pager(found.after)


def show_sessions(me: Me, user: User) -> None:
    with system(me) as session:
        found = live_sessions(session, user.id)
    if not found:
        st.info(t("This user is logged in nowhere."))
        return
    st.dataframe(
        {
            "seen": [each.last_seen_at for each in found],
            "address": [each.ip_address or "" for each in found],
            "browser": [each.user_agent or "" for each in found],
            "since": [each.started_at for each in found],
            "until": [each.expires_at for each in found],
        },
        hide_index=True,
        height="content",
        alt=t("Sessions"),
        column_config={
            "seen": moments(t("Last seen")),
            "address": st.column_config.TextColumn(t("Address")),
            "browser": st.column_config.TextColumn(t("Browser"), width="large"),
            "since": moments(t("Logged in")),
            "until": moments(t("Ends")),
        },
    )
    if st.button(t("End all of them"), key="end_sessions"):
        ended = end_sessions(me.console.sessions, me.editor, user.id)
        done(tn("{n} session was ended.", "{n} sessions were ended.", ended))


def show_history(me: Me, user: User) -> None:
    with system(me) as session:
        found, following = audit_page(session, me.editor, AuditFilter(owner_id=user.id), limit=PAGE)
    draw_entries(me, found)
    if following is not None and st.button(t("All of it in the audit log"), key="all_history"):
        from dashboard.shell import go_to

        go_to(AUDIT_PAGE, owner=user.email)


def _status(status: str, *, deleted: bool) -> str:
    return t("{status}, deleted", status=status_name(status)) if deleted else status_name(status)
