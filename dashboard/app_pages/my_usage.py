"""What the person may use, what was used of it, and what more of it costs."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import streamlit as st

from dashboard.charts import BLUE, Series, columns, meter
from dashboard.session import Me
from dashboard.texts import number, t, when
from dashboard.words import plain
from leap_pipeline.db.repositories.catalogue import AutomationJobs
from leap_pipeline.services.quotas import Month, Usage, history, usage_of


def show(me: Me) -> None:
    st.title(t("My usage"))
    with me.console.database.system() as session:  # the bought units stand in the audit log
        months = history(session, me.user_id)
        usage = usage_of(session, me.user_id, datetime.now(UTC), months=months)
    with me.tenant() as session:
        jobs = AutomationJobs(session).count()
    _plan(usage)
    _month(usage)
    _always(usage, jobs)
    _months(months)


def _plan(usage: Usage) -> None:
    st.subheader(t("Plan {plan}", plan=plain(usage.entitlement.plan)))
    st.caption(t("An admin can give you another plan, or limits of your own."))


def _month(usage: Usage) -> None:
    """What begins at 0 again, and what may be bought of it."""
    month, limits, given = usage.month, usage.entitlement.limits, usage.entitlement
    limit = limits.recordings_per_month
    meter(
        t("Recordings this month"),
        month.recordings,
        limit,
        _of(number(month.recordings), None if limit is None else number(limit)),
    )
    told = [
        t("A recording counts when it is processed for the first time."),
        t("Counts begin at 0 again on {day}.", day=when(usage.resets_at, "d MMMM y, HH:mm")),
    ]
    if month.recordings:
        forecast = number(usage.recordings_forecast)
        told.insert(0, t("At this pace the month comes to {n}.", n=forecast))
    st.caption(plain(" ".join(told)))
    ceiling = given.recordings_ceiling
    if ceiling is not None and month.recordings >= ceiling:
        st.warning(t("The limit is reached: no further recording is processed until then."))
    elif ceiling is not None and usage.recordings_forecast > ceiling:
        st.info(t("At this pace the limit is reached before the month ends."))
    _bought(usage)


def _bought(usage: Usage) -> None:
    bought, month = usage.entitlement.pay_as_you_go, usage.month
    if bought is not None:
        ceiling = (
            t("without a ceiling")
            if bought.monthly_limit is None
            else t("up to {dollars} a month", dollars=_dollars(bought.monthly_limit))
        )
        price = _dollars(bought.price)
        text = t(
            "Recordings past the limit cost {price} each, {ceiling}.", price=price, ceiling=ceiling
        )
        st.caption(plain(text))
    if month.overage:
        left, right = st.columns(2)
        left.metric(t("Past the limit this month"), number(month.overage))
        right.metric(t("Cost this month"), _dollars(month.cost))


def _always(usage: Usage, jobs: int) -> None:
    """What does not begin at 0 again."""
    month, limits = usage.month, usage.entitlement.limits
    room = limits.storage_gb
    meter(
        t("Storage"),
        float(month.storage_gb),
        room,
        _of(_gigabytes(month.storage_gb), None if room is None else _gigabytes(Decimal(room))),
    )
    st.caption(t("All files of your recordings. Room comes back when they are deleted for good."))
    allowed = limits.automation_jobs
    if allowed == 0 and not jobs:
        meter(t("Automations"), 0, None, t("not in this plan"))
    else:
        limit = None if allowed is None else number(allowed)
        meter(t("Automations"), jobs, allowed, _of(number(jobs), limit))
    said = []
    if limits.min_interval_hours:
        hours = number(limits.min_interval_hours)
        said.append(t("An automation runs every {n} hours at most.", n=hours))
    if limits.concurrent_tasks is not None:
        tasks = number(limits.concurrent_tasks)
        said.append(t("Worked on at once: {n}; what is more waits in turn.", n=tasks))
    if said:
        st.caption(plain(" ".join(said)))


def _months(months: list[Month]) -> None:
    st.subheader(t("Month by month"))
    if not months:
        st.info(t("Nothing was used yet: your first recording begins the count."))
        return
    oldest_first = months[::-1]
    if len(months) > 1:
        columns(
            t("Recordings of each month"),
            [_name(each) for each in oldest_first],
            [Series(t("Recordings"), BLUE, [each.recordings for each in oldest_first])],
        )
    st.dataframe(
        {
            t("Month"): [_name(each) for each in months],
            t("Recordings"): [each.recordings for each in months],
            t("Storage, GB"): [float(each.storage_gb) for each in months],
            t("Runs"): [each.tasks for each in months],
            t("Runs of automations"): [each.automation_runs for each in months],
            t("Past the limit"): [each.overage for each in months],
            t("Cost"): [_dollars(each.cost) for each in months],
        },
        hide_index=True,
        height="content",
        alt=t("Month by month"),
    )


def _name(month: Month) -> str:
    begun = datetime(int(month.period[:4]), int(month.period[4:]), 15, tzinfo=UTC)
    return when(begun, "LLL y")


def _of(used: str, limit: str | None) -> str:
    return (
        t("{used}, no limit", used=used)
        if limit is None
        else t("{used} of {limit}", used=used, limit=limit)
    )


def _gigabytes(value: Decimal) -> str:
    return t("{n} GB", n=number(float(value), 2))


def _dollars(value: Decimal) -> str:
    return f"${value:,.2f}"
