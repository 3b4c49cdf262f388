"""A user's plan: what was used of it, limits of one's own, pay-as-you-go, and how it came so."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import streamlit as st

from dashboard.app_pages._admin_plan_history import show_changes, show_months
from dashboard.app_pages.admin_parts import (
    Shown,
    dollars,
    done,
    first_shown,
    limit_name,
    system,
)
from dashboard.charts import meter
from dashboard.live import guarded
from dashboard.session import Me
from dashboard.texts import mark, number, t, when, zone
from dashboard.words import plain
from leap_pipeline.db.models.subscriptions import (
    SubscriptionPlan,
    UserSubscription,
)
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.quotas import FREE
from leap_pipeline.services.directory import names
from leap_pipeline.services.quotas import COLUMNS, Usage, history, usage_of
from leap_pipeline.services.subscriptions import (
    Change,
    assign_plan,
    changes,
    plans,
    set_overrides,
    set_pay_as_you_go,
    subscription,
)

LIMITS = {
    "recordings_per_month": mark("Recordings a month"),
    "storage_gb": mark("Storage, GB"),
    "concurrent_tasks": mark("Tasks at once"),
    "automation_jobs": mark("Automations"),
    "min_interval_hours": mark("Hours between two runs of an automation"),
}
LARGEST = 2**31 - 1


def unlimited(name: str) -> str:
    """What it means that a plan does not limit this."""
    return t("any") if name == "min_interval_hours" else t("unlimited")


def show_plan(me: Me, user: User) -> None:
    with system(me) as session:
        months = history(session, user.id)
        usage = usage_of(session, user.id, datetime.now(UTC), months=months)
        own = subscription(session, me.rights, user.id)
        known = plans(session)
        changed = changes(session, user.id)
        who = names(session, me.rights, [each.admin_user_id for each in changed])
    _usage(usage, own)
    with st.expander(t("Change the plan")):
        _assign(me, user, known, usage, own)
    with st.expander(t("Limits of their own")):
        _overrides(me, user, own, usage)
    with st.expander(t("Pay-as-you-go")):
        _pay_as_you_go(me, user, own)
    show_months(months)
    show_changes(changed, who)


def usage_meters(usage: Usage) -> None:
    """The running month against its limits."""
    month, limits = usage.month, usage.entitlement.limits
    meter(
        t("Recordings"),
        month.recordings,
        limits.recordings_per_month,
        t(
            "{used} of {limit}, at this pace {forecast}",
            used=number(month.recordings),
            limit=limit_name(limits.recordings_per_month),
            forecast=number(usage.recordings_forecast),
        ),
    )
    stored = number(float(month.storage_gb), 2)
    limit = limit_name(limits.storage_gb)
    meter(
        t("Storage"),
        float(month.storage_gb),
        limits.storage_gb,
        t("{used} GB of {limit}", used=stored, limit=limit),
    )


def _usage(usage: Usage, own: UserSubscription | None) -> None:
    given, month = usage.entitlement, usage.month
    st.subheader(plain(t("Plan {plan}", plan=given.plan)))
    usage_meters(usage)
    said = [
        t("Counts begin anew on {day}.", day=when(usage.resets_at, "d MMMM HH:mm")),
        t("Task runs: {n}.", n=number(month.tasks)),
        t("Runs of automations: {n}.", n=number(month.automation_runs)),
    ]
    if month.overage:
        paid = t("Past the limit: {n} for {cost}.", n=month.overage, cost=dollars(month.cost))
        said.append(paid)
    if own is not None and own.expires_at is not None:
        said.append(t("The plan ends on {day}.", day=when(own.expires_at)))
    st.caption(plain(" ".join(said)))
    if own is not None and own.notes:
        st.caption(t("Notes: {notes}", notes=plain(own.notes)))


def _assign(
    me: Me,
    user: User,
    known: list[SubscriptionPlan],
    usage: Usage,
    own: UserSubscription | None,
) -> None:
    options = [plan.name for plan in known]
    titles = {plan.name: _title(plan) for plan in known}
    ids = {plan.name: plan.id for plan in known}
    stored = None if own is None else own.expires_at
    seen = {"plan_id": ids.get(FREE) if own is None else own.plan_id, "expires_at": stored}
    shown = first_shown(f"assign:{user.id}", f"plan:{user.id}", seen)
    with st.form(f"assign:{user.id}", border=False):
        current = usage.entitlement.plan
        name = st.selectbox(
            t("Plan"),
            options,
            index=options.index(current) if current in options else 0,
            format_func=lambda each: titles.get(each, each),
            key=shown.key(f"plan:{user.id}"),
        )
        left, right = st.columns(2)
        starts = left.date_input(
            t("From (empty: now)"), value=None, key=shown.key(f"starts:{user.id}")
        )
        if stored is not None and stored <= datetime.now(UTC):
            stored = None
        ends = right.date_input(
            t("To, that day too (empty: no end)"),
            value=None if stored is None else _last_day(stored),
            key=shown.key(f"ends:{user.id}"),
        )
        change = _why(me, shown, f"assign:{user.id}")
        if st.form_submit_button(t("Assign"), type="primary"):
            with guarded():
                with shown.saved(), system(me) as session:
                    differs = assign_plan(
                        session,
                        user.id,
                        name,
                        change=change,
                        starts_at=_midnight(starts),
                        expires_at=_end(ends, stored),
                        unchanged=shown.values,
                    )
                _saved(own, change, differs=differs)


def _title(plan: SubscriptionPlan) -> str:
    if plan.is_active:
        return plan.display_name
    return t("{plan} (not offered)", plan=plan.display_name)


def _overrides(me: Me, user: User, own: UserSubscription | None, usage: Usage) -> None:
    st.caption(t("Empty: as the plan says. 0 is a limit too: nothing at all."))
    stored = {
        name: None if own is None else getattr(own, column) for name, (_, column) in COLUMNS.items()
    }
    marker = f"storage_gb:{user.id}"
    shown = first_shown(f"limits:{user.id}", marker, stored)
    with st.form(f"limits:{user.id}", border=False):
        said = {
            name: st.number_input(
                t(title),
                min_value=0,
                max_value=LARGEST,
                value=stored[name],
                step=1,
                placeholder=t(
                    "Now: {limit}",
                    limit=limit_name(getattr(usage.entitlement.limits, name), none=unlimited(name)),
                ),
                key=shown.key(f"{name}:{user.id}"),
            )
            for name, title in LIMITS.items()
        }
        change = _why(me, shown, f"limits:{user.id}")
        if st.form_submit_button(t("Save"), type="primary"):
            with guarded():
                with shown.saved(), system(me) as session:
                    differs = set_overrides(
                        session, user.id, said, change=change, unchanged=shown.values
                    )
                _saved(own, change, differs=differs)


def _pay_as_you_go(me: Me, user: User, own: UserSubscription | None) -> None:
    if own is not None and own.plan.overage_price_per_unit is not None:
        price = plain(dollars(own.plan.overage_price_per_unit))
        st.caption(t("A recording past the limit costs {price}.", price=price))
    pays = own is not None and own.pay_as_you_go_enabled
    ceiling = None if own is None else own.pay_as_you_go_monthly_limit
    seen = {"pay_as_you_go_enabled": pays, "pay_as_you_go_monthly_limit": ceiling}
    shown = first_shown(f"pay:{user.id}", f"pays:{user.id}", seen)
    with st.form(f"pay:{user.id}", border=False):
        enabled = st.checkbox(
            t("Go on past the limit, for money"), value=pays, key=shown.key(f"pays:{user.id}")
        )
        most = st.number_input(
            t("Dollars a month at most (empty: no ceiling)"),
            min_value=0.0,
            max_value=99_999_999.0,
            value=None if ceiling is None else float(ceiling),
            step=1.0,
            format="%.2f",
            key=shown.key(f"most:{user.id}"),
        )
        change = _why(me, shown, f"pay:{user.id}")
        if st.form_submit_button(t("Save"), type="primary"):
            with guarded():
                money = None if most is None else Decimal(str(most))
                with shown.saved(), system(me) as session:
                    differs = set_pay_as_you_go(
                        session,
                        user.id,
                        enabled=enabled,
                        monthly_limit=money,
                        change=change,
                        unchanged=shown.values,
                    )
                _saved(own, change, differs=differs)


def _why(me: Me, shown: Shown, key: str) -> Change:
    reason = st.text_input(t("Why"), max_chars=1000, key=shown.key(f"reason:{key}"))
    notes = st.text_input(
        t("Notes (empty: as they are)"), max_chars=1000, key=shown.key(f"notes:{key}")
    )
    return Change(me.actor, datetime.now(UTC), reason.strip() or None, notes.strip() or None)


def _saved(own: UserSubscription | None, change: Change, *, differs: bool) -> None:
    noted = change.notes is not None and (own is None or own.notes != change.notes)
    done(t("The change was saved.") if differs or noted else t("Nothing has changed."))


def _last_day(ends: datetime) -> date:
    """The last day on which something counts that ends then."""
    return (ends - timedelta(microseconds=1)).astimezone(zone()).date()


def _end(day: Any, stored: datetime | None) -> datetime | None:
    """The end of a day; where the day is that of the stored end, that to the second."""
    if not isinstance(day, date):
        return None
    if stored is not None and _last_day(stored) == day:
        return stored
    return _midnight(day + timedelta(days=1))


def _midnight(day: Any) -> datetime | None:
    """The day's first instant where the admin is."""
    return datetime.combine(day, time(), tzinfo=zone()) if isinstance(day, date) else None
