"""Accounts in one database: two that have everything, one that has nothing, and an admin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages import PageSpec
from leap_pipeline.db.engine import Database
from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.credentials import Editor
from leap_pipeline.services.users import rights_of, user_of
from leap_pipeline.settings import Settings
from tests.support.accounts import ADA, cheap_logins
from tests.support.console import Desk, make_desk
from tests.support.furnished import Furnished, everything, furnish
from tests.support.postgres import TestServer, urls_of

EVE, NORA, BOSS = "eve@example.org", "nora@example.org", "boss@example.org"
CANARY, NORAS = "Canary of the account", "Words of the other one"
PARTS = ("Publishing", "Settings", "History", "Files")


@dataclass
class Neighbours:
    """Ada and Nora have everything, and Nora may do nothing; Eve has nothing; Boss is an admin."""

    desk: Desk
    ada: Furnished
    nora: Furnished
    seen: dict[tuple[str, str, str], tuple[str, list[str]]] = field(default_factory=dict)

    def open(self, email: str, page: PageSpec, of: Furnished) -> AppTest:
        """A page as that person, with that account's ids wherever its address has any."""
        query: dict[str, Any] = {"owner": of.user_id, "id": str(of.of(page.name))}
        if page.name == "template":
            query["copy"] = query["id"]
        if page.name == "recordings":
            query |= {"template": str(of.template), "source": str(of.source)}
        opened = self.desk.open(email, page.name, **query)
        assert not opened.exception, opened.exception[0].stack_trace
        return opened

    def sees(self, email: str, page: PageSpec, of: Furnished) -> str:
        """All that a page sends to that person, with each of its parts."""
        return self._seen(email, page, of)[0]

    def titles(self, email: str, page: PageSpec, of: Furnished) -> list[str]:
        return self._seen(email, page, of)[1]

    def _seen(self, email: str, page: PageSpec, of: Furnished) -> tuple[str, list[str]]:
        """Each page is opened once for each person."""
        key = (email, page.name, of.email)
        if key not in self.seen:
            opened = self.open(email, page, of)
            said, titles = [everything(opened)], [each.value for each in opened.title]
            parts = {tab.label for tab in opened.tabs} if page.name == "recording" else set()
            for part in PARTS:
                if part in parts:
                    opened.session_state["parts"] = part
                    opened.run()
                    assert not opened.exception, opened.exception[0].stack_trace
                    said.append(everything(opened))
            self.seen[key] = "\n".join(said), titles
        return self.seen[key]

    def editor(self, email: str) -> Editor:
        with self.desk.database.system() as session:
            user = user_of(session, email)
            assert user is not None
            return Editor(Actor(user.id, email), rights_of(user))


@contextmanager
def empty_desk(server: TestServer, folder: Path) -> Iterator[Desk]:
    """For tests of a module that change nothing of each other's."""
    settings = Settings(home=folder / "home", storage_root=folder / "storage")
    settings.home.mkdir()
    with server.database() as url, pytest.MonkeyPatch.context() as patch, cheap_logins(patch):
        database = Database(urls_of(url), pooled=True)
        yield make_desk(database, settings, patch)
        database.dispose()


@contextmanager
def neighbours(server: TestServer, folder: Path) -> Iterator[Neighbours]:
    with empty_desk(server, folder) as desk:
        desk.add(ADA)
        desk.add(EVE)
        desk.add(NORA, without=list(Permission))
        desk.add(BOSS, role=Role.ADMIN)
        yield Neighbours(desk, furnish(desk, ADA, CANARY), furnish(desk, NORA, NORAS))
