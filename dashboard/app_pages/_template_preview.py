"""What a template as it is typed would take, and what would be published of one recording."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import streamlit as st
from sqlalchemy.orm import Session

from dashboard.app_pages._template_fields import of_platform
from dashboard.app_pages._template_state import (
    ACTIVE,
    METADATA,
    OUTPUT,
    RULES,
    Editing,
    Typed,
)
from dashboard.app_pages._template_verdicts import verdicts
from dashboard.fields import Kind, told_apart
from dashboard.pictures import small_picture
from dashboard.session import Me
from dashboard.texts import clock, t, tn
from dashboard.words import html, plain
from leap_pipeline.db.repositories.recordings import RecordingFilter, Recordings
from leap_pipeline.domain.matching import TAKING
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError
from leap_pipeline.services import matching
from leap_pipeline.services.publication import Publication, load_publication, sent_of

NAMES = {Platform.YOUTUBE: "YouTube", Platform.VK: "VK"}
FRESH_SECONDS = 60
MOST_NAMES = 8
MOST_FOUND = 20
LIST = "margin:0;padding-left:1.1rem;overflow-wrap:anywhere"


@dataclass(frozen=True)
class Taken:
    """What the rules take, in numbers, with the first names of each kind by id.

    It is kept while somebody types, so it has none of the ids of thousands of recordings.
    """

    mapped: int = 0
    unmapped: int = 0
    kept: int = 0
    left_to_older: int = 0
    names: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    @property
    def own(self) -> dict[int, str]:
        """Recordings to try the template on: those that it takes, or has."""
        return {**self.names.get("mapped", {}), **self.names.get("kept", {})}


def preview(me: Me, editing: Editing, typed: Typed) -> None:
    """Reads, and changes nothing."""
    with me.tenant(editing.owner.id) as session:
        found = _taken(session, editing, typed)
        with st.container(border=True):
            _which(editing, typed, found)
        with st.container(border=True):
            _one(session, me, editing, typed, found)


def _taken(session: Session, editing: Editing, typed: Typed) -> Taken | None:
    """What the rules take; looked up again when they change, or after a while."""
    if RULES in typed.problems:
        return None
    rules = typed.documents[RULES]
    if editing.template_id is None and not _says_something(typed):
        return Taken()
    asked = (editing.template_id, json.dumps(rules, sort_keys=True))
    if editing.found is not None:
        at, last, found = editing.found
        if last == asked and time.monotonic() - at < FRESH_SECONDS:
            return found  # type: ignore[no-any-return]
    made = _counted(
        matching.preview(session, editing.owner.id, template_id=editing.template_id, rules=rules)
    )
    editing.found = (time.monotonic(), asked, made)
    return made


def _says_something(typed: Typed) -> bool:
    return any(typed.documents[RULES].get(kind) for kind in TAKING)


def _counted(found: matching.Preview) -> Taken:
    changes = found.changes
    names = {"mapped": found.mapped, "unmapped": found.unmapped, "kept": found.kept}
    return Taken(
        len(changes.mapped), len(changes.unmapped), changes.kept, changes.left_to_older, names
    )


def _which(editing: Editing, typed: Typed, found: Taken | None) -> None:
    st.subheader(t("What it takes"))
    if found is None:
        st.caption(t("The rules cannot be read as they are."))
        return
    if not _says_something(typed):
        st.write(t("Nothing yet: say under “Recordings” what their names have in common."))
    elif not (found.mapped or found.unmapped or found.kept):
        st.write(t("No recording fits these rules."))
    _told(editing, typed, found)
    if found.left_to_older:
        st.caption(
            tn(
                "{n} recording fits, but an older template comes first",
                "{n} recordings fit, but an older template comes first",
                found.left_to_older,
            )
        )


def _told(editing: Editing, typed: Typed, found: Taken) -> None:
    """The recordings that it has, gets and loses."""
    kept, gets, loses = found.kept, found.mapped, found.unmapped
    if kept:
        said = tn("It has {n} recording and keeps it", "It has {n} recordings and keeps them", kept)
        _named(said, found.names["kept"], kept)
    if gets:
        _named(_gets(editing, typed, gets), found.names["mapped"], gets)
    if loses:
        said = tn(
            "A rematch would take {n} recording from it",
            "A rematch would take {n} recordings from it",
            loses,
        )
        _named(said, found.names["unmapped"], loses)


def _gets(editing: Editing, typed: Typed, count: int) -> str:
    if typed.state != ACTIVE:
        return tn(
            "Once it is active it takes {n} recording",
            "Once it is active it takes {n} recordings",
            count,
        )
    if editing.template_id is None:
        return tn(
            "It takes {n} recording when it is created",
            "It takes {n} recordings when it is created",
            count,
        )
    return tn(
        "A rematch would give it {n} recording", "A rematch would give it {n} recordings", count
    )


def _named(title: str, names: Mapping[int, str], total: int) -> None:
    shown = list(names.values())[:MOST_NAMES]
    items = "".join(f"<li>{html(name)}</li>" for name in shown)
    more = total - len(shown)
    if more > 0:
        items += f"<li>{html(t('… and {n} more', n=more))}</li>"
    st.html(f'<b>{html(title)}</b><ul style="{LIST}">{items}</ul>')


def _one(
    session: Session,
    me: Me,
    editing: Editing,
    typed: Typed,
    found: Taken | None,
) -> None:
    st.subheader(t("One recording"))
    text = st.text_input(
        t("Try it on"),
        key=f"{editing.key}:try",
        type="search",
        live=True,
        placeholder=t("Part of a recording's name"),
        max_chars=200,
    )
    options = _recordings(session, text or "", found)
    if not options:
        st.caption(t("No recording is called so.") if text else t("There is no recording yet."))
        return
    number = st.selectbox(
        t("Recording"),
        list(options),
        format_func=lambda each: options.get(each, str(each)),
        key=f"{editing.key}:recording:{text}",
        label_visibility="collapsed",
    )
    if number is None:
        return
    if RULES not in typed.problems:
        _why(session, editing, typed, number)
    _publication(session, me, editing, typed, number)


def _recordings(session: Session, text: str, found: Taken | None) -> dict[int, str]:
    """Those that are called so; else those that it takes, else the newest."""
    if not text.strip() and found is not None and found.own:
        return told_apart(found.own)
    page = Recordings(session).page(RecordingFilter(text=text), limit=MOST_FOUND)
    return told_apart({row.id: row.display_name for row in page.items})


def _why(session: Session, editing: Editing, typed: Typed, number: int) -> None:
    told = matching.explain_recording(
        session, number, template_id=editing.template_id, rules=typed.documents[RULES]
    )
    winner = told.explanation.winner
    own = editing.template_id or 0
    if winner is None:
        st.warning(t("No template takes it."))
    elif winner.template_id == own:
        st.success(t("This template takes it."))
    else:
        st.info(t("The template {name} takes it.", name=f"“{plain(winner.template)}”"))
    with st.expander(t("Why")):
        st.html(f'<ul style="{LIST}">{"".join(verdicts(told.explanation, typed.name, own))}</ul>')


def _publication(session: Session, me: Me, editing: Editing, typed: Typed, number: int) -> None:
    platform = st.segmented_control(
        t("Platform"),
        list(Platform),
        default=_first_platform(editing, typed),
        required=True,
        format_func=lambda each: NAMES[each],
        key=f"{editing.key}:platform",
        label_visibility="collapsed",
    )
    if METADATA in typed.problems or OUTPUT in typed.problems:
        st.caption(t("The texts cannot be shown until what is wrong is put right."))
        return
    try:
        made = load_publication(
            session,
            me.console.storage,
            number,
            Platform(platform or Platform.YOUTUBE),
            datetime.now(UTC),
            template=typed.unsaved(editing.template_id),
        )
    except InputError as error:
        st.warning(plain(str(error)))
        return
    show_publication(me, made)


def _first_platform(editing: Editing, typed: Typed) -> Platform:
    ids = typed.documents[OUTPUT].get("preset_ids") or ()
    chosen = (
        platform
        for platform in Platform
        if any(each in editing.choices.presets.get(platform, {}) for each in ids)
    )
    return next(chosen, Platform.YOUTUBE)


def show_publication(me: Me, made: Publication) -> None:
    """Thumbnail, title, description, tags and settings as the platform would be told them."""
    sent = sent_of(made)
    if made.thumbnail is not None:
        content = small_picture(me.console.storage, made.thumbnail)
        if content is not None:
            st.image(content, width="stretch", alt=t("Thumbnail"))
    tags = " ".join(
        f'<span style="border:1px solid currentColor;border-radius:1rem;padding:0 .5rem;'
        f'opacity:.8;display:inline-block;margin:0 .2rem .2rem 0">{html(tag)}</span>'
        for tag in sent.tags
    )
    st.html(
        '<div style="overflow-wrap:anywhere">'
        f"<b>{html(sent.title)}</b>"
        f'<div style="white-space:pre-wrap;margin:.5rem 0;max-height:20rem;overflow:auto" '
        f'tabindex="0">{html(sent.description or t("No description"))}</div>{tags}</div>'
    )
    facts = [
        t("preset {name}", name=f"“{plain(made.preset_name)}”")
        if made.preset_name
        else t("no preset"),
        clock(made.seconds),
        *(plain(each) for each in _settings(made)),
    ]
    st.caption(" · ".join(facts))
    for note in (*(each.text for each in made.texts.notes), *made.remarks):
        st.caption(plain(note))


def _settings(made: Publication) -> Iterator[str]:
    """What the platform is told beside the texts, as the form calls it."""
    for each in of_platform(made.platform):
        value = getattr(made.settings, each.path, None)
        if value not in (None, "", False):
            said = t("On") if each.kind is Kind.FLAG else each.choices.get(value, str(value))
            yield f"{each.label}: {said}"
