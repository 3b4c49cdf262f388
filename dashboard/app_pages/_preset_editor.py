"""The form of one preset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import streamlit as st
from sqlalchemy.orm import Session

from dashboard.app_pages import _template_fields as shown
from dashboard.app_pages._template_state import METADATA, inherited, number_of
from dashboard.fields import Document, draw, json_editor, told_apart
from dashboard.live import dialog, live
from dashboard.messages import say_later
from dashboard.owners import Owner, visit
from dashboard.session import Me
from dashboard.texts import t
from dashboard.words import plain
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.db.repositories.base import LARGEST_PAGE
from leap_pipeline.db.repositories.catalogue import Presets
from leap_pipeline.domain.shapes.registry import read_column, validate_column
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import InputError, NotFound, StaleChange, UserActionError
from leap_pipeline.services.catalogue import (
    accounts_at,
    create_preset,
    delete_preset,
    templates_with_preset,
    update_preset,
)
from leap_pipeline.services.thumbnails import list_thumbnails

MOST = LARGEST_PAGE
STATE = "preset_editor"
PLATFORMS: Mapping[str, str] = {Platform.YOUTUBE: "YouTube", Platform.VK: "VK"}
TABLE, COLUMN = "output_presets", "preset_metadata"


@dataclass
class Editing:
    """`seen_at` is the `updated_at` of the loaded row; `key` begins the keys of widgets."""

    subject: tuple[str, ...]
    key: str
    owner: Owner
    platform: Platform
    preset_id: int | None
    seen_at: datetime | None
    name: str
    description: str
    is_active: bool
    credential_id: int | None
    document: Document
    accounts: Mapping[int, str]
    pictures: tuple[str, ...]
    inherited: Mapping[str, Any]
    templates: tuple[str, ...]
    differences: tuple[tuple[str, str], ...] = ()
    round: int = 0
    stale: bool = False


def account_name(account: UserCredential | None) -> str:
    if account is None:
        return ""
    name = account.account_name or t("without a name")
    return name if account.is_active else t("{name} (connect it again)", name=name)


def show(me: Me, owner: Owner) -> None:
    """The preset that the page's address names, or a new one."""
    if st.button(t("All presets"), key="back", type="tertiary"):
        visit(me, owner, "presets")
    editing = _current(me, owner)
    platform = PLATFORMS[editing.platform]
    if editing.preset_id is None:
        st.title(t("New preset for {platform}", platform=platform))
    else:
        st.title(plain(editing.name))
        names = ", ".join(editing.templates) or t("no template yet")
        st.caption(f"{platform} · {t('used by')} {plain(names)}")
    if editing.differences:
        paths = ", ".join(path for path, _ in editing.differences[:5])
        st.warning(
            t(
                "Some of what is stored cannot be read and is left out when you save: {paths}.",
                paths=plain(paths),
            )
        )
    _form()


@live()
def _form(me: Me) -> None:
    editing: Editing = st.session_state[STATE]
    bar = st.container()
    left, right = st.columns([2, 3], gap="large")
    with left:
        name = st.text_input(t("Name"), editing.name, key=f"{editing.key}:name")
        account = _account(editing)
        is_active = st.toggle(t("Active"), editing.is_active, key=f"{editing.key}:active")
        description = st.text_input(
            t("Description"), editing.description, key=f"{editing.key}:description"
        )
    key = f"{editing.key}:{editing.round}"
    with right:
        of_platform = shown.of_platform(editing.platform)
        document = draw(of_platform, editing.document, key=key, inherited=editing.inherited)
    with st.expander(t("Texts, where templates say nothing")):
        fields = [*shown.texts(editing.pictures), *shown.topics()]
        document = draw(fields, document, key=key, inherited=editing.inherited)
    taken = json_editor(document, key=key, check=lambda found: _checked(editing, found))
    if taken is not None:
        editing.document, editing.round = taken, editing.round + 1
        st.rerun()
    values = {
        "name": (name or "").strip(),
        "description": (description or "").strip() or None,
        "is_active": bool(is_active),
        "credential_id": account,
        "preset_metadata": document,
    }
    with bar:
        _save(me, editing, values)


def _account(editing: Editing) -> int | None:
    options = list(editing.accounts)
    if not options:
        st.warning(
            t(
                "No account at {platform} is connected: connect one first.",
                platform=PLATFORMS[editing.platform],
            )
        )
    first = editing.credential_id if editing.credential_id in options else None
    if editing.preset_id is None and len(options) == 1:
        first = options[0]
    return st.selectbox(
        t("Account"),
        options,
        index=None if first is None else options.index(first),
        format_func=lambda each: editing.accounts.get(each, str(each)),
        key=f"{editing.key}:account",
        placeholder=t("Choose an account"),
    )


def _save(me: Me, editing: Editing, values: Mapping[str, Any]) -> None:
    row = st.container(horizontal=True)
    is_new = editing.preset_id is None
    wanted = row.button(
        t("Create") if is_new else t("Save"), type="primary", key=f"{editing.key}:save"
    )
    if editing.preset_id is not None and row.button(t("Delete"), key=f"{editing.key}:delete"):
        _delete(editing.owner, editing.preset_id)
    if wanted:
        try:
            _write(me, editing, values)
        except StaleChange:
            editing.stale = True
        except UserActionError as error:
            st.error(plain(str(error)))
    else:
        _tell_problem(editing, values["preset_metadata"])
    if editing.stale:
        st.error(t("Somebody else has changed this preset meanwhile."))
        if st.button(t("Load it again, without what is typed here"), key=f"{editing.key}:again"):
            st.session_state.pop(STATE, None)
            st.rerun()


def _tell_problem(editing: Editing, document: Document) -> None:
    try:
        _checked(editing, document)
    except InputError as error:
        st.warning(plain(str(error)))


def _checked(editing: Editing, document: Any) -> Any:
    return validate_column(TABLE, COLUMN, document, kind=editing.platform)


def _write(me: Me, editing: Editing, values: Mapping[str, Any]) -> None:
    with me.tenant(editing.owner.id) as session:
        if editing.preset_id is None:
            create_preset(session, me.editor, platform=str(editing.platform), **values)
        else:
            update_preset(
                session, me.editor, editing.preset_id, unchanged_since=editing.seen_at, **values
            )
    st.session_state.pop(STATE, None)
    if editing.preset_id is None:
        say_later(t("Created: name it in a template to publish by it"))
        visit(me, editing.owner, "presets")
    say_later(t("Saved"))
    st.rerun()


@dialog(lambda: t("Delete this preset?"))
def _delete(me: Me, owner: Owner, preset_id: int) -> None:
    with me.tenant(owner.id) as session:
        name = Presets(session).require(preset_id).name
        templates = templates_with_preset(session, preset_id)
    st.write(plain(name))
    if templates:
        st.warning(
            t(
                "These templates publish by it, and will no longer: {names}.",
                names=plain(", ".join(templates)),
            )
        )
    st.caption(t("What is published already stays where it is."))
    if st.button(t("Delete it"), type="primary", key="do_delete"):
        with me.tenant(owner.id) as session:
            delete_preset(session, me.editor, preset_id)
        say_later(t("Deleted"))
        visit(me, owner, "presets")


def _current(me: Me, owner: Owner) -> Editing:
    asked = {name: st.query_params.get(name, "") for name in ("id", "new")}
    subject = (owner.id, asked["id"], asked["new"])
    editing = st.session_state.get(STATE)
    if (
        isinstance(editing, Editing)
        and editing.subject == subject
        # Streamlit forgets the widgets of a page that is left.
        and f"{editing.key}:name" in st.session_state
    ):
        return editing
    with me.tenant(owner.id) as session:
        editing = _loaded(session, me, owner, subject, asked)
    st.session_state[STATE] = editing
    return editing


def _loaded(
    session: Session, me: Me, owner: Owner, subject: tuple[str, ...], asked: Mapping[str, str]
) -> Editing:
    number = st.session_state.get("preset_round", 0) + 1
    st.session_state["preset_round"] = number
    row = Presets(session).require(number_of(asked["id"], "preset")) if asked["id"] else None
    platform = _platform(row.platform if row else asked["new"])
    stored = row.preset_metadata if row else None
    read = read_column(TABLE, COLUMN, stored, kind=platform)
    values = dict(inherited(session, owner)).get(METADATA, {})
    at = f"{platform.lower()}."
    return Editing(
        subject,
        f"p{number}",
        owner,
        platform,
        row.id if row else None,
        row.updated_at if row else None,
        row.name if row else "",
        (row.description or "") if row else "",
        row.is_active is not False if row else True,
        row.credential_id if row else None,
        read.value.model_dump(mode="json", exclude_unset=True) if read.value else {},
        told_apart({each.id: account_name(each) for each in accounts_at(session, platform)}),
        tuple(each.name for each in list_thumbnails(session, me.console.storage, owner.id)),
        {path.removeprefix(at): value for path, value in values.items() if path.startswith(at)},
        tuple(templates_with_preset(session, row.id)) if row else (),
        read.differences,
    )


def _platform(name: str) -> Platform:
    if name not in tuple(Platform):
        msg = f"There are no presets for {name:.40}: choose YouTube or VK."
        raise NotFound(msg)
    return Platform(name)
