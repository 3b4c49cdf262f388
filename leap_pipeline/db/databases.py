"""Databases on a server: looked at, and made where the login role may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from leap_pipeline.db.connection_errors import explained
from leap_pipeline.db.urls import connect, where
from leap_pipeline.errors import LeapError, UserActionError

OLDEST_SERVER = 120_000
MAINTENANCE_DATABASES = ("postgres", "template1")


@contextmanager
def opened(url: URL) -> Iterator[psycopg.Connection]:
    """A connection to a database that is made before where it is missing.

    Raises UserActionError where the server is older than 12, where the database does not hold
    UTF-8, and where it is missing and may not be made; TransientError where the server is away.
    """
    try:
        connection = connect(url)
    except psycopg.OperationalError as error:
        connection = _made_and_connected(url, explained(error, url))
    with connection:
        _require_usable(connection, url)
        yield connection


def _require_usable(connection: psycopg.Connection, url: URL) -> None:
    if connection.info.server_version < OLDEST_SERVER:
        major = connection.info.server_version // 10_000
        msg = f"The server at {where(url)} is PostgreSQL {major}: LEAP needs 12 or newer."
        raise UserActionError(msg)
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        msg = f"The {where(url)} is encoded as {encoding}: make one with ENCODING 'UTF8'."
        raise UserActionError(msg)


def _made_and_connected(url: URL, cause: LeapError) -> psycopg.Connection:
    """Raises `cause` unless a missing database was all that was wrong."""
    if not isinstance(cause, UserActionError):
        raise cause
    with _maintenance(url, cause) as connection:
        query = "SELECT 1 FROM pg_database WHERE datname = %s"
        exists = connection.execute(query, [url.database]).fetchone() is not None
    if not exists:
        _create(url, cause)
    try:
        # It may have been made by somebody else since, or be there and closed to this user.
        return connect(url)
    except psycopg.OperationalError as error:
        raise explained(error, url) from error


def _create(url: URL, cause: LeapError) -> None:
    """template0, because others may be connected to template1, and for its free encoding."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'").format(
        sql.Identifier(str(url.database))
    )
    try:
        with _maintenance(url, cause) as connection:
            connection.execute(statement)
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return  # somebody else was quicker
    except psycopg.Error as error:
        raise cause from error


def _maintenance(url: URL, cause: LeapError) -> psycopg.Connection:
    for name in MAINTENANCE_DATABASES:
        try:
            return connect(url.set(database=name))
        except psycopg.OperationalError:
            continue
    raise cause
