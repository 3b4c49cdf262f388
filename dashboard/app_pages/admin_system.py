"""Is LEAP well? Its parts, its queues, what is stuck, what has failed, what is held."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import streamlit as st

from dashboard.app_pages._recording_parts import step_name
from dashboard.app_pages.admin_parts import system
from dashboard.charts import meter
from dashboard.live import live
from dashboard.session import Me
from dashboard.texts import mark, number, size, t, tn
from dashboard.words import html, plain
from leap_pipeline.commands.dagster_home import WEB_PREFIX
from leap_pipeline.domain.states import RunState
from leap_pipeline.services.health import Health, look
from leap_pipeline.services.overview import Disk, disk, queues
from leap_pipeline.supervisor.status import DAEMON, PartStatus, SupervisorStatus, read_status

REFRESH_SECONDS = 10
WEBSERVER = "dagster-webserver"
STATES = {
    RunState.QUEUED: mark("Queued"),
    RunState.RUNNING: mark("Running"),
    RunState.WAITING: mark("Waiting"),
}


def show(_me: Me) -> None:
    st.title(t("System"))
    st.html(f'<a href="{WEB_PREFIX}/" target="_blank">{html(t("Open Dagster"))}</a>')
    _state()


@live(REFRESH_SECONDS)
def _state(me: Me) -> None:
    with system(me) as session:
        health = look(session, datetime.now(UTC))
        waiting = queues(session, me.rights)
    alive = read_status(me.console.settings)
    _findings(health, alive)
    _queues(waiting, health)
    _parts(alive)
    _disk(disk(me.console.settings, me.rights))
    _failed(health)


def _findings(health: Health, alive: SupervisorStatus) -> None:
    down = sorted({WEBSERVER, DAEMON} & {part.name for part in alive.parts if not part.healthy})
    if not alive.running:
        st.warning(t("`leap up` does not run here: nothing is taken from the queue."))
    elif down:
        st.warning(t("Dagster is not all there: {parts}.", parts=plain(", ".join(down))))
    for finding in health.findings:
        st.error(plain(finding.sentence))
    if health.sound and alive.running and not down:
        st.success(t("Nothing is stuck."))


def _queues(waiting: Mapping[RunState, int], health: Health) -> None:
    with st.container(horizontal=True):
        for state, name in STATES.items():
            found = number(waiting.get(state, 0))
            st.metric(t(name), found, border=True, width="content")
        held = number(sum(health.holds.values()))
        st.metric(t("Held"), held, border=True, width="content")
    if health.holds:
        said = [f"{kind.replace('_', ' ')} {number(n)}" for kind, n in health.holds.items()]
        st.caption(t("Held for: {kinds}", kinds=plain(", ".join(said))))


def _parts(alive: SupervisorStatus) -> None:
    st.subheader(t("Parts"))
    if not alive.parts:
        st.caption(t("The parts of `leap up` are not known here."))
        return
    st.dataframe(
        {
            "name": [part.name for part in alive.parts],
            "state": [_part(part) for part in alive.parts],
            "pid": [part.pid for part in alive.parts],
            "restarts": [part.restarts for part in alive.parts],
        },
        hide_index=True,
        height="content",
        alt=t("Parts"),
        column_config={
            "name": st.column_config.TextColumn(t("Part")),
            "state": st.column_config.TextColumn(t("State")),
            "pid": st.column_config.NumberColumn(t("Process"), format="%d"),
            "restarts": st.column_config.NumberColumn(t("Started again")),
        },
    )


def _part(part: PartStatus) -> str:
    if not part.running:
        return t("Down")
    return t("Up") if part.healthy else t("Not answering")


def _disk(found: Disk | None) -> None:
    if found is None:
        st.warning(t("The storage's folder cannot be looked at."))
        return
    said = t("{free} free of {total}", free=size(found.free), total=size(found.total))
    meter(t("Disk of the storage"), found.total - found.free, found.total, said)


def _failed(health: Health) -> None:
    st.subheader(t("Failed, by reason"))
    if not health.failed:
        st.success(t("Nothing has failed."))
        return
    total = sum(count for _, _, count in health.failed)
    st.caption(tn("{n} recording", "{n} recordings", total))
    st.dataframe(
        {
            "count": [count for _, _, count in health.failed],
            "stage": [step_name(stage) if stage else "" for stage, _, _ in health.failed],
            "reason": [reason for _, reason, _ in health.failed],
        },
        hide_index=True,
        height="content",
        alt=t("Failed, by reason"),
        column_config={
            "count": st.column_config.NumberColumn(t("Recordings"), width="small"),
            "stage": st.column_config.TextColumn(t("Stage")),
            "reason": st.column_config.TextColumn(t("Why"), width="large"),
        },
    )
