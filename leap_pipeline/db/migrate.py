"""Alembic, driven by the product: up, down, where we are, what there is, and drift.

Bare `alembic` does the same through the same `migrations/env.py`, with the same lock.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from leap_pipeline.db.connection_errors import explained
from leap_pipeline.db.metadata import metadata
from leap_pipeline.db.migration_lock import LOCK_TIMEOUT, STATEMENT_TIMEOUT, migrating
from leap_pipeline.db.models.recordings import TRIGRAM_INDEX
from leap_pipeline.db.roles import ensure_roles
from leap_pipeline.db.urls import CONNECT_SECONDS, DatabaseUrls, where
from leap_pipeline.errors import TransientError, UserActionError
from leap_pipeline.settings import CHECKOUT

# Alembic keeps what it works on in module variables: one thread of a process at a time. Across
# processes it is `migrating` that makes them wait.
ALEMBIC = threading.Lock()


@dataclass(frozen=True)
class Revision:
    """One migration; `title` is the first line of its docstring."""

    id: str
    previous: str | None
    title: str


def upgrade(urls: DatabaseUrls, revision: str = "head") -> None:
    """Migrate up, and see that the roles are there and granted to who logs in.

    Waits while another migration runs. Raises UserActionError (an unknown revision, a missing
    right) and TransientError (the server is away, a table is in use).
    """
    with _explained(urls.migration), connected(urls.migration) as connection:
        with ALEMBIC:
            command.upgrade(_config(connection, urls), revision)
        with migrating(connection), connection.begin():
            ensure_roles(connection, role_members(urls))


def downgrade(urls: DatabaseUrls, revision: str, yes: bool = False) -> None:
    """Migrate down; `revision` is an id, `base`, or a number of steps such as `-1`.

    Raises UserActionError before anything changes where rows would be deleted without `yes`;
    otherwise as `upgrade` does.
    """
    with _explained(urls.migration), connected(urls.migration) as connection, ALEMBIC:
        command.downgrade(_config(connection, urls, yes=yes), revision)


def current(urls: DatabaseUrls) -> str | None:
    """The revision that the database is at; None where no migration has run."""
    with _explained(urls.migration), connected(urls.migration) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def history() -> list[Revision]:
    """All migrations there are, oldest first."""
    revisions = [
        Revision(script.revision, script.down_revision, script.doc)
        for script in _scripts().walk_revisions()
        if not isinstance(script.down_revision, (list, tuple))
    ]
    return revisions[::-1]


def head() -> str | None:
    """The newest migration there is."""
    return _scripts().get_current_head()


def is_current(urls: DatabaseUrls) -> bool:
    """Have all migrations run?"""
    return current(urls) == head()


def check_drift(urls: DatabaseUrls) -> list[str]:
    """Differences between the models and the database, as Alembic words them; [] where none."""
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": is_compared,
    }
    with _explained(urls.migration), connected(urls.migration) as connection:
        context = MigrationContext.configure(connection, opts=options)
        return [repr(difference) for difference in compare_metadata(context, metadata)]


def is_compared(_object: object, name: str | None, *_: object) -> bool:
    """Not the index that is there on some servers only."""
    return name != TRIGRAM_INDEX


def role_members(urls: DatabaseUrls) -> tuple[str, ...]:
    """Who takes the application's roles beside the migrating user."""
    login = urls.application.username
    return () if login is None or login == urls.migration.username else (login,)


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """One connection that is closed, not pooled, at the end."""
    arguments = {"application_name": "leap-migrate", "connect_timeout": CONNECT_SECONDS}
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments, hide_parameters=True)
    with engine.connect() as connection:
        yield connection


def _config(connection: Connection, urls: DatabaseUrls, *, yes: bool = False) -> Config:
    attributes = {"connection": connection, "role_members": role_members(urls), "yes": yes}
    return Config(str(CHECKOUT / "alembic.ini"), attributes=attributes)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(Config(str(CHECKOUT / "alembic.ini")))


@contextmanager
def _explained(url: URL) -> Iterator[None]:
    try:
        yield
    except CommandError as error:
        msg = f"{str(error).rstrip('.')}: `leap db history` shows what there is."
        raise UserActionError(msg) from error
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.LockNotAvailable):
            msg = (
                f"A migration of {where(url)} found a table in use for {LOCK_TIMEOUT}: try again"
                " when less is running."
            )
            raise TransientError(msg) from error
        if isinstance(error.orig, psycopg.errors.QueryCanceled):
            msg = f"A migration of {where(url)} took longer than {STATEMENT_TIMEOUT}."
            raise TransientError(msg) from error
        if error.connection_invalidated or error.statement is None:
            raise explained(error, url) from error
        raise
