"""The platform at a glance: what came, what became of it, what failed, how long work takes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import streamlit as st
from babel.dates import format_date

from dashboard.app_pages._recording_parts import step_name
from dashboard.app_pages.admin_parts import system
from dashboard.charts import BLUE, GRAY, GREEN, ORANGE, RED, Series, columns, rows
from dashboard.live import live
from dashboard.session import Me
from dashboard.texts import language, mark, number, t
from leap_pipeline.services.overview import Outcome, Overview, overview

REFRESH_SECONDS = 60
OUTCOMES = {
    Outcome.READY: (mark("Ready"), GREEN),
    Outcome.UNDER_WAY: (mark("Under way"), BLUE),
    Outcome.SKIPPED: (mark("Skipped"), GRAY),
    Outcome.FAILED: (mark("Failed"), RED),
}
MINUTE = 60


def show(_me: Me) -> None:
    st.title(t("Overview"))
    _figures()


@live(REFRESH_SECONDS)
def _figures(me: Me) -> None:
    with system(me) as session:
        found = overview(session, me.rights, datetime.now(UTC))
    _numbers(found)
    _recordings(found)
    left, right = st.columns(2, gap="large")
    with left:
        _failures(found)
    with right:
        _storage(found)
    _work(found)


def _numbers(found: Overview) -> None:
    with st.container(horizontal=True):
        st.metric(t("Active users"), number(found.users), border=True, width="content")
        st.metric(t("Recordings"), number(found.recordings), border=True, width="content")
        failed = number(sum(found.failures.values()))
        st.metric(t("Failed, not yet mended"), failed, border=True, width="content")
        st.metric(t("Stored"), _gigabytes(found.storage_gb), border=True, width="content")


def _recordings(found: Overview) -> None:
    st.subheader(t("Recordings of the last days, by what became of them"))
    series = [
        Series(t(name), color, [day.came.get(outcome, 0) for day in found.days])
        for outcome, (name, color) in OUTCOMES.items()
    ]
    if not any(day.came for day in found.days):
        st.info(t("No recording has come in these days."))
        return
    columns(t("Recordings a day"), _days(found), series)


def _work(found: Overview) -> None:
    st.subheader(t("How long a recording is prepared"))
    if not any(day.prepared for day in found.days):
        st.info(t("No recording was prepared in these days."))
        return
    columns(
        t("Minutes of preparation, the usual one"),
        _days(found),
        [Series(t("Half of them took at most"), BLUE, _minutes([d.typical for d in found.days]))],
        unit=t("min"),
        digits=1,
    )
    columns(
        t("Minutes of preparation, the slow ones"),
        _days(found),
        [Series(t("19 of 20 took at most"), ORANGE, _minutes([d.slow for d in found.days]))],
        unit=t("min"),
        digits=1,
    )


def _failures(found: Overview) -> None:
    st.subheader(t("Failures by stage"))
    if not found.failures:
        st.success(t("Nothing has failed."))
        return
    named = [
        (step_name(stage) if stage else t("Elsewhere"), float(count))
        for stage, count in found.failures.items()
    ]
    rows(t("Failures by stage"), named, color=RED)


def _storage(found: Overview) -> None:
    st.subheader(t("Most storage"))
    stored = [(each.email, float(each.gigabytes)) for each in found.largest if each.gigabytes]
    if not stored:
        st.info(t("Nobody stores anything yet."))
        return
    rows(t("Most storage"), stored, unit=t("GB"), digits=2)


def _days(found: Overview) -> list[str]:
    return [format_date(day.day, "d MMM", locale=language()) for day in found.days]


def _minutes(seconds: list[float | None]) -> list[float | None]:
    return [None if each is None else each / MINUTE for each in seconds]


def _gigabytes(value: Decimal) -> str:
    return f"{number(float(value), 2)} {t('GB')}"
