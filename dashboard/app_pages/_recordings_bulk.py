"""Actions on selected recordings, or on all that match: asked back, then followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from dashboard.app_pages._recording_parts import step_name
from dashboard.app_pages._recordings_filters import BIN, Filters
from dashboard.app_pages._recordings_table import forget_selection
from dashboard.live import dialog, live, rerun_page
from dashboard.session import Me
from dashboard.texts import mark, number, t, tn
from dashboard.words import plain
from dashboard.worker import wake
from leap_pipeline.db.models.bulk import BulkAction
from leap_pipeline.domain.bulk import LIVE_BULK_STATES, BulkKind, BulkState
from leap_pipeline.domain.planner import PLATFORM_NAMES
from leap_pipeline.domain.states import Platform, Stage
from leap_pipeline.errors import UserActionError
from leap_pipeline.services.bulk_actions import (
    Choice,
    ask,
    cancel_rest,
    count_chosen,
    may_ask,
    shown_to,
)

LIVE_SECONDS = 1
MOST_SHOWN = 5
IN_THE_BIN = (BulkKind.RESTORE,)
# In the session's state: actions that the next part need not read, and those that were drawn last.
READ, SEEN = "bulk_read", "bulk_seen"
NAMES = {
    BulkKind.RUN: mark("Run what is missing"),
    BulkKind.FORCE: mark("Redo from a stage"),
    BulkKind.PUBLISH: mark("Publish"),
    BulkKind.UPDATE: mark("Update what is published"),
    BulkKind.REMATCH: mark("Match with templates again"),
    BulkKind.SKIP: mark("Skip"),
    BulkKind.UNSKIP: mark("Want again"),
    BulkKind.CANCEL: mark("Cancel what runs"),
    BulkKind.DELETE: mark("Delete"),
    BulkKind.RESTORE: mark("Restore"),
}


@dataclass(frozen=True)
class Wanted:
    """What was chosen in a menu, to be confirmed.

    `seen` is the number that the person sees; None until the dialog opens.
    """

    kind: BulkKind
    choice: Choice
    seen: int | None = None


def menus(me: Me, filters: Filters, selected: Sequence[int], *, anything: bool) -> None:
    """What can be done with the selected lines, and with all that match."""
    kinds = [
        kind
        for kind in NAMES
        if may_ask(me.rights, kind) and (kind in IN_THE_BIN) == (filters.status == BIN)
    ]
    if not anything or not kinds:
        return
    with st.container(horizontal=True):
        if selected:
            label = t("Selected: {n}", n=number(len(selected)))
            chosen = st.menu_button(
                label, kinds, key="with_selected", type="primary", format_func=_name
            )
            if chosen is not None:
                _confirm_next(Wanted(chosen, Choice(filters.owner_id, ids=tuple(selected))))
        chosen = st.menu_button(t("All that match"), kinds, key="with_all", format_func=_name)
        if chosen is not None:
            _confirm_next(Wanted(chosen, Choice(filters.owner_id, criteria=filters.criteria)))


def confirm(me: Me) -> None:
    """Open the dialog for what a menu was just used for.

    It belongs to the page, not to the list: the list's own reruns would close it.
    """
    wanted = st.session_state.pop("wanted", None)
    if isinstance(wanted, Wanted) and may_ask(me.rights, wanted.kind):
        n = wanted.seen
        if n is None:
            n = count_chosen(me.console.database, me.editor, wanted.choice)
        # The list was drawn just now: beside the count, what goes on need not be read again.
        st.session_state[READ] = st.session_state.get(SEEN)
        _dialog(wanted, n)


def progress(me: Me, owners: Mapping[str, str]) -> None:
    """What goes on, and what ended just now; `owners` are the names of others by their ids."""
    actions = _known_or_read(me)
    st.session_state[SEEN] = actions
    if any(each.state in LIVE_BULK_STATES for each in actions):
        st.session_state[READ] = actions
        _follow(owners)
    else:
        _draw(me, actions, owners)


@live(LIVE_SECONDS)
def _follow(me: Me, owners: Mapping[str, str]) -> None:
    actions = _known_or_read(me)
    _draw(me, actions, owners)
    if not any(each.state in LIVE_BULK_STATES for each in actions):
        rerun_page()


def _known_or_read(me: Me) -> list[BulkAction]:
    known: list[BulkAction] | None = st.session_state.pop(READ, None)
    return _read(me) if known is None else known


def _read(me: Me) -> list[BulkAction]:
    with me.console.database.system() if me.is_admin else me.tenant() as session:
        return shown_to(
            session,
            me.user_id,
            datetime.now(UTC),
            most=MOST_SHOWN + 1,
            without=_closed(),
        )


def _closed() -> set[int]:
    closed: set[int] = st.session_state.setdefault("closed", set())
    return closed


def _draw(me: Me, actions: Sequence[BulkAction], owners: Mapping[str, str]) -> None:
    for each in reversed(actions[:MOST_SHOWN]):
        _one(me, each, owners)
    if len(actions) > MOST_SHOWN:
        st.caption(t("There are more: they are shown when these have ended and are closed."))


def _one(me: Me, action: BulkAction, owners: Mapping[str, str]) -> None:
    going = action.state in LIVE_BULK_STATES
    with st.container(border=True, key=f"bulk_{action.id}"):
        left, right = st.columns([5, 1], vertical_alignment="center")
        said = f"{_name(action.action)}: {_told(me, action, owners)}"
        if going:
            left.progress(action.done / max(1, action.total), text=plain(said))
            stopped = right.button(t("Stop"), key=f"stop_{action.id}", width="stretch")
            if stopped and cancel_rest(me.console.database, me.editor, action.id):
                st.toast(t("The rest is cancelled."))
                st.rerun()
        else:
            left.text(said)
            if right.button(t("Close"), key=f"close_{action.id}", width="stretch"):
                _closed().add(action.id)
                st.rerun()
        if action.reason and action.state == BulkState.CANCELLED:
            st.text(action.reason)
        _refusals(action)


def _told(me: Me, action: BulkAction, owners: Mapping[str, str]) -> str:
    said = [t("{done} of {total}", done=number(action.done), total=number(action.total))]
    if action.state not in LIVE_BULK_STATES:
        said.append(tn("{n} changed", "{n} changed", action.changed))
    if action.refused:
        said.append(tn("{n} refused", "{n} refused", action.refused))
    if action.state == BulkState.CANCELLED:
        said.append(t("stopped"))
    if action.user_id != me.user_id:
        said.append(t("recordings of {name}", name=owners.get(action.user_id, action.user_id)))
    if me.user_id != action.asked_by:
        said.append(t("asked for by {name}", name=action.requested_by))
    return ", ".join(said)


def _refusals(action: BulkAction) -> None:
    if not action.refusals:
        return
    first = len(action.refusals)
    label = t("Why not") if first == action.refused else t("Why not: the first {n}", n=first)
    with st.expander(label):
        for each in action.refusals:
            st.text(each["sentence"])


def _name(kind: str) -> str:
    known = {str(each): name for each, name in NAMES.items()}
    return t(known[kind]) if kind in known else kind


def _confirm_next(wanted: Wanted) -> None:
    st.session_state["wanted"] = wanted
    st.rerun(scope="app")


@dialog(lambda: t("Is this what you want?"))
def _dialog(me: Me, wanted: Wanted, n: int) -> None:
    """`n` stays what it was when the dialog opened: it is what the person agrees to."""
    if not n:
        st.info(t("No recording meets this any more."))
        return
    st.markdown(f"**{_name(wanted.kind)}**: " + tn("{n} recording", "{n} recordings", n))
    for_all = _what_follows(wanted.kind)
    if for_all:
        st.caption(for_all)
    with st.form("bulk", border=False):
        parameters = _parameters(wanted.kind)
        typed = _typed_number(wanted.kind, n)
        if not st.form_submit_button(_name(wanted.kind), type="primary", key="bulk_go"):
            return
    if typed is not None and typed.strip() != str(n):
        st.error(t("Type {n} to say that you mean all of them.", n=str(n)))
        return
    _ask(me, wanted, parameters, n)


def _ask(me: Me, wanted: Wanted, parameters: dict[str, Any], n: int) -> None:
    try:
        asked = ask(
            me.console.database, me.editor, wanted.choice, wanted.kind, parameters, expected=n
        )
    except UserActionError as refused:
        st.error(plain(str(refused)))
        return
    wake()
    forget_selection()
    name = _name(wanted.kind)
    total = tn("{n} recording", "{n} recordings", asked.total)
    st.toast(t("Begun: {name}, {total}.", name=name, total=total))
    st.rerun()


def _parameters(kind: BulkKind) -> dict[str, Any]:
    if kind is BulkKind.SKIP:
        reason = st.text_input(t("Why they are not wanted"), key="bulk_reason", max_chars=500)
        return {"reason": (reason or "").strip() or None}
    if kind is BulkKind.FORCE:
        stage = st.selectbox(t("Begin again at"), list(Stage), format_func=step_name)
        return {"stage": stage}
    if kind in (BulkKind.PUBLISH, BulkKind.UPDATE):
        platforms = st.multiselect(
            t("Only on"),
            list(Platform),
            format_func=lambda each: PLATFORM_NAMES[each],
            placeholder=t("All platforms"),
        )
        return {"platforms": list(platforms)}
    return {}


def _typed_number(kind: BulkKind, n: int) -> str | None:
    """Deleting many wants their number typed."""
    if kind is not BulkKind.DELETE or n == 1:
        return None
    said = t("Type {n} to say that you mean all of them.", n=str(n))
    return st.text_input(plain(said), key="bulk_number") or ""


def _what_follows(kind: BulkKind) -> str:
    if kind is BulkKind.DELETE:
        return t("They lie in the bin until their time is over. What is published stays published.")
    if kind is BulkKind.FORCE:
        return t("What this stage and those after it had made is made anew.")
    if kind is BulkKind.SKIP:
        return t("What runs is cancelled.")
    if kind is BulkKind.REMATCH:
        return t("Templates that match no more are taken away; where none is, the first that fits.")
    return ""
