"""YouTube's quota: what each project at Google has left today, what waits, what was spent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import streamlit as st
from babel.dates import format_date

from dashboard.app_pages.admin_parts import system
from dashboard.charts import meter
from dashboard.live import live
from dashboard.session import Me
from dashboard.texts import language, mark, number, t, when
from dashboard.words import plain
from leap_pipeline.services.directory import names
from leap_pipeline.services.youtube_ledger import Spending, spendings
from leap_pipeline.services.youtube_quota import (
    BucketForecast,
    Forecast,
    WaitsForQuota,
    forecasts,
    quota_limits,
)

REFRESH_SECONDS = 30
BUCKETS = {"inserts": mark("Videos sent"), "units": mark("Units")}


def show(_me: Me) -> None:
    st.title(t("YouTube quota"))
    _ledger()


@live(REFRESH_SECONDS)
def _ledger(me: Me) -> None:
    now, settings = datetime.now(UTC), me.console.settings
    with system(me) as session:
        spent = spendings(session, me.rights, now)
    found = forecasts(
        me.console.database,
        me.console.vault,
        now,
        limits=quota_limits(settings),
        app_client_id=settings.google_client_id,
    )
    if not found:
        st.info(t("No YouTube account is connected, and nothing was spent today."))
    projects = {*(each.project for each in found), *(each.project for each in spent)}
    owners = {project: project.partition(":")[0] for project in projects if ":" in project}
    with system(me) as session:
        known = names(session, me.rights, list(owners.values()))
    called = {
        project: f"{known[owner]}{project[len(owner) :]}"
        for project, owner in owners.items()
        if owner in known
    }
    for each in found:
        _project(each, called.get(each.project, each.project))
    _spent(spent, called)


def _project(forecast: Forecast, name: str) -> None:
    with st.container(border=True):
        st.markdown(t("**Project {name}**", name=plain(name)))
        for bucket in forecast.buckets:
            meter(
                t(BUCKETS.get(bucket.name, bucket.name)), bucket.spent, bucket.limit, _left(bucket)
            )
        st.caption(t("All of it comes back on {moment}.", moment=when(forecast.resets_at)))
        for waits in forecast.waits:
            st.text(f"{waits.kind}: {_days(waits, forecast)}")


def _left(bucket: BucketForecast) -> str:
    said = t("{spent} of {limit}", spent=number(bucket.spent), limit=number(bucket.limit))
    if bucket.closed_until is None:
        return said
    until = t("YouTube gives no more until {moment}", moment=when(bucket.closed_until))
    return f"{said} · {until}"


def _days(waits: WaitsForQuota, forecast: Forecast) -> str:
    said = [t("{n} to do", n=number(waits.count))]
    for day, count in sorted(waits.days.items()):
        on = t("today") if day == forecast.day else format_date(day, locale=language())
        said.append(f"{number(count)} {on}")
    if never := waits.count - sum(waits.days.values()):
        said.append(t("{n} fit into no day", n=number(never)))
    return ", ".join(said)


def _spent(spent: list[Spending], called: Mapping[str, str]) -> None:
    st.subheader(t("Spent on the last days"))
    if not spent:
        st.info(t("Nothing was spent in these days."))
        return
    st.caption(t("Days are those of California, by which YouTube counts."))
    st.dataframe(
        {
            "day": [each.day for each in spent],
            "project": [called.get(each.project, each.project) for each in spent],
            "kind": [each.kind for each in spent],
            "calls": [each.calls for each in spent],
            "units": [each.units for each in spent],
            "bucket": [t(BUCKETS.get(each.bucket, each.bucket)) for each in spent],
            "refused": [each.refused_at is not None for each in spent],
        },
        hide_index=True,
        alt=t("Spent on the last days"),
        column_config={
            "day": st.column_config.DateColumn(t("Day")),
            "project": st.column_config.TextColumn(t("Project")),
            "kind": st.column_config.TextColumn(t("Call")),
            "calls": st.column_config.NumberColumn(t("Calls")),
            "units": st.column_config.NumberColumn(t("Spent")),
            "bucket": st.column_config.TextColumn(t("Counts as")),
            "refused": st.column_config.CheckboxColumn(t("Refused by YouTube")),
        },
    )
