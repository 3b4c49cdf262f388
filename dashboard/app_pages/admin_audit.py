"""The audit log: who did what, on whom, before and after. Its filters stand in the address."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from dashboard.app_pages.admin_parts import pager, place_in_list, system
from dashboard.session import Me
from dashboard.texts import t, when, zone
from dashboard.words import html
from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.services.administration import audit_page
from leap_pipeline.services.audit import AuditFilter
from leap_pipeline.services.directory import names
from leap_pipeline.services.users import user_of

AUDIT_PAGE = "audit"
PAGE = 50
LONGEST_VALUE = 300
ULID_LENGTH = 26
SUBJECTS = (
    "user session recording template preset source credential job plan base_config thumbnail"
).split()


def show(me: Me) -> None:
    st.title(t("Audit log"))
    said = _filters()
    place = place_in_list("audit", *said.values())
    with system(me) as session:
        wanted = _wanted(session, said)
        if wanted is None:
            st.warning(t("There is no user with this address: give the address, or the id."))
            return
        found, following = audit_page(session, me.editor, wanted, before=_cursor(place), limit=PAGE)
    draw_entries(me, found)
    pager(None if following is None else f"{following[0].isoformat()}_{following[1]}")


def draw_entries(me: Me, found: Sequence[AuditEntry]) -> None:
    """One entry under the other, with what it changed."""
    if not found:
        st.info(t("Nothing is written here."))
        return
    with system(me) as session:
        owners = names(session, me.rights, [each.owner_id for each in found])
    st.html("".join(_entry(each, owners) for each in found))


def _filters() -> dict[str, Any]:
    with st.expander(t("Filters"), expanded=True):
        first = st.columns(3)
        actor = first[0].text_input(
            t("Who did it"),
            key="actor",
            placeholder=t("Address or id"),
            bind="query-params",
            max_chars=255,
        )
        owner = first[1].text_input(
            t("Whose it is"),
            key="owner",
            placeholder=t("Address or id"),
            bind="query-params",
            max_chars=255,
        )
        action = first[2].text_input(
            t("What was done"),
            key="action",
            placeholder=t("user, or user.set_role"),
            bind="query-params",
            max_chars=100,
        )
        second = st.columns(4)
        subject = second[0].text_input(
            t("Kind of thing"),
            key="subject",
            placeholder=", ".join(SUBJECTS[:3]) + " …",
            bind="query-params",
            max_chars=50,
        )
        number = second[1].text_input(
            t("Its number"), key="number", bind="query-params", max_chars=64
        )
        since = second[2].date_input(t("From"), value=None, key="since", bind="query-params")
        until = second[3].date_input(t("To"), value=None, key="until", bind="query-params")
    return {
        "actor": _text(actor),
        "owner": _text(owner),
        "action": _text(action),
        "subject": _text(subject),
        "number": _text(number),
        "since": since,
        "until": until,
    }


def _text(said: str | None) -> str:
    """Without what PostgreSQL takes in no text."""
    return (said or "").replace("\0", "").strip()


def _wanted(session: Session, said: Mapping[str, Any]) -> AuditFilter | None:
    """None where a user is named whom there never was."""
    actor, owner = (_user_id(session, said[name]) for name in ("actor", "owner"))
    if actor == "" or owner == "":
        return None
    return AuditFilter(
        actor_id=actor,
        owner_id=owner,
        action=said["action"] or None,
        subject_type=said["subject"] or None,
        subject_id=said["number"] or None,
        since=_midnight(said["since"]),
        until=_midnight(said["until"], later=1),
    )


def _user_id(session: Session, text: str) -> str | None:
    """None where nobody is asked for, an empty text where there is no such user.

    The id also finds what is written of a user who was removed.
    """
    if not text:
        return None
    if len(text) == ULID_LENGTH and text.isalnum():
        return text.upper()
    found = user_of(session, text)
    return "" if found is None else str(found.id)


def _midnight(day: Any, *, later: int = 0) -> datetime | None:
    if not isinstance(day, date):
        return None
    return datetime.combine(day + timedelta(days=later), time(), tzinfo=zone())


def _cursor(place: str | None) -> tuple[datetime, int] | None:
    """What `after` in the address says; the first page where it says nothing that can be read."""
    at, _, key = (place or "").rpartition("_")
    try:
        moment, number = datetime.fromisoformat(at), int(key)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)), number


def _entry(entry: AuditEntry, owners: Mapping[str, str]) -> str:
    owner = owners.get(entry.owner_id or "")
    about = f"{entry.subject_type} {entry.subject_id}"
    whose = "" if owner is None or owner == entry.actor else f" · {owner}"
    origin = f" · {entry.ip_address}" if entry.ip_address else ""
    return (
        '<div style="border-top:1px solid rgba(128,128,128,.3);padding:.4rem 0;'
        'overflow-wrap:anywhere">'
        f"<div><strong>{html(entry.action)}</strong> {html(about)}{html(whose)}</div>"
        f'<div style="font-size:.85rem;opacity:.8">{html(when(entry.at))} · {html(entry.actor)}'
        f"{html(origin)}</div>{_changes(entry)}</div>"
    )


def _changes(entry: AuditEntry) -> str:
    before, after = entry.before or {}, entry.after or {}
    lines = [
        f"<div>{html(name)}: {_change(before, after, name)}</div>"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) is not None or after.get(name) is not None
    ]
    return f'<div style="font-size:.85rem">{"".join(lines)}</div>' if lines else ""


def _change(before: Mapping[str, Any], after: Mapping[str, Any], name: str) -> str:
    said = html(_value(after[name])) if name in after else html(t("nothing"))
    if name not in before:
        return said
    return f"<del>{html(_value(before[name]))}</del> → {said}"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
