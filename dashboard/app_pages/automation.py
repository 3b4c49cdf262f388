"""Automations: what is scheduled, when it is due next, and how it went."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from dashboard.app_pages._asks import open_asked
from dashboard.app_pages._automation_dialogs import DIALOGS, PAGE, act_buttons
from dashboard.app_pages._automation_job import show_job, show_new
from dashboard.app_pages._automation_words import TYPES, schedule_words
from dashboard.live import live
from dashboard.owners import Owner, choose_owner, owner_of, visit
from dashboard.session import Me
from dashboard.texts import ago, t, tn, when
from dashboard.words import plain
from leap_pipeline.db.repositories.base import LARGEST_PAGE
from leap_pipeline.domain.quotas import Entitlement
from leap_pipeline.services.automation_rows import DONE
from leap_pipeline.services.job_lists import JOBS, JobLine, JobPage, job_page

REFRESH_SECONDS = 5
NEW = "new"
SHOWN = "jobs_shown"


def show(me: Me) -> None:
    owner = owner_of(me)
    chosen = st.query_params.get("id")
    if chosen == NEW:
        show_new(me, owner)
    elif chosen:
        show_job(me, owner, chosen)
    else:
        _all(me, owner)
    open_asked(PAGE, DIALOGS, owner)


def _all(me: Me, owner: Owner) -> None:
    st.title(t("Automation"))
    choose_owner(me, owner, PAGE)
    if st.button(t("New automation"), key="new_job", type="primary"):
        visit(me, owner, PAGE, id=NEW)
    _list(owner)


@live(REFRESH_SECONDS)
def _list(me: Me, owner: Owner) -> None:
    limit = min(st.session_state.get(SHOWN, JOBS), LARGEST_PAGE)
    with me.tenant(owner.id) as session:
        page = job_page(session, owner.id, datetime.now(UTC), limit=limit)
    st.caption(plan_words(page.plan, page.enabled))
    if not page.items:
        st.info(
            t(
                "Nothing is scheduled. An automation reads sources at its times, and runs what its"
                " template matches."
            )
        )
    for line in page.items:
        with st.container(border=True):
            _card(me, owner, line)
    _more(page, limit)


def _more(page: JobPage, limit: int) -> None:
    if (
        page.after is not None
        and limit < LARGEST_PAGE
        and st.button(t("Show more"), key="more_jobs")
    ):
        st.session_state[SHOWN] = limit + JOBS
        st.rerun(scope="app")


def plan_words(plan: Entitlement, enabled: int) -> str:
    """What the owner's plan allows of automations, and how many are on."""
    allowed, least = plan.limits.automation_jobs, plan.limits.min_interval_hours
    name = plain(plan.plan)
    if allowed == 0:
        return t("The {plan} plan has no automations: ask an admin to raise the limit.", plan=name)
    parts = [
        tn("{n} is switched on", "{n} are switched on", enabled)
        if allowed is None
        else t("{on} of {most} are switched on", on=enabled, most=allowed)
    ]
    if least:
        parts.append(tn("at least {n} hour apart", "at least {n} hours apart", least))
    return t("{plan} plan: {said}.", plan=name, said=", ".join(parts))


def _card(me: Me, owner: Owner, line: JobLine) -> None:
    row = line.row
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(row.name)}**", width="content")
        _state(line)
    template = row.template.name if row.template else t("any template")
    parts = [t(TYPES[row.job_type]) if row.job_type in TYPES else row.job_type, template]
    st.caption(" · ".join(plain(each) for each in (*parts, schedule_words(row))))
    if line.problem:
        st.error(plain(line.problem))
    elif line.next is not None:
        st.markdown(t("Next: {at} ({ago})", at=when(line.next), ago=ago(line.next)))
    if row.last_run_at is not None:
        how = t("went well") if row.last_run_status == DONE else t("failed")
        said = f": {plain(row.last_run_error)}" if row.last_run_error else ""
        st.caption(t("Last run {ago}, {how}", ago=ago(row.last_run_at), how=how) + said)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(t("Open"), key=f"open_{row.id}"):
            visit(me, owner, PAGE, id=str(row.id))
        act_buttons(me, owner, row.id, row.name, enabled=bool(row.enabled), running=line.is_running)


def _state(line: JobLine) -> None:
    if line.is_running:
        st.badge(t("Running"), color="blue")
    if not line.row.enabled:
        st.badge(t("Paused"), color="gray")
    elif line.problem:
        st.badge(t("Does not fire"), color="red")
    elif line.row.last_run_status not in (None, DONE):
        st.badge(t("Failed"), color="red")
    else:
        st.badge(t("On"), color="green")
