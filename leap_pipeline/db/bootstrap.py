"""From settings to databases that can be used: the first thing that every command does."""

from __future__ import annotations

import threading

import psycopg
from sqlalchemy.engine import URL

from leap_pipeline.db import migrate
from leap_pipeline.db.databases import opened
from leap_pipeline.db.engine import APPLICATION_ROLE, SYSTEM_ROLE
from leap_pipeline.db.roles import taking_right
from leap_pipeline.db.urls import DatabaseUrls, resolve
from leap_pipeline.settings import Settings

ROLES_GRANTED = """
    SELECT count(*) FROM pg_roles AS role, pg_roles AS login
    WHERE role.rolname = ANY(%s) AND login.rolname = %s
      AND pg_has_role(login.oid, role.oid, %s)
"""
# Alembic keeps what it works on in module variables: one thread of a process at a time.
ALEMBIC = threading.Lock()
DATABASE_EXISTS = "SELECT 1 FROM pg_database WHERE datname = %s"


def prepare(settings: Settings) -> DatabaseUrls:
    """Start the server where it is LEAP's own, make what is missing, migrate to head.

    Any number of processes may do so at once. Where all is well it costs one connection and
    changes nothing.

    Raises UserActionError or TransientError with what stands in the way.
    """
    urls = resolve(settings)
    with opened(urls.migration) as connection:
        complete = _roles_granted(connection, urls.application)
        dagster_exists = _is_beside(connection, urls)
    if not dagster_exists:
        with opened(urls.dagster):
            pass
    with ALEMBIC:
        if not complete or not migrate.is_current(urls):
            migrate.upgrade(urls)
    return urls


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
