"""Delete the databases, so that they can be made anew."""

from __future__ import annotations

from contextlib import closing

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL

from leap_pipeline.db.connection_errors import explained
from leap_pipeline.db.databases import MAINTENANCE_DATABASES
from leap_pipeline.db.urls import DatabaseUrls, connect, where
from leap_pipeline.errors import UserActionError

EXISTS = "SELECT 1 FROM pg_database WHERE datname = %s"
# The option FORCE of DROP DATABASE is newer than PostgreSQL 12.
# Autovacuum belongs to the superuser, and DROP DATABASE ends it by itself.
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = %s AND backend_type = 'client backend'"
)


def drop_databases(urls: DatabaseUrls) -> list[str]:
    """Drop the application's and Dagster's database where they exist; returns their names.

    Both, because the recordings of a new database get the old ones' numbers, which Dagster would
    take for the old ones. Ends the connections to them first. Raises UserActionError where the
    login may not drop them.
    """
    return [name for url in (urls.migration, urls.dagster) if (name := _drop(url)) is not None]


def _drop(url: URL) -> str | None:
    name = str(url.database)
    with closing(_maintenance(url)) as connection:
        if connection.execute(EXISTS, [name]).fetchone() is None:
            return None
        try:
            _set_connections(connection, name, allowed=False)
            try:
                connection.execute(TERMINATE, [name])
                connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
            except psycopg.Error:
                _set_connections(connection, name, allowed=True)
                raise
        except psycopg.Error as error:
            msg = f"The {where(url)} cannot be dropped: {error.diag.message_primary or error}."
            raise UserActionError(msg) from error
    return name


def _set_connections(connection: psycopg.Connection, name: str, *, allowed: bool) -> None:
    connection.execute(
        sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
            sql.Identifier(name), sql.Literal(allowed)
        )
    )


def _maintenance(url: URL) -> psycopg.Connection:
    """A connection beside the database, as one cannot be dropped from inside."""
    first, *others = [name for name in MAINTENANCE_DATABASES if name != url.database]
    try:
        return connect(url.set(database=first))
    except psycopg.OperationalError as error:
        for name in others:
            try:
                return connect(url.set(database=name))
            except psycopg.OperationalError:
                continue
        raise explained(error, url.set(database=first)) from error
