"""The pictures that templates and presets can name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePath

import streamlit as st

from dashboard.live import dialog
from dashboard.messages import say_later
from dashboard.owners import Owner, choose_owner, owner_of
from dashboard.pictures import small_picture
from dashboard.session import Me
from dashboard.texts import size, t, when
from dashboard.words import plain
from leap_pipeline.errors import UserActionError
from leap_pipeline.media.thumbnails import LARGEST_GIVEN
from leap_pipeline.services.thumbnails import (
    Thumbnail,
    add_thumbnail,
    delete_thumbnail,
    list_thumbnails,
    uses_of_thumbnails,
)

IN_A_ROW = 3
PAGE = 24
MOST_TOLD = 4
ADDED = "pictures_added"
TAKEN = ["png", "jpg", "jpeg", "webp"]


def show(me: Me) -> None:
    owner = owner_of(me)
    st.title(t("Thumbnails"))
    choose_owner(me, owner, "thumbnails")
    _upload(me, owner)
    with me.tenant(owner.id) as session:
        found = list_thumbnails(session, me.console.storage, owner.id)
        uses = uses_of_thumbnails(session, owner.id)
    if not found:
        st.info(t("There is no picture yet: add one above, and name it in a template."))
        return
    _gallery(me, owner, _page(owner, found), uses)


def _upload(me: Me, owner: Owner) -> None:
    # After a success it is another form, with nothing in it.
    key = f"picture:{st.session_state.get(ADDED, 0)}"
    with st.expander(t("Add a picture")), st.form(f"{key}:form", border=False):
        given = st.file_uploader(
            t("A PNG, JPEG or WebP, best of 1280×720"),
            type=TAKEN,
            max_upload_size=min(LARGEST_GIVEN // 2**20, st.get_option("server.maxUploadSize")),
            key=f"{key}:file",
        )
        name = st.text_input(
            t("What to call it"), key=f"{key}:name", placeholder=t("As the file is called")
        )
        replaces = st.checkbox(t("In place of the one of that name"), key=f"{key}:replace")
        sent = st.form_submit_button(t("Add"), type="primary", key=f"{key}:add")
    if not sent:
        return
    if given is None:
        st.error(t("Choose a picture's file first."))
        return
    try:
        made = add_thumbnail(
            me.console.database,
            me.console.storage,
            owner.id,
            _name_of(name, given.name),
            given.getvalue(),
            actor=me.actor,
            at=datetime.now(UTC),
            replace=replaces,
        )
    except UserActionError as error:
        st.error(plain(str(error)))
        return
    st.session_state[ADDED] = st.session_state.get(ADDED, 0) + 1
    say_later(t("{name} is stored: choose it in a template or a preset.", name=made.name))
    st.rerun()


def _name_of(name: str | None, file: str) -> str:
    """As it was typed, with the file's ending where it has none; a WebP becomes a PNG."""
    given = (name or "").strip() or file
    kind = PurePath(given).suffix.lower()
    if kind == ".webp":
        return given[: -len(kind)] + ".png"
    if name and kind.removeprefix(".") not in TAKEN:
        own = PurePath(file).suffix.lower()
        return given + (".png" if own == ".webp" else own)
    return given


def _page(owner: Owner, found: Sequence[Thumbnail]) -> Sequence[Thumbnail]:
    pages = -(-len(found) // PAGE)
    if pages == 1:
        return found
    # Another owner, or fewer pictures, may have no such page.
    number = st.pagination(pages, key=f"pictures_page:{owner.id}:{pages}")
    return found[(number - 1) * PAGE : number * PAGE]


def _gallery(
    me: Me, owner: Owner, found: Sequence[Thumbnail], uses: Mapping[str, Sequence[str]]
) -> None:
    for begin in range(0, len(found), IN_A_ROW):
        places = st.columns(IN_A_ROW)
        for place, each in zip(places, found[begin : begin + IN_A_ROW], strict=False):
            with place.container(border=True, height="stretch"):
                _card(me, owner, each, uses.get(each.name, ()))


def _card(me: Me, owner: Owner, each: Thumbnail, uses: Sequence[str]) -> None:
    content = small_picture(me.console.storage, each.path)
    if content is None:
        st.warning(t("The file of this picture is gone: add it again."))
    else:
        st.image(content, width="stretch", alt=each.name)
    st.text(each.name)
    if each.is_shared:
        st.caption(t("Shared with everybody"))
    else:
        st.caption(f"{size(each.bytes)} · {when(each.updated_at)}")
    st.caption(_told(uses))
    if not each.is_shared and not uses and st.button(t("Delete"), key=f"delete:{each.name}"):
        _delete(owner, each.name)


def _told(uses: Sequence[str]) -> str:
    if not uses:
        return t("Not used")
    more = len(uses) - MOST_TOLD
    named = ", ".join(uses[:MOST_TOLD])
    told = t("{named} and {n} more", named=named, n=more) if more > 0 else named
    return plain(t("Used by {named}", named=told))


@dialog(lambda: t("Delete this picture?"))
def _delete(me: Me, owner: Owner, name: str) -> None:
    st.text(name)
    if st.button(t("Delete it"), type="primary", key="do_delete"):
        with me.tenant(owner.id) as session:
            delete_thumbnail(
                session, me.console.storage, owner.id, name, actor=me.actor, at=datetime.now(UTC)
            )
        say_later(t("Deleted"))
        st.rerun()
