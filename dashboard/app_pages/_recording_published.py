"""Where a recording is published, what it says there, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import streamlit as st

from dashboard.app_pages._recording_acts import REASON_LIMIT, publish_on
from dashboard.app_pages._recording_parts import (
    RUN_STATES,
    STATES,
    STEP_STATES,
    Subject,
    attempt,
    state_name,
)
from dashboard.live import dialog
from dashboard.session import Me
from dashboard.texts import clock, mark, t, when
from dashboard.words import plain
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.domain.permissions import Permission
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.publication_diff import Change
from leap_pipeline.domain.states import LIVE_RUN_STATES, Platform, RunState, TargetStatus
from leap_pipeline.services.preview import Preview, There, load_preview
from leap_pipeline.services.publish_run import collection_of
from leap_pipeline.services.publish_status import (
    RunLine,
    TargetLine,
    step_title,
    target_lines,
)
from leap_pipeline.services.published import request_update
from leap_pipeline.services.published_by_hand import Desk, retract_video
from leap_pipeline.services.recording_view import View
from leap_pipeline.services.runs import why_nothing
from leap_pipeline.services.target_steps import COLLECTION

COLLECTIONS: Mapping[Platform, str] = {
    Platform.YOUTUBE: mark("playlist"),
    Platform.VK: mark("album"),
}


def show_published(me: Me, subject: Subject, view: View) -> None:
    if view.state is not DeleteState.ACTIVE:
        for line in view.lines:
            if line.url:
                st.text(f"{PLATFORM_NAMES[Platform(line.name)]}: {line.url}")
        st.caption(t("It is in the bin: restore it to change what is published."))
        return
    with me.tenant(subject.owner_id) as session:
        targets = target_lines(session, subject.number)
    if not targets:
        st.info(t("It is published nowhere: choose presets in its template, or in its settings."))
    for each in targets:
        with st.container(border=True, key=f"target_{each.platform}"):
            _target(me, subject, each)


def _target(me: Me, subject: Subject, target: TargetLine) -> None:
    name = PLATFORM_NAMES[target.platform]
    head = st.container(horizontal=True, vertical_alignment="center")
    head.markdown(f"**{name}**")
    head.badge(state_name(target.status), color=STATES[target.status][1])  # type: ignore[arg-type]
    if target.uploaded_at is not None:
        head.caption(when(target.uploaded_at))
    if target.url and target.url.startswith(("https://", "http://")):
        head.link_button(t("Watch it there"), target.url, type="tertiary")
    for line in _told(target):
        st.text(line)
    if target.steps:
        _steps(target)
    _acts(me, subject, target)


def _steps(target: TargetLine) -> None:
    steps = target.steps
    st.dataframe(
        {
            "what": [step_title(target.platform, each.kind, each.name) for each in steps],
            "state": [t(STEP_STATES[each.state]) for each in steps],
            "why": [each.reason or "" for each in steps],
        },
        hide_index=True,
        key=f"steps_{target.platform}",
        column_config={
            "what": st.column_config.TextColumn(t("Beside the video")),
            "state": st.column_config.TextColumn(t("State")),
            "why": st.column_config.TextColumn(t("Why"), width="large"),
        },
    )


def _told(target: TargetLine) -> Iterator[str]:
    """What is to be known of it, a line each."""
    run = target.run
    if target.reason:
        yield target.reason
    if run is not None and not (target.reason and run.state == RunState.FAILED):
        yield _run(run)
    for held in target.holds:
        yield t("Held: {reason}", reason=held.reason)
    if target.processing:
        note = f": {target.processing_note}" if target.processing_note else ""
        name = PLATFORM_NAMES[target.platform]
        yield t("{platform} says: {what}", platform=name, what=f"{target.processing}{note}")


def _run(run: RunLine) -> str:
    if run.state == RunState.WAITING and run.due_at is not None:
        why = run.reason or t("nobody says why")
        return t("It waits until {until}: {why}", until=when(run.due_at), why=why)
    if run.state == RunState.RUNNING and run.progress is not None:
        return t("{share} is sent", share=f"{run.progress:.0%}")
    if run.state == RunState.FAILED:
        return t("The last run failed: {why}", why=run.reason or t("nobody says why"))
    return t("It is {state}.", state=t(RUN_STATES[run.state]))


def _acts(me: Me, subject: Subject, target: TargetLine) -> None:
    platform = target.platform
    at_work = target.run is not None and target.run.state in LIVE_RUN_STATES
    row = st.container(horizontal=True)
    if target.status == TargetStatus.UPLOADED:
        if me.may(Permission.UPDATE_UPLOADED_VIDEOS):
            if row.button(t("Update…"), key=f"update_{platform}"):
                _ask_update(subject, platform)
            if row.button(t("Take it away…"), key=f"retract_{platform}"):
                _ask_retract(subject, platform)
        return
    may_begin = me.may(Permission.UPLOAD) and target.status != TargetStatus.UPLOADING
    label, key = t("Publish"), f"publish_{platform}"
    if may_begin and not at_work and row.button(label, type="primary", key=key):
        attempt(lambda: publish_on(me, subject, platform))
    if row.button(t("What would be published"), key=f"preview_{platform}"):
        _show_preview(subject, platform)


@dialog(lambda: t("What would be published"), width="large")
def _show_preview(me: Me, subject: Subject, platform: Platform) -> None:
    found = _load(me, subject, platform)
    given, sent = found.publication, found.sent
    captions = given.captions
    lines = [
        (t("Title"), sent.title),
        (t("Tags"), ", ".join(sent.tags)),
        (t("Video"), clock(given.seconds) if given.video else None),
        (t("Thumbnail"), given.thumbnail_name if given.thumbnail else None),
        (t("Captions"), captions.language if captions else None),
        (t(COLLECTIONS[platform]).capitalize(), collection_of(given)),
    ]
    for name, text in lines:
        st.text(f"{name}: {text or t('none')}")
    st.text(sent.description or t("No description."))
    for note in found.notes:
        st.info(plain(note))


@dialog(lambda: t("Update what is published"), width="large")
def _ask_update(me: Me, subject: Subject, platform: Platform) -> None:
    found = _load(me, subject, platform)
    if found.there is not None:
        _difference(found.there, platform)
    for note in found.notes:
        st.info(plain(note))

    def act() -> str:
        with me.tenant(subject.owner_id) as session:
            asked = request_update(session, subject.number, platform, me.editor)
        return t("The update is queued.") if asked.run_id is not None else why_nothing(asked.plan)

    label = t("Update on {platform}", platform=PLATFORM_NAMES[platform])
    if st.button(label, type="primary", key="update_go"):
        attempt(act)


@dialog(lambda: t("Take it away"))
def _ask_retract(me: Me, subject: Subject, platform: Platform) -> None:
    name = PLATFORM_NAMES[platform]
    st.write(
        t(
            "The video of “{name}” is deleted on {platform}, with its comments and views. "
            "The recording stays here and can be published again, at another address.",
            name=plain(subject.name),
            platform=name,
        )
    )
    with st.form("retract", border=False):
        reason = st.text_input(t("Why"), max_chars=REASON_LIMIT, key="retract_reason")
        wanted = st.form_submit_button(
            t("Delete the video on {platform}", platform=name), type="primary"
        )
    desk = Desk(me.console.database, me.console.vault, me.console.settings)

    def act() -> str:
        owner, number = subject.owner_id, subject.number
        with st.spinner(t("{platform} is asked…", platform=name)):
            retract_video(desk, owner, number, platform, me.editor, (reason or "").strip())
        return t("The video is gone from {platform}.", platform=name)

    if wanted and not (reason or "").strip():
        st.error(t("Say why, for whoever meets it later."))
    elif wanted:
        attempt(act, of=name)


def _load(me: Me, subject: Subject, platform: Platform) -> Preview:
    with me.tenant(subject.owner_id) as session:
        now = datetime.now(UTC)
        return load_preview(session, me.console.storage, subject.number, platform, now)


def _difference(there: There, platform: Platform) -> None:
    """What an update changes of a published video."""
    if not there.changes and not there.beside and not there.left:
        st.write(t("Nothing would change: what is there is what is configured."))
    if there.changes:
        lines = [line for each in there.changes for line in _changed(each)]
        st.code("\n".join(lines), language="diff", wrap_lines=True)
    collection = t(COLLECTIONS[platform])
    if there.beside:
        titles = [collection if each == COLLECTION else each for each in there.beside]
        st.text(t("Made anew: {what}", what=", ".join(titles)))
    if there.left:
        what = ", ".join(there.left)
        st.text(t("It leaves the {collection} {what}.", collection=collection, what=what))


def _changed(change: Change) -> Iterator[str]:
    yield f"@@ {change.field} @@"
    if change.lines:
        yield from (f"{line.sign} {line.text}".rstrip() for line in change.lines)
    elif change.added or change.removed:
        yield from (f"- {each}" for each in change.removed)
        yield from (f"+ {each}" for each in change.added)
    else:
        if change.before is not None:
            yield f"- {_written(change.before)}"
        if change.after is not None:
            yield f"+ {_written(change.after)}"


def _written(value: object) -> str:
    if isinstance(value, bool):
        return t("On") if value else t("Off")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
