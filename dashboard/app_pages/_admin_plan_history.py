"""What became of a user's plan: the months before, and who changed what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.charts import BLUE, Series, columns
from dashboard.texts import mark, t, when
from dashboard.words import html
from leap_pipeline.db.models.subscriptions import QuotaChange
from leap_pipeline.domain.quotas import ChangeType
from leap_pipeline.services.quotas import Month

CHANGES = {
    ChangeType.PLAN_UPGRADE: mark("Larger plan"),
    ChangeType.PLAN_DOWNGRADE: mark("Smaller plan"),
    ChangeType.CUSTOM_QUOTA_OVERRIDE: mark("Limits of their own"),
    ChangeType.PAY_AS_YOU_GO_CHANGE: mark("Pay-as-you-go"),
    ChangeType.EXPIRY: mark("The plan ended"),
}


def show_months(months: list[Month]) -> None:
    if len(months) < 2:
        return
    st.subheader(t("The months before"))
    shown = months[::-1]
    columns(
        t("Recordings a month"),
        [f"{month.period[:4]}-{month.period[4:]}" for month in shown],
        [Series(t("Recordings"), BLUE, [month.recordings for month in shown])],
    )


def show_changes(changed: list[QuotaChange], who: Mapping[str, str]) -> None:
    st.subheader(t("What was changed"))
    if not changed:
        st.info(t("Nothing was changed yet."))
        return
    lines = [
        '<div style="border-top:1px solid rgba(128,128,128,.3);padding:.4rem 0;'
        'overflow-wrap:anywhere">'
        f"<div><strong>{html(_kind(each.change_type))}</strong> "
        f"{html(_document(each.old_value))} → {html(_document(each.new_value))}</div>"
        f'<div style="font-size:.85rem;opacity:.8">{html(when(each.created_at))} · '
        f"{html(who.get(each.admin_user_id or '') or t('the system'))}"
        f"{html(f' · {each.reason}' if each.reason else '')}</div></div>"
        for each in changed
    ]
    st.html("".join(lines))


def _kind(name: str) -> str:
    return t(CHANGES[ChangeType(name)]) if name in set(ChangeType) else name


def _document(value: Mapping[str, Any] | None) -> str:
    """The values of a change, as short as they can be said."""
    said = [
        f"{name.removeprefix('custom_').replace('_', ' ')} {_value(each)}"
        for name, each in (value or {}).items()
        if name != "expires_at" or each
    ]
    return ", ".join(said)


def _value(value: Any) -> str:
    if value is None:
        return "—"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
