"""What was done to a recording, by whom, and the files that came of it."""

from __future__ import annotations

import json

import streamlit as st

from dashboard.app_pages._recording_parts import RUN_STATES, Subject, step_name
from dashboard.session import Me
from dashboard.texts import clock, t, zone
from leap_pipeline.db.models.runs import RecordingRun
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.states import Phase
from leap_pipeline.services.audit import AuditFilter, entries
from leap_pipeline.services.playback import Material, load_material
from leap_pipeline.services.recording_view import View, runs_of

MOST_ENTRIES = 200


def show_history(me: Me, subject: Subject, view: View) -> None:
    with me.tenant(subject.owner_id) as session:
        runs = runs_of(session, subject.number)
    st.subheader(t("Runs"))
    if runs:
        _runs(me, runs)
    else:
        st.caption(t("It was never run."))
    if me.is_admin:
        _audit(me, subject)


def _runs(me: Me, runs: list[RecordingRun]) -> None:
    columns: dict[str, object] = {
        "asked": [each.created_at for each in runs],
        "what": [_what(each) for each in runs],
        "who": [each.requested_by for each in runs],
        "state": [t(RUN_STATES.get(each.state, each.state)) for each in runs],
        "took": [_took(each) for each in runs],
        "why": [each.reason or "" for each in runs],
    }
    config = {
        "asked": st.column_config.DatetimeColumn(t("Asked for"), timezone=zone().key),
        "what": st.column_config.TextColumn(t("What")),
        "who": st.column_config.TextColumn(t("By")),
        "state": st.column_config.TextColumn(t("Ended")),
        "took": st.column_config.TextColumn(t("Took")),
        "why": st.column_config.TextColumn(t("Why"), width="large"),
    }
    if me.is_admin:
        columns["dagster"] = [
            f"{me.console.settings.public_url.rstrip('/')}/dagster/runs/{each.dagster_run_id}"
            if each.dagster_run_id
            else None
            for each in runs
        ]
        config["dagster"] = st.column_config.LinkColumn(t("In Dagster"), display_text=t("Run"))
    st.dataframe(columns, hide_index=True, key="runs", column_config=config)


def _what(run: RecordingRun) -> str:
    what = t("Preparing") if run.phase == Phase.PREPARE else step_name(run.target_type or "")
    if run.forced_from:
        return t("{what}, anew from {stage}", what=what, stage=step_name(run.forced_from))
    return what


def _took(run: RecordingRun) -> str:
    if run.started_at is None or run.finished_at is None:
        return ""
    return clock((run.finished_at - run.started_at).total_seconds())


def _audit(me: Me, subject: Subject) -> None:
    wanted = AuditFilter(subject_type="recording", subject_id=str(subject.number))
    with me.console.database.system() as session:
        found = entries(session, wanted, limit=MOST_ENTRIES)
    st.subheader(t("Audit log"))
    if not found:
        st.caption(t("Nobody has changed anything."))
        return
    st.dataframe(
        {
            "at": [each.at for each in found],
            "who": [each.actor for each in found],
            "what": [each.action for each in found],
            "before": [_document(each.before) for each in found],
            "after": [_document(each.after) for each in found],
            "from": [str(each.ip_address or "") for each in found],
        },
        hide_index=True,
        key="audit",
        column_config={
            "at": st.column_config.DatetimeColumn(t("When"), timezone=zone().key),
            "who": st.column_config.TextColumn(t("Who")),
            "what": st.column_config.TextColumn(t("What")),
            "before": st.column_config.TextColumn(t("Before"), width="medium"),
            "after": st.column_config.TextColumn(t("After"), width="medium"),
            "from": st.column_config.TextColumn(t("From")),
        },
    )


def _document(value: object) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def show_files(me: Me, subject: Subject, view: View) -> None:
    """Files to keep; who may not export finds no such part."""
    if view.state is not DeleteState.ACTIVE:
        st.caption(t("It is in the bin: restore it to get its files."))
        return
    with me.tenant(subject.owner_id) as session:
        material = load_material(session, subject.number)
    names = _names(material)
    if not names:
        st.info(t("There are no files yet: run the recording first."))
        return
    row = st.container(horizontal=True)
    for name, label in names.items():
        row.link_button(label, f"/recordings/{subject.number}/files/{name}")


def _names(material: Material) -> dict[str, str]:
    found: dict[str, str] = {}
    if material.videos:
        found["video.mp4"] = t("Video")
    if material.transcript:
        found["transcript.txt"] = t("Transcript as text")
        found["transcript.json"] = t("Transcript with times")
    for form in material.subtitles:
        found[f"subtitles.{form}"] = t("Subtitles ({form})", form=form.upper())
    if material.topics:
        found["topics.json"] = t("Topics")
    return found
