"""Topics as a person changes them, a time and a title on each line; and the versions there are."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard.app_pages._recording_parts import Subject, attempt
from dashboard.session import Me
from dashboard.texts import t, tn, when
from leap_pipeline.domain.chapter_text import (
    LONGEST_TITLE,
    MOST_TOPICS,
    read_chapters,
    write_chapters,
)
from leap_pipeline.domain.deletion import DeleteState
from leap_pipeline.services.recording_view import View
from leap_pipeline.services.topic_edits import edit_topics, load_versions, switch_topics
from leap_pipeline.topics.document import MANUAL, TopicsDocument, Version

LONGEST_TEXT = MOST_TOPICS * (LONGEST_TITLE + 10)
BEGUN = "topics_begun"


@dataclass(frozen=True)
class Begun:
    """The version that was there when a person began to write, and what it said."""

    number: int
    version: str | None
    text: str
    main: str

    @property
    def key(self) -> str:
        """Ends the keys of the fields."""
        return f"{self.number}:{self.version}"


def show_topics(me: Me, subject: Subject, view: View) -> None:
    with me.tenant(subject.owner_id) as session:
        document = load_versions(session, me.console.storage, subject.number)
    if view.state is not DeleteState.ACTIVE:
        _read_only(document)
        return
    _editor(me, subject, view, document)
    if document is not None:
        _versions(me, subject, document)


def _read_only(document: TopicsDocument | None) -> None:
    if document is None:
        st.info(t("It has no topics."))
    else:
        st.text(write_chapters(document.active.topic_timestamps))


def _editor(me: Me, subject: Subject, view: View, document: TopicsDocument | None) -> None:
    begun = _begun(subject, document)
    active = document.active if document is not None else None
    if active is None:
        st.caption(t("No topics yet: a run finds them, or you write them here."))
    elif active.model == MANUAL:
        st.caption(t("Written by hand: no run takes their place."))
    if active is not None and active.id != begun.version:
        _say_there_are_others(begun)
    key = begun.key
    with st.form("topics"):
        main = st.text_input(
            t("What it is about"),
            begun.main,
            key=f"main:{key}",
            help=t("A few words; several topics with commas between them."),
            max_chars=500,
        )
        text = st.text_area(
            t("Topics, a time and a title on each line"),
            begun.text,
            key=f"topics:{key}",
            height=320,
            max_chars=LONGEST_TEXT,
            placeholder="0:00:00 Introduction\n0:11:40 Gradient descent",
        )
        wanted = st.form_submit_button(t("Save"), type="primary")

    def act() -> str:
        before = active.topic_timestamps if active is not None else []
        topics = read_chapters(text or "", before, view.seconds)
        with me.tenant(subject.owner_id) as session:
            edit_topics(
                session,
                me.console.storage,
                subject.number,
                topics,
                (main or "").split(","),
                seen=begun.version,
                actor=me.actor,
            )
        _forget()
        return t("Saved. What is published changes with an update there.")

    if wanted:
        attempt(act)


def _say_there_are_others(begun: Begun) -> None:
    """Mostly nobody has written anything yet: a run found the first while the page was open."""
    if begun.version is None:
        st.info(t("Topics were found meanwhile: load them before you write your own."))
        label = t("Load them")
    else:
        st.warning(t("Other topics count by now; what you write here takes their place."))
        label = t("Load them, without what is written here")
    if st.button(label, key="load_topics"):
        _forget()
        st.rerun()


def _begun(subject: Subject, document: TopicsDocument | None) -> Begun:
    """Stays as long as its fields are shown: what is written there and not sent is known to the
    browser alone, so a version that a run finds meanwhile must not take their place.
    """
    active = document.active if document is not None else None
    now = Begun(
        subject.number,
        active.id if active is not None else None,
        write_chapters(active.topic_timestamps) if active is not None else "",
        ", ".join(active.main_topics) if active is not None else "",
    )
    begun = st.session_state.get(BEGUN)
    shown = isinstance(begun, Begun) and f"topics:{begun.key}" in st.session_state
    if not isinstance(begun, Begun) or begun.number != now.number or not shown:
        st.session_state[BEGUN] = begun = now
    return begun


def _forget() -> None:
    st.session_state.pop(BEGUN, None)


def _versions(me: Me, subject: Subject, document: TopicsDocument) -> None:
    if len(document.versions) < 2:
        return
    title = tn("{n} version", "{n} versions", len(document.versions))
    with st.expander(title):
        versions = {each.id: each for each in reversed(document.versions)}
        chosen = st.selectbox(
            t("Version"),
            list(versions),
            format_func=lambda version: _told(versions[version]),
            key=f"version:{subject.number}:{document.active_version}",
        )
        version = versions[chosen]
        st.text(write_chapters(version.topic_timestamps) or t("No topics."))
        if version.is_active:
            st.caption(t("This one counts."))
        elif st.button(t("Let this one count"), key="switch_version"):
            attempt(lambda: _switch(me, subject, version.id))


def _told(version: Version) -> str:
    who = t("by hand") if version.model == MANUAL else version.model
    found = tn("{n} topic", "{n} topics", len(version.topic_timestamps))
    counts = f" · {t('counts')}" if version.is_active else ""
    return f"{version.id} · {who} · {when(version.created_at)} · {found}{counts}"


def _switch(me: Me, subject: Subject, version: str) -> str:
    with me.tenant(subject.owner_id) as session:
        switch_topics(session, me.console.storage, subject.number, version, actor=me.actor)
    _forget()
    return t("This version counts now.")
