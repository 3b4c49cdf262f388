"""Who connects where: one URL for each consumer, each with the driver that it needs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from leap_pipeline.db.embedded import EmbeddedServer, ServerAddress
from leap_pipeline.db.owner import APPLICATION_DATABASE
from leap_pipeline.errors import UserActionError
from leap_pipeline.settings import Settings

PRODUCT_DRIVER = "postgresql+psycopg"
# dagster-postgres sends NOTIFY and LISTEN with parameters, which psycopg 3 refuses.
DAGSTER_DRIVER = "postgresql+psycopg2"
DIALECTS = ("postgres", "postgresql")


@dataclass(frozen=True)
class DatabaseUrls:
    """Application and migration (psycopg 3), Dagster (psycopg2)."""

    application: URL
    migration: URL
    dagster: URL


def resolve(settings: Settings) -> DatabaseUrls:
    """The URLs that the settings name; starts the embedded server where they name none.

    Raises UserActionError for a URL that cannot be read or is not PostgreSQL's.
    """
    if settings.database_url is None:
        application = embedded_url(EmbeddedServer(settings).ensure_running())
    else:
        application = _parsed(settings.database_url, "LEAP_DATABASE_URL")
    migration = application
    if settings.migration_url is not None:
        migration = _parsed(settings.migration_url, "LEAP_MIGRATION_URL")
    dagster = application.set(database=f"{application.database}_dagster")
    if settings.dagster_database_url is not None:
        dagster = _parsed(settings.dagster_database_url, "LEAP_DAGSTER_DATABASE_URL")
    return DatabaseUrls(
        application=application.set(drivername=PRODUCT_DRIVER),
        migration=migration.set(drivername=PRODUCT_DRIVER),
        dagster=dagster.set(drivername=DAGSTER_DRIVER),
    )


def embedded_url(address: ServerAddress, database: str = APPLICATION_DATABASE) -> URL:
    """The owner's way into a database of the embedded server."""
    return URL.create(
        PRODUCT_DRIVER,
        username=address.user,
        password=address.password,
        host=address.host,
        port=address.port,
        database=database,
    )


def plain(url: URL) -> str:
    """As libpq, psql and psycopg take it: no driver in the scheme. Holds the password."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def where(url: URL) -> str:
    """What may be shown: the server and the database, never the password."""
    host = url.host or url.query.get("host") or "the local socket"
    port = f":{url.port}" if url.port else ""
    return f"{host}{port}, database {url.database}"


def _parsed(text: str, setting: str) -> URL:
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError) as error:
        msg = (
            f"{setting} cannot be read as a URL: write postgresql://user:password@host:5432/name, "
            "with special characters of the password percent-encoded."
        )
        raise UserActionError(msg) from error
    if url.drivername.partition("+")[0] not in DIALECTS:
        msg = f"{setting} begins with {url.drivername}://, but LEAP runs on postgresql:// only."
        raise UserActionError(msg)
    if not url.database:
        msg = f"{setting} names no database: add its name, as in postgresql://host/leap."
        raise UserActionError(msg)
    return url
