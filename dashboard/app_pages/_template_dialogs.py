"""What a template asks back before it is done: looking again at recordings, and deleting."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from dashboard.fields import told_apart
from dashboard.live import dialog
from dashboard.messages import say_later
from dashboard.owners import Owner, visit
from dashboard.session import Me
from dashboard.texts import t, tn
from dashboard.words import html, plain
from leap_pipeline.db.repositories.catalogue import Templates
from leap_pipeline.db.repositories.recordings import RecordingFilter, Recordings
from leap_pipeline.services.catalogue import delete_template, rematch_template
from leap_pipeline.services.matching import Changes
from leap_pipeline.services.matching import preview as foresee
from leap_pipeline.services.template_use import TemplateUse, template_uses

LIST = "margin:0;padding-left:1.1rem;max-height:12rem;overflow:auto;overflow-wrap:anywhere"
MOST_FOUND = 20


@dialog(lambda: t("Look at the recordings again"))
def rematch(me: Me, owner: Owner, template_id: int) -> None:
    """By the template as it is saved."""
    with me.tenant(owner.id) as session:
        found = foresee(session, owner.id, template_id=template_id)
    changes = found.changes
    gained, lost = len(changes.mapped), len(changes.unmapped)
    if gained:
        _names(
            tn("{n} recording gets this template", "{n} recordings get this template", gained),
            found.mapped,
            gained,
        )
    if lost:
        _names(
            tn("{n} recording loses this template", "{n} recordings lose this template", lost),
            found.unmapped,
            lost,
        )
    if not gained and not lost:
        st.write(t("Nothing would change."))
    st.caption(" ".join(_untouched(changes)))
    if (gained or lost) and st.button(
        tn("Change {n} recording", "Change {n} recordings", gained + lost),
        type="primary",
        # The numbers are in the key: nobody agrees to others than were shown.
        key=f"do_rematch_{gained}_{lost}",
    ):
        with me.tenant(owner.id) as session:
            done = rematch_template(session, me.editor, template_id)
        say_later(
            t(
                "{mapped} recordings have it now, {unmapped} have it no longer.",
                mapped=len(done.mapped),
                unmapped=len(done.unmapped),
            )
        )
        st.rerun()


def _untouched(changes: Changes) -> list[str]:
    kept, others = changes.kept, changes.of_others
    older, unmatched = changes.left_to_older, changes.unmatched
    told = (
        (kept, tn("{n} keeps it.", "{n} keep it.", kept)),
        (others, tn("{n} has another template.", "{n} have another template.", others)),
        (older, tn("{n} waits for an older one.", "{n} wait for an older one.", older)),
        (unmatched, tn("{n} fits none.", "{n} do not fit it and have none.", unmatched)),
    )
    return [said for count, said in told if count]


def _names(title: str, names: Mapping[int, str], total: int) -> None:
    items = "".join(f"<li>{html(name)}</li>" for name in names.values())
    if total > len(names):
        items += f"<li>{html(t('… and {n} more', n=total - len(names)))}</li>"
    st.html(f'<b>{html(title)}</b><ul style="{LIST}" tabindex="0">{items}</ul>')


@dialog(lambda: t("Delete this template?"))
def delete(me: Me, owner: Owner, template_id: int) -> None:
    """Says what goes with it."""
    with me.tenant(owner.id) as session:
        row = Templates(session).require(template_id)
        use = template_uses(session, owner.id).get(template_id, TemplateUse())
    st.write(plain(row.name))
    st.write(
        tn(
            "{n} recording stays, without a template.",
            "{n} recordings stay, without a template.",
            use.matched,
        )
    )
    if use.automations:
        names = ", ".join(f"“{name}”" for name in use.automations)
        st.warning(t("Its automations are deleted with it: {names}.", names=plain(names)))
    if st.button(t("Delete it"), type="primary", key="do_delete"):
        with me.tenant(owner.id) as session:
            unmapped = delete_template(session, me.editor, template_id)
        say_later(
            tn(
                "Deleted: {n} recording has no template now",
                "Deleted: {n} recordings have no template now",
                len(unmapped),
            )
        )
        visit(me, owner, "templates")


@dialog(lambda: t("A template after a recording"))
def after_recording(me: Me, owner: Owner) -> None:
    """Its rules come from the recording's name, the rest from what was set for it alone."""
    text = st.text_input(
        t("Part of its name"), key="after_text", type="search", live=True, max_chars=200
    )
    with me.tenant(owner.id) as session:
        page = Recordings(session).page(RecordingFilter(text=text or ""), limit=MOST_FOUND)
        names = told_apart({row.id: row.display_name for row in page.items})
    if not names:
        st.caption(t("No recording is called so."))
        return
    number = st.selectbox(
        t("Recording"),
        list(names),
        format_func=lambda each: names.get(each, str(each)),
        key=f"after_recording:{text}",
    )
    if st.button(t("Go on"), type="primary", key="after_go") and number is not None:
        visit(me, owner, "template", recording=str(number))
