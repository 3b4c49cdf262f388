"""Plans: what each allows and costs, who has it, and who is near a limit."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import streamlit as st

from dashboard.app_pages.admin_parts import dollars, done, limit_name, system
from dashboard.app_pages.admin_user_plan import LARGEST, LIMITS, unlimited
from dashboard.live import dialog, guarded
from dashboard.session import Me
from dashboard.texts import number, t, tn
from dashboard.words import plain
from leap_pipeline.db.models.subscriptions import SubscriptionPlan
from leap_pipeline.domain.quotas import Limits
from leap_pipeline.services.near_limits import NearLimit, near_limits
from leap_pipeline.services.plans import (
    PlanTerms,
    create_plan,
    plans_with_users,
    terms_of,
    update_plan,
)

MOST_DOLLARS = 99_999_999.0
NEW = PlanTerms(
    name="",
    display_name="",
    description="",
    limits=Limits(10, 5, 1, 0, None),
    price_monthly=Decimal(0),
    price_yearly=Decimal(0),
    overage_price=None,
    sort_order=10,
    is_active=True,
)
MONTHS_PAID_A_YEAR = 10


def show(me: Me) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(t("Plans"))
        if st.button(t("New plan"), type="primary", key="new_plan"):
            _edit(None, None)
    with system(me) as session:
        found = plans_with_users(session, me.rights)
        near = near_limits(session, me.rights, datetime.now(UTC))
    for plan, users in found:
        _plan(plan, users)
    _near(near)


def _plan(plan: SubscriptionPlan, users: int) -> None:
    terms = terms_of(plan)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(plan.display_name)}**")
            if not plan.is_active:
                st.badge(t("Not offered"), color="gray")
            st.caption(tn("{n} user", "{n} users", users))
            if st.button(t("Edit"), key=f"edit:{plan.id}"):
                _edit(plan.id, plan.updated_at)
        if plan.description:
            st.caption(plain(plan.description))
        st.text(_limits(terms.limits))
        st.text(_prices(terms))


def _limits(limits: Limits) -> str:
    said = [
        f"{t(title)}: {limit_name(getattr(limits, name), none=unlimited(name))}"
        for name, title in LIMITS.items()
    ]
    return " · ".join(said)


def _prices(terms: PlanTerms) -> str:
    said = t(
        "{month} a month, {year} a year",
        month=dollars(terms.price_monthly),
        year=dollars(terms.price_yearly),
    )
    if terms.overage_price is None:
        return said
    price = dollars(terms.overage_price)
    return f"{said} · {t('{price} a recording past the limit', price=price)}"


@dialog(lambda: t("Plan"), width="large")
def _edit(me: Me, plan_id: int | None, since: datetime | None) -> None:
    """`since`: when the plan was changed last, as it was when the dialog was opened."""
    with system(me) as session:
        known = {plan.id: plan for plan, _ in plans_with_users(session, me.rights)}
    plan = None if plan_id is None else known.get(plan_id)
    terms = NEW if plan is None else terms_of(plan)
    with st.form(f"plan:{plan_id}", border=False):
        wanted = _fields(terms, f":{plan_id}")
        if plan is not None:
            st.caption(t("Limits count at once for everybody who has the plan."))
        if not st.form_submit_button(t("Save"), type="primary"):
            return
        with guarded():
            with system(me) as session:
                if plan_id is None:
                    create_plan(session, me.editor, wanted)
                else:
                    update_plan(session, me.editor, plan_id, wanted, unchanged_since=since)
            done(t("The plan was saved."))


def _fields(terms: PlanTerms, key: str) -> PlanTerms:
    left, right = st.columns(2)
    name = left.text_input(t("Name"), value=terms.name, max_chars=50, key=f"name{key}")
    title = right.text_input(t("Title"), value=terms.display_name, max_chars=100, key=f"title{key}")
    description = st.text_area(
        t("Description"), value=terms.description, max_chars=2000, key=f"text{key}", height=70
    )
    st.caption(t("Limits. Empty: none. 0: nothing at all."))
    limits = {
        field: _whole(t(label), getattr(terms.limits, field), f"{field}{key}", unlimited(field))
        for field, label in LIMITS.items()
    }
    left, right = st.columns(2)
    monthly = _money(left, t("Dollars a month"), terms.price_monthly, f"month{key}")
    yearly = _money(
        right,
        t("Dollars a year (empty: ten months)"),
        None if terms is NEW else terms.price_yearly,
        f"year{key}",
    )
    overage = _money(
        left,
        t("Dollars a recording past the limit (empty: none is sold)"),
        terms.overage_price,
        f"overage{key}",
    )
    order = right.number_input(
        t("Place in the list"), 0, 1000, terms.sort_order, 1, key=f"order{key}"
    )
    active = st.checkbox(
        t("Offered to users; who has it keeps it either way"),
        value=terms.is_active,
        key=f"active{key}",
    )
    per_month = monthly or Decimal(0)
    return PlanTerms(
        name=name,
        display_name=title,
        description=description,
        limits=Limits(**limits),
        price_monthly=per_month,
        price_yearly=per_month * MONTHS_PAID_A_YEAR if yearly is None else yearly,
        overage_price=overage,
        sort_order=int(order),
        is_active=active,
    )


def _whole(label: str, value: int | None, key: str, empty: str) -> int | None:
    found = st.number_input(
        label,
        min_value=0,
        max_value=LARGEST,
        value=value,
        step=1,
        placeholder=empty,
        key=key,
    )
    return None if found is None else int(found)


def _money(place: Any, label: str, value: Decimal | None, key: str) -> Decimal | None:
    found = place.number_input(
        label,
        min_value=0.0,
        max_value=MOST_DOLLARS,
        value=None if value is None else float(value),
        step=1.0,
        format="%.2f",
        key=key,
    )
    return None if found is None else Decimal(str(found))


def _near(near: list[NearLimit]) -> None:
    st.subheader(t("Near a limit"))
    if not near:
        st.success(t("Nobody has used four fifths of a limit this month."))
        return
    st.caption(t("Choose a line to open the user."))
    chosen: Any = st.dataframe(
        {
            "email": [each.email for each in near],
            "plan": [each.plan for each in near],
            "share": [each.share * 100 for each in near],
            "recordings": [
                f"{number(each.recordings)} / {limit_name(each.recordings_limit)}" for each in near
            ],
            "forecast": [each.recordings_forecast for each in near],
            "storage": [
                f"{number(float(each.storage_gb), 2)} / {limit_name(each.storage_limit)}"
                for each in near
            ],
            "pays": [each.pays_as_they_go for each in near],
        },
        hide_index=True,
        key="near",
        on_select="rerun",
        selection_mode="single-row",
        height="content",
        alt=t("Near a limit"),
        column_config={
            "email": st.column_config.TextColumn(t("User"), pinned=True, width=160),
            "plan": st.column_config.TextColumn(t("Plan")),
            "share": st.column_config.ProgressColumn(
                t("Used"), format="%.0f%%", min_value=0, max_value=100
            ),
            "recordings": st.column_config.TextColumn(t("Recordings")),
            "forecast": st.column_config.NumberColumn(t("At this pace")),
            "storage": st.column_config.TextColumn(t("Storage, GB")),
            "pays": st.column_config.CheckboxColumn(t("Pay-as-you-go")),
        },
    )
    lines = [at for at in chosen.selection.rows if 0 <= at < len(near)]
    if lines:
        from dashboard.shell import go_to

        go_to("user", id=near[lines[0]].user_id, part="plan")
