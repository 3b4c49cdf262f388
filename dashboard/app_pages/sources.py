"""Where recordings come from: when each source was read, what it gave, and what is wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import streamlit as st

from dashboard.app_pages._asks import ask, open_asked
from dashboard.app_pages._source_dialogs import DIALOGS, PAGE, TYPES, seen_of
from dashboard.background import BACKGROUND, BROKEN, Piece
from dashboard.live import live
from dashboard.messages import act, say_later
from dashboard.owners import Owner, choose_owner, owner_of
from dashboard.session import Me
from dashboard.texts import ago, number, t, tn, when
from dashboard.words import plain
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.repositories.base import LARGEST_PAGE
from leap_pipeline.db.repositories.catalogue import Sources
from leap_pipeline.domain.shapes.registry import read_column
from leap_pipeline.domain.shapes.sources import SyncCounts
from leap_pipeline.services.catalogue import update_source
from leap_pipeline.services.source_reading import Reading, SourceReader
from leap_pipeline.services.zoom_sources import ZOOM

REFRESH_SECONDS = 5
STEP = 20
# So long it is said how something went that was begun by hand.
TOLD_FOR = timedelta(minutes=10)
SHOWN = "sources_shown"


def show(me: Me) -> None:
    owner = owner_of(me)
    st.title(t("Sources"))
    choose_owner(me, owner, PAGE)
    if st.button(t("Add a source"), key="add_source", type="primary"):
        ask(PAGE, "add")
    _list(owner)
    open_asked(PAGE, DIALOGS, owner)


@live(REFRESH_SECONDS)
def _list(me: Me, owner: Owner) -> None:
    limit = min(st.session_state.get(SHOWN, STEP), LARGEST_PAGE)
    with me.tenant(owner.id) as session:
        page = Sources(session).page(limit=limit)
    if not page.items:
        st.info(
            t(
                "No source yet. Add a Zoom account, and its recordings come by themselves; files"
                " can be uploaded without one."
            )
        )
    for row in page.items:
        with st.container(border=True):
            _card(me, owner, row)
    if page.after is not None and st.button(t("Show more"), key="more_sources"):
        st.session_state[SHOWN] = limit + STEP
        st.rerun(scope="app")


def _card(me: Me, owner: Owner, row: InputSource) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(row.name)}**", width="content")
        st.badge(t(TYPES.get(row.source_type, row.source_type)), color="blue")
        _state(row)
    if row.description:
        st.caption(plain(row.description))
    piece = BACKGROUND.look(owner.id, _name(row.id))
    if row.source_type == ZOOM:
        _facts(row)
        _by_hand(piece)
    else:
        st.caption(t("Its files are handed over by hand: upload them among the recordings."))
    _buttons(me, owner, row, piece)


def _state(row: InputSource) -> None:
    if not row.is_active:
        st.badge(t("Paused"), color="gray")
    elif row.source_type == ZOOM and row.credential is None:
        st.badge(t("Has no account"), color="red")
    elif row.last_error:
        st.badge(
            t("Fails") if row.failures else t("Waits"), color="red" if row.failures else "orange"
        )
    else:
        st.badge(t("Works"), color="green")


def _facts(row: InputSource) -> None:
    account = row.credential.account_name if row.credential else None
    parts = [t("Account: {name}", name=plain(account or t("none")))]
    parts.append(
        t("read {ago}", ago=ago(row.last_sync_at))
        if row.last_sync_at
        else t("never read to its end")
    )
    if row.is_active and row.next_poll_at is not None:
        parts.append(t("next {at}", at=when(row.next_poll_at)))
    st.caption(" · ".join(parts))
    if row.last_result:
        counts = read_column("input_sources", "last_result", row.last_result).value
        if isinstance(counts, SyncCounts):
            st.caption(told(counts))
    if row.last_error:
        times = tn("{n} failure in a row", "{n} failures in a row", row.failures)
        said = plain(row.last_error)
        (st.error if row.failures else st.warning)(f"{times}: {said}" if row.failures else said)


def told(counts: SyncCounts, *, dry_run: bool = False) -> str:
    """What a sync found, in a line."""
    values = {name: number(value) for name, value in counts.model_dump().items()}
    if dry_run:
        return t(
            "Found {found}: {new} would be new, {updated} would be updated; {matched} have a"
            " template, {unmatched} have none, {blank} blank, {pending} still prepared, {skipped}"
            " deleted here before.",
            **values,
        )
    return t(
        "Found {found}: {new} new, {updated} updated; {matched} have a template, {unmatched} have"
        " none, {blank} blank, {pending} still prepared, {skipped} deleted here before.",
        **values,
    )


def _by_hand(piece: Piece | None) -> None:
    """How what somebody has begun on this page goes."""
    if piece is None:
        return
    if piece.ended_at is not None:
        if datetime.now(UTC) - piece.ended_at > TOLD_FOR:
            return
        st.caption(t("By hand, {ago}:", ago=ago(piece.ended_at)))
    if piece.is_running:
        st.info(t("Asking Zoom since {ago} …", ago=ago(piece.began_at)))
    elif piece.error is not None:
        st.error(t(BROKEN) if piece.error == BROKEN else plain(piece.error))
    elif isinstance(piece.result, Reading):
        _reading(piece.result)
    else:
        st.success(plain(str(piece.result)))


def _reading(found: Reading) -> None:
    what = t("Dry run") if found.dry_run else t("Read")
    rest = "" if found.is_whole else " " + t("The time was over: the next poll goes on from there.")
    st.success(f"{what}: {told(found.counts, dry_run=found.dry_run)}{rest}")


def _buttons(me: Me, owner: Owner, row: InputSource, piece: Piece | None) -> None:
    busy = piece is not None and piece.is_running
    with st.container(horizontal=True, vertical_alignment="center"):
        if row.source_type == ZOOM:
            _reading_buttons(me, owner, row.id, busy=busy)
        if st.button(t("Edit"), key=f"edit_{row.id}", type="tertiary"):
            ask(PAGE, "edit", source_id=row.id, seen=seen_of(row))
        # The state is in the key: a second click, or one on an old page, undoes nothing.
        label = t("Pause") if row.is_active else t("Resume")
        if st.button(label, key=f"pause_{row.id}_{bool(row.is_active)}", type="tertiary"):
            act(lambda: _switch(me, owner, row))
        if st.button(t("Delete"), key=f"delete_{row.id}", type="tertiary"):
            ask(PAGE, "delete", source_id=row.id)


def _reading_buttons(me: Me, owner: Owner, source_id: int, *, busy: bool) -> None:
    console = me.console
    reader = SourceReader(console.database, console.vault, console.settings, owner.id)
    if st.button(t("Read now"), key=f"read_{source_id}", disabled=busy):
        _begin(owner, source_id, partial(reader.read, source_id))
    if st.button(t("Dry run"), key=f"dry_{source_id}", disabled=busy):
        _begin(owner, source_id, partial(reader.read, source_id, dry_run=True))
    if st.button(t("Test"), key=f"test_{source_id}", disabled=busy):
        _begin(owner, source_id, partial(reader.check, source_id))


def _begin(owner: Owner, source_id: int, work: Any) -> None:
    act(lambda: BACKGROUND.begin(owner.id, _name(source_id), work))
    st.rerun(scope="app")


def _switch(me: Me, owner: Owner, row: InputSource) -> None:
    active = not row.is_active
    with me.tenant(owner.id) as session:
        update_source(session, me.editor, row.id, is_active=active)
    say_later(
        t("“{name}” is read again from now on.", name=row.name)
        if active
        else t("“{name}” is paused: nothing reads it by itself.", name=row.name)
    )
    st.rerun(scope="app")


def _name(source_id: int) -> str:
    return f"source-{source_id}"
