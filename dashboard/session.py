"""Who is in front of the page, asked anew at every rerun: rights change, and logins end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import streamlit as st
from sqlalchemy.orm import Session
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.bindings import BINDINGS
from dashboard.console import Console, current
from dashboard.gate import FAMILY
from dashboard.texts import preferred, speak
from leap_pipeline.domain.addresses import Origin
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.errors import SessionEnded
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.sessions import SignedIn


@dataclass(frozen=True)
class Me:
    """The person in front of this page, as the database had it when the rerun began."""

    console: Console
    who: SignedIn
    origin: Origin

    @property
    def user_id(self) -> str:
        return self.who.user_id

    @property
    def rights(self) -> Rights:
        return self.who.rights

    @property
    def is_admin(self) -> bool:
        return self.who.rights.is_admin

    def may(self, permission: Permission) -> bool:
        return self.who.rights.may(permission)

    @property
    def actor(self) -> Actor:
        return Actor(
            self.who.user_id, self.who.email, self.origin.ip_address, self.origin.user_agent
        )

    @property
    def editor(self) -> Editor:
        return Editor(self.actor, self.who.rights)

    @contextmanager
    def tenant(self, user_id: str | None = None) -> Iterator[Session]:
        """A transaction that sees one tenant's rows: one's own, or for an admin another's."""
        wanted = user_id or self.who.user_id
        if wanted != self.who.user_id and not self.is_admin:
            msg = "This belongs to another account: log in again."
            raise SessionEnded(msg)
        with self.console.database.tenant(wanted) as session:
            yield session


_me: ContextVar[Me | None] = ContextVar("me", default=None)


def family_of_connection() -> str | None:
    """The login whose websocket runs this script, as the gate told it."""
    return st.context.headers.get(FAMILY)


@contextmanager
def entered() -> Iterator[Me]:
    """The person, looked up once a rerun; raises `SessionEnded` where nobody is logged in.

    A fragment that reruns alone enters by itself; within a whole rerun it finds the person there.
    """
    found = _me.get()
    if found is not None:
        yield found
        return
    me = _look_up()
    token = _me.set(me)
    try:
        yield me
    finally:
        _me.reset(token)


def _look_up() -> Me:
    console = current()
    family = family_of_connection()
    speak(preferred(st.context.headers.get("Accept-Language", "")))
    if not family:
        msg = "Nobody is logged in here: log in first."
        raise SessionEnded(msg)
    context = get_script_run_ctx()
    if context is not None and not BINDINGS.bind(context.session_id, family):
        msg = "This page belongs to another session: load it again."
        raise SessionEnded(msg)
    who = console.sessions.check(family)
    speak(who.language or preferred(st.context.headers.get("Accept-Language", "")), who.timezone)
    origin = Origin.of(st.context.ip_address, st.context.headers.get("User-Agent"))
    return Me(console, who, origin)
