"""What stands in a recording's way, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.app_pages._recording_acts import publish_on, run
from dashboard.app_pages._recording_parts import (
    Subject,
    attempt,
    step_name,
)
from dashboard.session import Me
from dashboard.shell import go_to
from dashboard.texts import mark, t, when
from dashboard.words import plain
from leap_pipeline.db.models.runs import RecordingHold, RecordingRun
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.permissions import Permission
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.recording_acts import Act, acts
from leap_pipeline.domain.states import Phase, Platform, RunState
from leap_pipeline.services import steering
from leap_pipeline.services.published_by_hand import Desk, settle_upload
from leap_pipeline.services.recording_view import View

CONNECTIONS = "connections"
HOLDS: Mapping[str, str] = {
    HoldKind.QUALITY: mark("Held by a quality check"),
    HoldKind.DOUBTFUL_UPLOAD: mark("Nobody knows whether this upload arrived"),
    HoldKind.APPROVAL: mark("Waits for approval"),
    HoldKind.PAUSE: mark("Paused"),
}


def show_notices(me: Me, subject: Subject, view: View) -> None:
    """Nothing where nothing is in the way."""
    row = view.recording
    if view.state is DeleteState.SOFT_DELETED:
        st.warning(t("It is in the bin until {when}.", when=when(row.hard_delete_at)))
    if row.skip_reason:
        st.info(t("Skipped: {reason}", reason=plain(row.skip_reason)))
    if view.failed is not None:
        _failure(me, subject, view)
    for held in view.holds:
        _hold(me, subject, held)
    for each in view.live_runs:
        _waiting(each)


def _failure(me: Me, subject: Subject, view: View) -> None:
    """The step that failed, with its remedy."""
    failed = view.failed
    if failed is None:
        return
    why = plain(failed.reason) or t("nobody says why")
    with st.container(border=True, key="failure"):
        st.error(t("**{step}** failed: {why}", step=plain(step_name(failed.name)), why=why))
        if view.live_runs:
            return  # it is tried again already
        row = st.container(horizontal=True, vertical_alignment="center")
        if view.is_cut_off:
            row.write(t("Connect the account again, then try again: what is done stays done."))
        else:
            row.write(t("Put right what it says, then try again: what is done stays done."))
        is_linked = view.is_cut_off and CONNECTIONS in st.session_state["pages"]
        if is_linked and row.button(t("Connections"), key="to_connections"):
            go_to(CONNECTIONS)
        offered = acts(view.standing, me.rights)
        if failed.name in tuple(Platform):
            platform = Platform(failed.name)
            label = t("Publish on {platform} again", platform=PLATFORM_NAMES[platform])
            if Act.PUBLISH in offered and row.button(label, type="primary", key="remedy"):
                attempt(lambda: publish_on(me, subject, platform))
        elif Act.RUN in offered and row.button(t("Try again"), type="primary", key="remedy"):
            attempt(lambda: run(me, subject))


def _hold(me: Me, subject: Subject, held: RecordingHold) -> None:
    with st.container(border=True, key=f"hold_{held.id}"):
        where = f" · {PLATFORM_NAMES[Platform(held.target_type)]}" if held.target_type else ""
        st.warning(f"**{t(HOLDS[HoldKind(held.kind)])}{where}**: {plain(held.reason)}")
        _facts(held.facts)
        st.caption(t("Since {when}, by {who}", when=when(held.created_at), who=plain(held.held_by)))
        if held.kind == HoldKind.DOUBTFUL_UPLOAD and held.target_type:
            _settle(me, subject, Platform(held.target_type), held.id)
        elif st.button(t("Release"), type="primary", key=f"release_{held.id}"):
            attempt(lambda: _release(me, subject, held.id))


def _facts(facts: Mapping[str, Any]) -> None:
    for name, value in facts.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else value
        st.text(f"{name}: {shown}")


def _release(me: Me, subject: Subject, hold_id: int) -> str:
    with me.tenant(subject.owner_id) as session:
        queued = steering.release(session, hold_id, me.actor)
    if queued:
        return t("Released: what it had stopped is queued again.")
    return t("Released.")


def _settle(me: Me, subject: Subject, platform: Platform, hold_id: int) -> None:
    """Look there, then say what was found."""
    name = PLATFORM_NAMES[platform]
    if not me.may(Permission.UPLOAD):
        st.write(t("Somebody who may publish has to look on {platform}.", platform=name))
        return
    st.write(t("Look on {platform}, then say what you found.", platform=name))
    with st.form(f"settle_{hold_id}", border=False):
        named = st.text_input(
            t("The id of the video that is there"),
            key=f"settle_id_{hold_id}",
            max_chars=100,
            help=t("VK: owner and video, as in -1_456239017.")
            if platform is Platform.VK
            else t("What stands behind v= in its address."),
        )
        row = st.container(horizontal=True)
        with row:
            is_there = st.form_submit_button(t("This is the video"), type="primary")
            is_gone = st.form_submit_button(t("There is none: send it again"))
    desk = Desk(me.console.database, me.console.vault, me.console.settings)

    def settle(found: str | None) -> str:
        owner, number = subject.owner_id, subject.number
        with st.spinner(t("{platform} is asked…", platform=name)):
            video = settle_upload(desk, owner, number, platform, found, me.editor)
        return t("It is sent again.") if video is None else t("It counts as published.")

    if is_there and not (named or "").strip():
        st.error(t("Write the id of the video that is there."))
    elif is_there:
        attempt(lambda: settle((named or "").strip()), of=name)
    elif is_gone:
        attempt(lambda: settle(None), of=name)


def _waiting(each: RecordingRun) -> None:
    what = (
        t("Preparing")
        if each.phase == Phase.PREPARE or not each.target_type
        else t("Publishing on {platform}", platform=PLATFORM_NAMES[Platform(each.target_type)])
    )
    if each.state == RunState.WAITING:
        why = plain(each.reason) or t("nobody says why")
        until = when(each.due_at)
        st.info(t("{what} waits until {until}: {why}", what=what, until=until, why=why))
    elif each.state == RunState.QUEUED:
        st.info(t("{what} waits for its turn.", what=what))
