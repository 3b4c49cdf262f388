"""The console in tests: its pages without a browser, its addresses without Streamlit, or all of it.

desk.open("ada@example.org", "presets")       a page in Streamlit's AppTest, as that person
desk.client("ada@example.org").get("/health/live")
with served(settings) as url: ...             the real server, a process of its own
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import streamlit as st
from starlette.applications import Starlette
from starlette.testclient import TestClient
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import dashboard.session
import dashboard.shell
from dashboard.asgi import SCRIPT, guarded
from dashboard.bindings import BINDINGS
from dashboard.console import Console, install
from dashboard.cookies import cookie_name
from dashboard.routes.all import Routes
from leap_pipeline.commands.system import console_server
from leap_pipeline.db.engine import Database
from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.security.keys import ensure_keys
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.sessions import Issued, Sessions
from leap_pipeline.services.users import add_user, set_permissions, user_of
from leap_pipeline.settings import CHECKOUT, Settings
from leap_pipeline.storage.local import LocalStorage
from tests.support.accounts import PASSWORD
from tests.support.homes import wait_for
from tests.support.supervised import free_port

ORIGIN = "http://testserver"
FAMILY = "the login of this AppTest"
START_SECONDS = 60


@dataclass
class Desk:
    """A console on a database of its own, and the people who are logged in."""

    console: Console
    logins: dict[str, Issued] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        return self.console.database

    def add(
        self,
        email: str,
        *,
        role: Role = Role.USER,
        without: Collection[Permission] = (),
        name: str | None = None,
    ) -> str:
        """A new user, who lacks some permissions; the id."""
        with self.database.system() as session:
            user = add_user(session, email, name, password=PASSWORD, role=role)
            if without:
                set_permissions(session, user.id, dict.fromkeys(without, False), SYSTEM)
            return user.id

    def id_of(self, email: str) -> str:
        with self.database.system() as session:
            found = user_of(session, email)
            assert found is not None, email
            return found.id

    def login(self, email: str) -> Issued:
        if email not in self.logins:
            self.logins[email] = self.console.sessions.login(email, PASSWORD)
        return self.logins[email]

    def open(self, email: str, page: str, *, timeout: float = 30, **query: str) -> AppTest:
        """A page as that person, run once; it is not the page where the person may not see it."""
        app = AppTest.from_file(str(SCRIPT), default_timeout=timeout)
        app.session_state[FAMILY] = self.login(email).family_id
        for name, text in query.items():
            app.query_params[name] = text
        app._page_hash = calc_hash(page)
        return app.run()

    def client(self, email: str | None = None) -> TestClient:
        """The addresses beside Streamlit's, behind the gate; logged in, or not."""
        app = Starlette(routes=Routes(self.console).routes())
        client = TestClient(guarded(app, self.console), base_url=ORIGIN, headers={"Origin": ORIGIN})
        client.follow_redirects = False
        if email is not None:
            name = cookie_name(secure=self.console.is_https)
            client.cookies.set(name, self.login(email).token, domain="testserver.local")
        return client


def make_desk(database: Database, settings: Settings, patch: pytest.MonkeyPatch) -> Desk:
    """Makes it this process's console; pages take their login from the AppTest's state."""
    ensure_keys(settings)
    settings.storage.mkdir(parents=True, exist_ok=True)
    console = Console(
        settings.model_copy(update={"public_url": ORIGIN}),
        database,
        LocalStorage(settings.storage),
        load_vault(settings),
        Sessions(database, settings),
    )
    install(console)
    # Every AppTest has the same session id, and no websocket's headers.
    patch.setattr(BINDINGS, "bind", lambda _session, _family: True)
    patch.setattr(dashboard.session, "family_of_connection", lambda: st.session_state.get(FAMILY))
    patch.setattr(dashboard.shell, "daemon_alive", lambda _settings: True)
    # Every run of an AppTest would read what each installed package says of itself: 0.3 s.
    patch.setattr(manifest_scanner, "scan_component_manifests", list)
    return Desk(console)


def upload_scope(token: str, **headers: str) -> dict[str, Any]:
    """An ASGI scope of an upload, for tests that send its body as no client would."""
    sent = {"origin": ORIGIN, "host": "testserver", "cookie": f"leap={token}"} | headers
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/uploads",
        "raw_path": b"/uploads",
        "query_string": b"name=x.mkv",
        "root_path": "",
        "headers": [
            (name.replace("_", "-").encode(), text.encode()) for name, text in sent.items()
        ],
        "client": ("127.0.0.1", 5000),
        "server": ("testserver", 80),
    }


@contextmanager
def served(settings: Settings, log: Path) -> Iterator[str]:
    """The real server as a process of its own, on a free port; its address."""
    port = free_port()
    url = f"http://localhost:{port}"
    environment = os.environ | {
        "LEAP_HOME": str(settings.home),
        "LEAP_STORAGE_ROOT": str(settings.storage),
        "LEAP_DATABASE_URL": settings.database_url or "",
        "LEAP_PUBLIC_URL": url,
        "PYTHONPATH": str(CHECKOUT),
    }
    with (
        log.open("ab") as out,
        subprocess.Popen(
            console_server(port), cwd=CHECKOUT, env=environment, stdout=out, stderr=out
        ) as child,
    ):
        try:
            wait_for(
                lambda: child.poll() is not None or _lives(url),
                seconds=START_SECONDS,
                what="The console",
            )
            assert child.poll() is None, log.read_text()[-2000:]
            yield url
        finally:
            child.kill()


def _lives(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
