"""The real server with two people who have nothing, and the browsers that they use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from sqlalchemy import update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import User
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from tests.support.accounts import ADA, PASSWORD
from tests.support.console import served
from tests.support.postgres import TestServer, urls_of
from tests.support.tabs import login

EVE = "eve@example.org"


@dataclass
class Town:
    """A served console with two people, and the browsers that a test opens."""

    url: str
    database: Database
    opened: list[httpx.Client] = field(default_factory=list)

    def browser(self) -> httpx.Client:
        self.opened.append(httpx.Client(base_url=self.url, headers={"Origin": self.url}))
        return self.opened[-1]

    def login(self, email: str) -> httpx.Client:
        self.opened.append(login(self.url, email))
        return self.opened[-1]

    def permit(self, email: str, **permissions: bool) -> None:
        with self.database.system() as session:
            session.execute(update(User).where(User.email == email).values(**permissions))

    def raw(self, target: str, cookie: str | None) -> tuple[int, str, bytes]:
        """The answer to an address that no client has tidied up: status, where to, body."""
        host = urlsplit(self.url)
        with closing(HTTPConnection(str(host.hostname), host.port, timeout=20)) as connection:
            connection.putrequest("GET", target, skip_accept_encoding=True)
            if cookie is not None:
                connection.putheader("Cookie", cookie)
            connection.endheaders()
            answer = connection.getresponse()
            return answer.status, answer.getheader("location", ""), answer.read()


@contextmanager
def served_town(server: TestServer, folder: Path) -> Iterator[Town]:
    with server.database() as url:
        settings = Settings(
            home=folder / "home",
            storage_root=folder / "storage",
            database_url=url.render_as_string(hide_password=False),
        )
        database = Database(urls_of(url))
        with database.system() as session:
            add_user(session, ADA, "Ada", password=PASSWORD)
            add_user(session, EVE, "Eve", password=PASSWORD)
        settings.home.mkdir()
        with served(settings, folder / "log") as address:
            yield Town(address, database)
        database.dispose()
