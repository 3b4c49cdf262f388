"""What is done with an automation beside editing it: fire it, switch it, delete it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from dashboard.app_pages._asks import ask, keyed
from dashboard.live import dialog
from dashboard.messages import act, say_later
from dashboard.owners import Owner, visit
from dashboard.session import Me
from dashboard.texts import t
from dashboard.words import plain
from leap_pipeline.db.repositories.catalogue import AutomationJobs
from leap_pipeline.services.jobs import delete_job, disable_job, enable_job, run_job

PAGE = "automation"


def act_buttons(
    me: Me, owner: Owner, job_id: int, name: str, *, enabled: bool, running: bool
) -> None:
    """For a row of buttons that the caller has opened."""
    if st.button(t("Run now"), key=f"run_{job_id}", disabled=running):
        act(lambda: _run(me, owner, job_id, dry_run=False))
    if st.button(t("Dry run"), key=f"dry_{job_id}", disabled=running):
        act(lambda: _run(me, owner, job_id, dry_run=True))
    # The state is in the key: a second click, or one on an old page, undoes nothing.
    label, key = t("Pause") if enabled else t("Resume"), f"pause_{job_id}_{enabled}"
    if st.button(label, key=key, type="tertiary"):
        act(lambda: _switch(me, owner, job_id, name, enabled=enabled))
    if st.button(t("Delete"), key=f"delete_{job_id}", type="tertiary"):
        ask(PAGE, "delete", job_id=job_id)


def _run(me: Me, owner: Owner, job_id: int, *, dry_run: bool) -> None:
    with me.tenant(owner.id) as session:
        run_job(session, me.editor, job_id, dry_run=dry_run)
    say_later(
        t("It is tried: what it would do is below in a moment.")
        if dry_run
        else t("It is fired: what it finds is below in a moment.")
    )
    visit(me, owner, PAGE, id=str(job_id))


def _switch(me: Me, owner: Owner, job_id: int, name: str, *, enabled: bool) -> None:
    with me.tenant(owner.id) as session:
        if enabled:
            disable_job(session, me.editor, job_id)
        else:
            enable_job(session, me.editor, job_id)
    say_later(
        t("“{name}” is paused.", name=name) if enabled else t("“{name}” is switched on.", name=name)
    )
    st.rerun(scope="app")


@dialog(lambda: t("Delete the automation"))
def _delete(me: Me, owner: Owner, job_id: int) -> None:
    with me.tenant(owner.id) as session:
        name = AutomationJobs(session).require(job_id).name
    st.markdown(
        t(
            "Delete **{name}** and the history of its runs? What it launched goes on.",
            name=plain(name),
        )
    )
    if st.button(t("Delete"), key=keyed("delete_now"), type="primary"):
        with me.tenant(owner.id) as session:
            delete_job(session, me.editor, job_id)
        say_later(t("“{name}” is deleted.", name=name))
        visit(me, owner, PAGE)


DIALOGS: Mapping[str, Callable[..., None]] = {"delete": _delete}
