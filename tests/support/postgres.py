"""PostgreSQL servers for tests: the product's own embedded server in a home of its own.

Migrations run once, into a template; a test gets a copy of it, which takes a few hundredths of a
second and is dropped afterwards.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from leap_pipeline.db import migrate
from leap_pipeline.db.binaries import Binaries
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.urls import DAGSTER_DRIVER, DatabaseUrls, connect, embedded_url, plain
from leap_pipeline.settings import Settings
from tests.support.homes import home_settings

# Nobody minds if a test's data does not survive a power cut.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
FAST |= {"max_wal_size": "256MB"}
TEMPLATE = "leap_template"
PASSWORD = "only for this test"


class TestServer:
    """One running server; `admin` logs in as the owner role, which may make databases and roles."""

    __test__ = False

    def __init__(self, settings: Settings, embedded: EmbeddedServer) -> None:
        self.settings = settings
        self.embedded = embedded
        self.admin: URL = embedded_url(embedded.ensure_running(), "postgres")

    @property
    def superuser(self) -> URL:
        """The bootstrap superuser, for setting the scene where no other role may."""
        password = self.embedded.folder.superuser.read_text(encoding="utf-8")
        return self.admin.set(username="postgres", password=password)

    @cached_property
    def template(self) -> str:
        """A database with all migrations, made when first asked for."""
        self.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        migrate.upgrade(urls_of(self.admin.set(database=TEMPLATE)))
        return TEMPLATE

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[URL]:
        """A fresh database, dropped afterwards whoever is still connected to it."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        template = self.template if migrated else "template0"
        # Copying files takes a third of the time of writing each page through the log.
        self.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
        try:
            yield self.admin.set(database=name)
        finally:
            self.drop(name, f"{name}_dagster")

    def drop(self, *names: str) -> None:
        """As the superuser, who may also end an autovacuum that is at work in it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        with psycopg.connect(plain(self.superuser), autocommit=True) as connection:
            for name in names:
                connection.execute(statement.format(sql.Identifier(name)))

    def execute(self, statement: sql.Composed, *, login: URL | None = None) -> None:
        with psycopg.connect(plain(login or self.admin), autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def server(binaries: Binaries | None = None) -> Iterator[TestServer]:
    """Start a server in a temporary home; stop and remove it whatever happens."""
    with home_settings() as settings:
        yield TestServer(settings, EmbeddedServer(settings, binaries=binaries, options=FAST))


@contextmanager
def login(server: TestServer, attributes: str = "") -> Iterator[URL]:
    """A login role without rights, beside the owner."""
    name = f"login {uuid.uuid4().hex[:8]}"
    statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}").format(
        sql.Identifier(name), sql.Literal(PASSWORD), sql.SQL(attributes)
    )
    with connect(server.superuser) as connection:
        connection.execute(statement)
    yield server.admin.set(username=name, password=PASSWORD)
    with connect(server.superuser) as connection:
        connection.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(sql.Identifier(name)))


def urls_of(application: URL) -> DatabaseUrls:
    """What `resolve` makes of one URL, without settings."""
    dagster = application.set(drivername=DAGSTER_DRIVER, database=f"{application.database}_dagster")
    return DatabaseUrls(application=application, migration=application, dagster=dagster)


def system_binaries(major: int) -> Binaries | None:
    """PostgreSQL `major` of the operating system, where it is installed."""
    folder = Path(f"/usr/lib/postgresql/{major}/bin")
    return Binaries(folder, f"{major}", "the system") if folder.exists() else None
