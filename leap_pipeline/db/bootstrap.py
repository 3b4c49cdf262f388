"""From settings to databases that can be used: the first thing that every command does."""

from __future__ import annotations

import psycopg
from sqlalchemy.engine import URL

import leap_pipeline.db.metadata  # noqa: F401 - models name each other
from leap_pipeline.db.databases import opened
from leap_pipeline.db.engine import APPLICATION_ROLE, SYSTEM_ROLE
from leap_pipeline.db.roles import taking_right
from leap_pipeline.db.urls import DatabaseUrls, resolve
from leap_pipeline.settings import CHECKOUT, Settings

ROLES_GRANTED = """
    SELECT count(*) FROM pg_roles AS role, pg_roles AS login
    WHERE role.rolname = ANY(%s) AND login.rolname = %s
      AND pg_has_role(login.oid, role.oid, %s)
"""
DATABASE_EXISTS = "SELECT 1 FROM pg_database WHERE datname = %s"


def prepare(settings: Settings) -> DatabaseUrls:
    """Start the server where it is LEAP's own, make what is missing, migrate to head.

    Any number of processes may do so at once. Where all is well it costs one connection and
    changes nothing.

    Raises UserActionError or TransientError with what stands in the way.
    """
    urls = resolve(settings)
    with opened(urls.migration) as connection:
        complete = _roles_granted(connection, urls.application) and _is_migrated(connection)
        dagster_exists = _is_beside(connection, urls)
    if not dagster_exists:
        with opened(urls.dagster):
            pass
    if not complete:
        # Alembic takes a tenth of a second to import, and there is seldom something to migrate.
        from leap_pipeline.db import migrate

        migrate.upgrade(urls)
    return urls


def newest_migration() -> str:
    """The revision of the newest migration, which its file's name begins with."""
    files = (CHECKOUT / "migrations" / "versions").glob("[0-9]*_*.py")
    return max(file.name.partition("_")[0] for file in files)


def _is_migrated(connection: psycopg.Connection) -> bool:
    try:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except psycopg.errors.UndefinedTable:
        connection.rollback()
        return False
    return found == [(newest_migration(),)]


def _roles_granted(connection: psycopg.Connection, application: URL) -> bool:
    roles = [APPLICATION_ROLE, SYSTEM_ROLE]
    login = application.username or connection.info.user
    right = taking_right(connection.info.server_version // 10_000)
    row = connection.execute(ROLES_GRANTED, [roles, login, right]).fetchone()
    return row is not None and row[0] == len(roles)


def _is_beside(connection: psycopg.Connection, urls: DatabaseUrls) -> bool:
    """Does Dagster's database exist on the server that was just asked?"""
    if _server_of(urls.dagster) != _server_of(urls.migration):
        return False
    return connection.execute(DATABASE_EXISTS, [urls.dagster.database]).fetchone() is not None


def _server_of(url: URL) -> URL:
    return url.set(drivername="postgresql", database="any")
