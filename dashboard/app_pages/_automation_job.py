"""One automation: how it goes, what each of its runs found, and its settings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboard.app_pages._automation_dialogs import PAGE, act_buttons
from dashboard.app_pages._automation_form import builder
from dashboard.app_pages._automation_words import FIRED_BY, STATES
from dashboard.live import live
from dashboard.owners import Owner, visit
from dashboard.session import Me
from dashboard.tables import moments
from dashboard.texts import ago, t, tn, when
from dashboard.words import plain
from leap_pipeline.db.models.automation import AutomationFiring
from leap_pipeline.db.repositories.catalogue import AutomationJobs
from leap_pipeline.domain.shapes.accounts import FiringCounts
from leap_pipeline.domain.shapes.registry import read_column
from leap_pipeline.errors import NotFound
from leap_pipeline.services.automation_rows import LIVE, FiringState
from leap_pipeline.services.job_lists import NEXT_TIMES
from leap_pipeline.services.jobs import JobView, job_history, view_job
from leap_pipeline.supervisor.status import daemon_alive

REFRESH_SECONDS = 5
STEP, MOST = 20, 500
SHOWN = "firings_shown"


def show_new(me: Me, owner: Owner) -> None:
    _back(me, owner)
    st.title(t("New automation"))
    builder(owner, None)


def show_job(me: Me, owner: Owner, asked: str) -> None:
    """Raises `NotFound` for what is no job of the owner's."""
    _back(me, owner)
    job_id = _number(asked)
    with me.tenant(owner.id) as session:
        name = AutomationJobs(session).require(job_id).name
    st.title(plain(name))
    runs, settings = st.tabs([t("Runs"), t("Settings")])
    with runs:
        _runs(owner, job_id)
    with settings:
        builder(owner, job_id)


def _back(me: Me, owner: Owner) -> None:
    if st.button(t("All automations"), key="all_jobs", type="tertiary"):
        visit(me, owner, PAGE)


@live(REFRESH_SECONDS)
def _runs(me: Me, owner: Owner, job_id: int) -> None:
    limit = min(st.session_state.get(SHOWN, STEP), MOST)
    with me.tenant(owner.id) as session:
        view = view_job(session, job_id, datetime.now(UTC), times=NEXT_TIMES)
        firings = job_history(session, job_id, limit + 1)
    running = [each for each in firings if each.state in LIVE]
    _head(me, view, running)
    with st.container(horizontal=True, vertical_alignment="center"):
        act_buttons(me, owner, job_id, view.name, enabled=view.enabled, running=bool(running))
    _history(me, firings[:limit])
    if limit < len(firings) <= MOST and st.button(t("Show more"), key="more_firings"):
        st.session_state[SHOWN] = limit + STEP
        st.rerun(scope="app")


def _head(me: Me, view: JobView, running: Sequence[AutomationFiring]) -> None:
    if view.problem:
        st.error(t("It does not fire: {why}", why=plain(view.problem)))
    elif not view.enabled:
        st.info(t("It is paused: it runs by hand only."))
    else:
        first, *others = (when(each) for each in view.next)
        soon = t("Next: {at} ({ago})", at=first, ago=ago(view.next[0]))
        st.markdown(soon + (t(", then {times}", times=", ".join(others)) if others else ""))
    waits = any(each.state == FiringState.CLAIMED for each in running)
    if waits and not daemon_alive(me.console.settings):
        st.warning(t("It waits: nothing runs here at the moment. It begins when LEAP is up again."))


def _history(me: Me, firings: Sequence[AutomationFiring]) -> None:
    if not firings:
        st.info(t("It has not run yet. A dry run tells what it would do, and does nothing."))
        return
    newest = firings[0]
    if newest.error:
        st.error(plain(newest.error))
    st.dataframe(
        _table(me, firings),
        hide_index=True,
        height="content",
        key="firings",
        alt=t("Runs"),
        column_config={
            "due": moments(t("When"), pinned=True),
            "state": st.column_config.TextColumn(t("State")),
            "by": st.column_config.TextColumn(t("By")),
            "found": st.column_config.NumberColumn(t("Found")),
            "new": st.column_config.NumberColumn(t("New")),
            "matched": st.column_config.NumberColumn(t("Matched")),
            "planned": st.column_config.NumberColumn(t("To do")),
            "launched": st.column_config.NumberColumn(t("Launched")),
            "refused": st.column_config.NumberColumn(t("Refused")),
            "run": st.column_config.LinkColumn(t("In Dagster"), display_text=t("Run")),
            "error": st.column_config.TextColumn(t("What went wrong"), width="large"),
        },
    )
    missed = sum(each.missed for each in firings)
    if missed:
        st.caption(tn("{n} due time passed unmet", "{n} due times passed unmet", missed))


def _table(me: Me, firings: Sequence[AutomationFiring]) -> dict[str, list[Any]]:
    """Columns of the table, in the order of the rows."""
    counts = [_counts(each) for each in firings]
    table: dict[str, list[Any]] = {
        "due": [each.due_at for each in firings],
        "state": [_state(each) for each in firings],
        "by": [t(FIRED_BY.get(each.fired_by, each.fired_by)) for each in firings],
        "found": [each.synced.found for each in counts],
        "new": [each.synced.new for each in counts],
        "matched": [each.matched for each in counts],
        "planned": [each.planned for each in counts],
        "launched": [each.launched for each in counts],
        "refused": [each.refused for each in counts],
    }
    if me.is_admin:
        runs = (each.dagster_run_id for each in firings)
        table["run"] = [f"/dagster/runs/{each}" if each else None for each in runs]
    if any(each.error for each in firings):
        table["error"] = [each.error or "" for each in firings]
    return table


def _counts(firing: AutomationFiring) -> FiringCounts:
    found = read_column("automation_firings", "counts", firing.counts).value
    return found if isinstance(found, FiringCounts) else FiringCounts()


def _state(firing: AutomationFiring) -> str:
    said = t(STATES.get(firing.state, firing.state))
    return t("{state} (dry run)", state=said) if firing.dry_run else said


def _number(asked: str) -> int:
    if asked.isascii() and asked.isdecimal() and len(asked) < 10:
        return int(asked)
    msg = "There is no such automation."
    raise NotFound(msg)
