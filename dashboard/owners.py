"""Whose rows a page is about: one's own, or for an admin those of the account in its address.

owner = owner_of(me)                     the `owner` in the page's address
with me.tenant(owner.id) as session: ...
visit(me, owner, "template", id="3")     another page about the same account
"""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from sqlalchemy.orm import lazyload

from dashboard.session import Me
from dashboard.texts import t
from dashboard.words import plain
from leap_pipeline.db.models.users import User
from leap_pipeline.errors import InputError, NotFound
from leap_pipeline.services.users import find_user

ADDRESS = "owner"


@dataclass(frozen=True)
class Owner:
    id: str
    email: str


def owner_of(me: Me) -> Owner:
    """Raises `NotFound` for an account that does not exist; only an admin is asked for one."""
    asked = st.query_params.get(ADDRESS)
    if not me.is_admin or not asked or asked == me.user_id:
        return Owner(me.user_id, me.who.email)
    with me.console.database.system() as session:
        # What no id has in it is not asked for: PostgreSQL takes no zero byte.
        found = session.get(User, asked, options=[lazyload("*")]) if asked.isalnum() else None
        if found is None:
            msg = "There is no such account: look at the list of users."
            raise NotFound(msg)
        return Owner(found.id, found.email)


def visit(me: Me, owner: Owner, page: str, **query: str) -> None:
    """Another page about the same account."""
    from dashboard.shell import go_to  # the shell knows the pages, which know this

    if owner.id != me.user_id:
        query[ADDRESS] = owner.id
    go_to(page, **query)


def choose_owner(me: Me, owner: Owner, page: str) -> None:
    """Whose rows are on this page, and for an admin how to get to those of others."""
    if not me.is_admin:
        return
    own = owner.id == me.user_id
    row = st.container(horizontal=True, vertical_alignment="center")
    if not own:
        row.caption(t("You look at the account {email}.", email=plain(owner.email)))
        if row.button(t("Back to mine"), key="own_rows", type="tertiary"):
            visit(me, Owner(me.user_id, me.who.email), page)
    with row.popover(t("Another account"), type="tertiary"):
        email = st.text_input(t("Its address"), key="other_rows", type="email")
        if st.button(t("Look"), key="look_at_rows") and email:
            _look_at(me, email, page)


def _look_at(me: Me, email: str, page: str) -> None:
    try:
        with me.console.database.system() as session:
            found = find_user(session, email.strip(), active=False)
            owner = Owner(found.id, found.email)
    except InputError as error:
        st.error(plain(str(error)))
        return
    visit(me, owner, page)
