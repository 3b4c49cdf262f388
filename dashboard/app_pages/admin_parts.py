"""What the pages of administration share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import streamlit as st
from babel.numbers import format_currency
from sqlalchemy.orm import Session

from dashboard.messages import say_later
from dashboard.session import Me
from dashboard.texts import language, number, t
from leap_pipeline.domain.permissions import require_admin
from leap_pipeline.errors import StaleChange

AFTER = "after"


@contextmanager
def system(me: Me) -> Iterator[Session]:
    """A transaction that sees all tenants; for admins alone."""
    require_admin(me.rights)
    with me.console.database.system() as session:
        yield session


def done(text: str) -> None:
    """Run the page anew, which then says this."""
    say_later(text)
    st.rerun()


@dataclass(frozen=True)
class Shown:
    """What a form showed when it was drawn first: a keyed widget keeps that, whatever is true now.

    `values` go to the service, which refuses to write over what somebody else changed meanwhile.
    """

    name: str
    number: int
    marker: str
    values: Mapping[str, Any]

    def key(self, name: str) -> str:
        """The key of one of the form's widgets."""
        return name if self.number == 0 else f"{name}:{self.number}"

    @contextmanager
    def saved(self) -> Iterator[None]:
        """Around the writing: saved, or refused because it is stale, the form begins anew."""
        try:
            yield
        except StaleChange as error:
            self._forget()
            done(str(error))
        self._forget()

    def _forget(self) -> None:
        st.session_state[f"shown:{self.name}"] = Shown(self.name, self.number + 1, self.marker, {})


def first_shown(name: str, marker: str, now: Mapping[str, Any]) -> Shown:
    """`marker` is one of the form's widgets, without which the form was not on the page before."""
    kept: Shown = st.session_state.get(f"shown:{name}") or Shown(name, 0, marker, {})
    if kept.key(marker) not in st.session_state:
        kept = replace(kept, values=dict(now))
        st.session_state[f"shown:{name}"] = kept
    return kept


def place_in_list(name: str, *filters: object) -> str | None:
    """The cursor in the page's address; other filters of the list begin at its first page."""
    key = f"list_filters:{name}"
    kept = st.session_state.setdefault(key, filters)
    if kept != filters:
        st.session_state[key] = filters
        st.query_params.pop(AFTER, None)
    return st.query_params.get(AFTER)


def pager(after: str | None) -> None:
    """On to the next page, and back to the first."""
    begun = AFTER in st.query_params
    if not begun and after is None:
        return
    with st.container(horizontal=True):
        if begun and st.button(t("First page"), key="first_page"):
            del st.query_params[AFTER]
            st.rerun()
        if after is not None and st.button(t("Next page"), key="next_page"):
            st.query_params[AFTER] = after
            st.rerun()


def limit_name(value: int | None, *, none: str | None = None) -> str:
    """`none` is what it means that there is no limit, where that is not “unlimited”."""
    return (none or t("unlimited")) if value is None else number(value)


def dollars(value: Decimal | None) -> str:
    return "—" if value is None else format_currency(value, "USD", locale=language())


def as_int(text: str | None) -> int | None:
    """A number from an address; None where it is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
