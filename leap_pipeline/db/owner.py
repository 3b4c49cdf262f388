"""The one thing the bootstrap superuser does: make the owner and its two databases."""

from __future__ import annotations

import secrets

import psycopg
from psycopg import sql

OWNER = "leap_owner"
APPLICATION_DATABASE = "leap"
DAGSTER_DATABASE = "leap_dagster"
SUPERUSER = "postgres"
CONNECT_SECONDS = 10
OTHERS = (
    "SELECT 1 FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)
# A generated password of 256 bits needs no stretching, and Dagster opens many connections.
SCRAM_ITERATIONS_SINCE = 160_000


def make_owner(host: str, port: int, superuser_password: str) -> tuple[str, str]:
    """Make or repair the owner; returns its name and its new password."""
    password = secrets.token_urlsafe(32)
    with psycopg.connect(
        host=host,
        port=port,
        user=SUPERUSER,
        password=superuser_password,
        dbname=SUPERUSER,
        connect_timeout=CONNECT_SECONDS,
        autocommit=True,
    ) as connection:
        if connection.info.server_version >= SCRAM_ITERATIONS_SINCE:
            connection.execute("SET scram_iterations = 1")
        verb = "ALTER" if _exists(connection, "pg_roles", "rolname", OWNER) else "CREATE"
        connection.execute(
            sql.SQL("{} ROLE {} LOGIN NOSUPERUSER CREATEROLE CREATEDB PASSWORD {}").format(
                sql.SQL(verb), sql.Identifier(OWNER), sql.Literal(password)
            )
        )
        for database in (APPLICATION_DATABASE, DAGSTER_DATABASE):
            if not _exists(connection, "pg_database", "datname", database):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(database), sql.Identifier(OWNER)
                    )
                )
    return OWNER, password


def has_clients(host: str, port: int, user: str, password: str) -> bool:
    """Is anybody but this look connected? False where the server is going or gone."""
    try:
        with psycopg.connect(
            host=host,
            port=port,
            user=user,
            password=password,
            dbname=APPLICATION_DATABASE,
            connect_timeout=CONNECT_SECONDS,
        ) as connection:
            return connection.execute(OTHERS).fetchone() is not None
    except psycopg.OperationalError:
        return False


def _exists(connection: psycopg.Connection, catalog: str, column: str, name: str) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(
        sql.Identifier(catalog), sql.Identifier(column)
    )
    return connection.execute(query, [name]).fetchone() is not None
