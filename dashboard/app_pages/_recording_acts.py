"""What a person can do about a recording: at once, or after a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import streamlit as st
from sqlalchemy.orm import Session
from streamlit.delta_generator import DeltaGenerator

from dashboard.app_pages._recording_parts import Subject, attempt, step_name
from dashboard.live import dialog
from dashboard.session import Me
from dashboard.texts import mark, t, when
from dashboard.words import plain
from leap_pipeline.domain.deletion import DeletionReason
from leap_pipeline.domain.holds import HoldKind
from leap_pipeline.domain.names import NAME_LIMIT
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.recording_acts import MAIN, Act, acts
from leap_pipeline.domain.states import Platform, Stage
from leap_pipeline.services import deletion, holds, steering
from leap_pipeline.services.published_by_hand import publish
from leap_pipeline.services.recording_edits import rename
from leap_pipeline.services.recording_view import View
from leap_pipeline.services.runs import request_run, why_nothing

LABELS: Mapping[Act, str] = {
    Act.RUN: mark("Run what is missing"),
    Act.PUBLISH: mark("Publish"),
    Act.CANCEL: mark("Cancel"),
    Act.UNSKIP: mark("Want again"),
    Act.RESTORE: mark("Restore"),
    Act.FORCE: mark("Redo from a stage…"),
    Act.RENAME: mark("Rename…"),
    Act.PAUSE: mark("Pause…"),
    Act.SKIP: mark("Skip…"),
    Act.DELETE: mark("Delete…"),
}
REASON_LIMIT = 500


def show_acts(row: DeltaGenerator, me: Me, subject: Subject, view: View) -> None:
    """The main act as a button, and a menu of the others, at the end of a row."""
    offered = acts(view.standing, me.rights)
    main = offered[0] if offered and offered[0] in MAIN else None
    others = [each for each in offered if each is not main]
    if view.failed is not None and main in (Act.RUN, Act.PUBLISH):
        main = None  # it stands beside the reason
    if main is not None and row.button(t(LABELS[main]), type="primary", key=f"act_{main}"):
        perform(me, subject, main)
    if others:
        chosen = row.menu_button(
            t("More"), others, format_func=lambda act: t(LABELS[act]), key="acts"
        )
        if chosen in others:
            perform(me, subject, chosen)


def perform(me: Me, subject: Subject, act: Act) -> None:
    """Do it, or ask what there is to ask first."""
    if act in _DIALOGS:
        _DIALOGS[act](subject)
    else:
        attempt(lambda: _AT_ONCE[act](me, subject))


def run(me: Me, subject: Subject, force: Stage | None = None) -> str:
    """What became of the request, for the person."""
    with me.tenant(subject.owner_id) as session:
        asked = request_run(session, subject.number, requested_by=me.actor.name, force=force)
    if asked.run_id is None:
        return t("There is nothing to do: {why}.", why=why_nothing(asked.plan))
    return t("It is queued.")


def publish_on(me: Me, subject: Subject, platform: Platform | None = None) -> str:
    """The same for what is to be published."""
    with me.tenant(subject.owner_id) as session:
        wanted = None if platform is None else [platform]
        asked = publish(session, subject.number, me.editor, wanted)
    said = [
        f"{PLATFORM_NAMES[on]}: {why_nothing(found.plan) if found.run_id is None else t('queued')}"
        for on, found in asked.requested.items()
    ]
    said += [f"{PLATFORM_NAMES[on]}: {why}" for on, why in asked.refused.items()]
    return "; ".join(said) or t(
        "It is published nowhere: choose presets in its template, or in its own settings."
    )


def _cancel(me: Me, subject: Subject) -> str:
    with me.tenant(subject.owner_id) as session:
        ended = steering.cancel(session, subject.number, actor=me.actor)
    return t("Cancelled: what is done already stays done.") if ended else t("Nothing was running.")


def _unskip(me: Me, subject: Subject) -> str:
    with me.tenant(subject.owner_id) as session:
        steering.unskip(session, subject.number, actor=me.actor)
    return t("It is wanted again.")


def _restore(me: Me, subject: Subject) -> str:
    # Whose account the admin's is cannot be seen in another tenant's scope.
    with _deleting(me, subject) as session:
        deletion.restore(session, subject.number, actor=me.actor, at=datetime.now(UTC))
    return t("It is back.")


def _deleting(me: Me, subject: Subject) -> AbstractContextManager[Session]:
    own = subject.owner_id == me.user_id or not me.is_admin
    return me.tenant(subject.owner_id) if own else me.console.database.system()


@dialog(lambda: t("Redo from a stage"))
def _ask_stage(me: Me, subject: Subject) -> None:
    st.write(t("This stage and all that is made of its result are done anew."))
    stage = st.selectbox(t("Stage"), list(Stage), format_func=step_name, key="force_stage")
    if st.button(t("Redo"), type="primary", key="force_go"):
        attempt(lambda: run(me, subject, stage))


@dialog(lambda: t("Rename"))
def _ask_name(me: Me, subject: Subject) -> None:
    with st.form("rename", border=False):
        name = st.text_input(t("Name"), subject.name, max_chars=NAME_LIMIT, key="new_name")
        wanted = st.form_submit_button(t("Rename"), type="primary")

    def act() -> str:
        with me.tenant(subject.owner_id) as session:
            rename(session, subject.number, name or "", actor=me.actor)
        return t("It has its new name.")

    if wanted:
        attempt(act)


@dialog(lambda: t("Pause"))
def _ask_pause(me: Me, subject: Subject) -> None:
    st.write(t("Nothing is done with it until somebody releases it; what is at work ends first."))
    reason = _reason("pause")

    def act() -> str:
        with me.tenant(subject.owner_id) as session:
            holds.hold(session, subject.number, HoldKind.PAUSE, reason or "", actor=me.actor)
        return t("It is paused.")

    if reason is not None:
        attempt(act)


@dialog(lambda: t("Skip"))
def _ask_skip(me: Me, subject: Subject) -> None:
    st.write(t("It is taken out of all work; what is at work is cancelled."))
    reason = _reason("skip")

    def act() -> str:
        with me.tenant(subject.owner_id) as session:
            steering.skip(session, subject.number, reason or "", actor=me.actor)
        return t("It is skipped.")

    if reason is not None:
        attempt(act)


@dialog(lambda: t("Delete"))
def _ask_delete(me: Me, subject: Subject) -> None:
    st.write(
        t(
            "“{name}” goes to the bin, from which it can be restored for a while. "
            "What is published stays where it is.",
            name=plain(subject.name),
        )
    )

    def act() -> str:
        own = subject.owner_id == me.user_id
        reason = DeletionReason.MANUAL if own else DeletionReason.ADMIN
        with _deleting(me, subject) as session:
            until = deletion.soft_delete(
                session, subject.number, reason=reason, actor=me.actor, at=datetime.now(UTC)
            )
        return t("It is in the bin until {when}.", when=when(until))

    if st.button(t("Delete it"), type="primary", key="delete_go"):
        attempt(act)


def _reason(name: str) -> str | None:
    """What was typed, once it was sent."""
    with st.form(name, border=False):
        reason = st.text_input(t("Why"), max_chars=REASON_LIMIT, key=f"{name}_reason")
        wanted = st.form_submit_button(t("Do it"), type="primary")
    return (reason or "") if wanted else None


_AT_ONCE: Mapping[Act, Callable[[Me, Subject], str]] = {
    Act.RUN: run,
    Act.PUBLISH: publish_on,
    Act.CANCEL: _cancel,
    Act.UNSKIP: _unskip,
    Act.RESTORE: _restore,
}
_DIALOGS: Mapping[Act, Callable[[Subject], None]] = {
    Act.FORCE: _ask_stage,
    Act.RENAME: _ask_name,
    Act.PAUSE: _ask_pause,
    Act.SKIP: _ask_skip,
    Act.DELETE: _ask_delete,
}
