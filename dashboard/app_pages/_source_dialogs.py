"""Dialogs of the sources: a new one, what is read of it, and the end of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from dashboard.app_pages._asks import keyed
from dashboard.fields import told_apart
from dashboard.live import dialog
from dashboard.messages import say_later
from dashboard.owners import Owner
from dashboard.session import Me
from dashboard.texts import mark, t
from dashboard.words import plain
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.repositories.catalogue import Sources
from leap_pipeline.domain.credentials import CredentialPlatform
from leap_pipeline.services.catalogue import create_source, delete_source, update_source
from leap_pipeline.services.credentials import Credentials
from leap_pipeline.services.zoom_sources import ZOOM

PAGE = "sources"
LOCAL_FILE = "LOCAL_FILE"
TYPES: Mapping[str, str] = {ZOOM: "Zoom", LOCAL_FILE: mark("Files")}
EDITED = ("name", "description", "credential_id", "config")
LONGEST_NAME = 255
EARLIEST = date(2010, 1, 1)
# Keys of a Zoom source's `config`: what they are called, and the least they can be.
_NUMBERS: Mapping[str, tuple[str, int]] = {
    "min_duration_minutes": (mark("Not shorter than (minutes)"), 0),
    "max_duration_minutes": (mark("Not longer than (minutes)"), 0),
    "poll_interval_minutes": (mark("Read every (minutes)"), 1),
    "lookback_days": (mark("Read again so many days back"), 0),
}
# What they are called, and what holds where nothing is said.
_FLAGS: Mapping[str, tuple[str, bool]] = {
    "skip_blank_recordings": (mark("Skip blank recordings"), True),
    "skip_unmatched": (mark("Skip what no template matches"), False),
}


def seen_of(row: InputSource) -> dict[str, Any]:
    """What an edit begins with, and what must be there still when it is saved."""
    return {name: getattr(row, name) for name in EDITED}


@dialog(lambda: t("Add a source"))
def _add(me: Me, owner: Owner) -> None:
    kind = st.segmented_control(
        t("What is it?"),
        list(TYPES),
        default=ZOOM,
        required=True,
        format_func=lambda kind: t(TYPES[kind]),
        key=keyed("type"),
    )
    values = _form(me, owner, kind or ZOOM, {}, t("Add"))
    if values is None:
        return
    with me.tenant(owner.id) as session:
        row = create_source(session, me.editor, source_type=kind, **values)
        name = row.name
    say_later(
        t("“{name}” is read within a minute, and then by itself.", name=name)
        if kind == ZOOM
        else t("“{name}” is there.", name=name)
    )
    st.rerun()


@dialog(lambda: t("Edit the source"))
def _edit(me: Me, owner: Owner, source_id: int, seen: dict[str, Any]) -> None:
    with me.tenant(owner.id) as session:
        kind = Sources(session).require(source_id).source_type
    values = _form(me, owner, kind, seen, t("Save"))
    if values is None:
        return
    with me.tenant(owner.id) as session:
        update_source(session, me.editor, source_id, unchanged=seen, **values)
    say_later(t("“{name}” is saved.", name=values["name"]))
    st.rerun()


@dialog(lambda: t("Delete the source"))
def _delete(me: Me, owner: Owner, source_id: int) -> None:
    with me.tenant(owner.id) as session:
        name = Sources(session).require(source_id).name
    st.markdown(t("Delete **{name}**? Its recordings stay.", name=plain(name)))
    if st.button(t("Delete"), key=keyed("delete_now"), type="primary"):
        with me.tenant(owner.id) as session:
            delete_source(session, me.editor, source_id)
        say_later(t("“{name}” is deleted.", name=name))
        st.rerun()


def _form(
    me: Me, owner: Owner, kind: str, seen: Mapping[str, Any], submit: str
) -> dict[str, Any] | None:
    """The columns that were typed, once they are sent; None before."""
    accounts: dict[int, str] = {}
    if kind == ZOOM:
        with me.tenant(owner.id) as session:
            accounts = _accounts(session, me, owner)
        if not accounts:
            st.info(t("There is no Zoom account yet: connect one under “Connections” first."))
    with st.form(keyed("source")):
        name = st.text_input(
            t("Name"), seen.get("name", ""), key=keyed("name"), max_chars=LONGEST_NAME
        )
        values: dict[str, Any] = {}
        if kind == ZOOM:
            values = _zoom(me, accounts, seen)
        description = st.text_input(
            t("Description (optional)"), seen.get("description") or "", key=keyed("description")
        )
        if not st.form_submit_button(submit, type="primary"):
            return None
    return {
        "name": (name or "").strip(),
        "description": (description or "").strip() or None,
    } | values


def _accounts(session: Session, me: Me, owner: Owner) -> dict[int, str]:
    views = Credentials(session, owner.id, me.console.vault).views(CredentialPlatform.ZOOM)
    return told_apart({view.id: view.account_name or t("Without a name") for view in views})


def _zoom(me: Me, accounts: Mapping[int, str], seen: Mapping[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = dict(seen.get("config") or {})
    chosen: int | None = seen.get("credential_id") or next(iter(accounts), None)
    options = list(accounts)
    credential = st.selectbox(
        t("Zoom account"),
        options,
        index=options.index(chosen) if chosen is not None and chosen in accounts else None,
        format_func=lambda each: accounts[each],
        key=keyed("account"),
        placeholder=t("None"),
    )
    since = _since(me, config)
    with st.expander(t("What is read")):
        config |= _bounds(config)
    config["sync_from_date"] = since
    kept = {key: value for key, value in config.items() if value is not None}
    return {"credential_id": credential, "config": kept}


def _bounds(config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "user_id": _text(t("Only of this person (Zoom's id or address)"), config, "user_id"),
        **{key: _whole(t(label), config, key, least) for key, (label, least) in _NUMBERS.items()},
        **{
            key: _flag(t(label), config, key, usual=usual) for key, (label, usual) in _FLAGS.items()
        },
    }


def _since(me: Me, config: Mapping[str, Any]) -> str | None:
    """The day from which recordings are read, as it is stored; untouched where it stays the day."""
    said = config.get("sync_from_date")
    before = datetime.fromisoformat(said).date() if said else None
    chosen = st.date_input(
        t("Recordings from this day on"),
        before,
        key=keyed("sync_from_date"),
        min_value=min(before or EARLIEST, EARLIEST),
        help=t("Left empty: the last {n} days.", n=me.console.settings.history_days),
    )
    if not isinstance(chosen, date):
        return None
    if chosen == before:
        return str(said)
    return datetime(chosen.year, chosen.month, chosen.day, tzinfo=UTC).isoformat()


def _text(label: str, config: Mapping[str, Any], key: str) -> str | None:
    text = st.text_input(label, config.get(key) or "", key=keyed(key), placeholder="me")
    return (text or "").strip() or None


def _flag(label: str, config: Mapping[str, Any], key: str, *, usual: bool) -> bool | None:
    said = config.get(key)
    before = usual if said is None else bool(said)
    chosen = st.checkbox(label, before, key=keyed(key))
    # Nobody has decided what nobody touched.
    return said if chosen == before else chosen


def _whole(label: str, config: Mapping[str, Any], key: str, least: int) -> int | None:
    found: int | None = st.number_input(
        label,
        min_value=least,
        value=config.get(key),
        step=1,
        key=keyed(key),
        placeholder=t("As usual"),
    )
    return found


DIALOGS: Mapping[str, Callable[..., None]] = {"add": _add, "edit": _edit, "delete": _delete}
