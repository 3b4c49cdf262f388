"""Who connects where: one URL for each consumer, each with the driver that it needs."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from leap_pipeline.db.embedded import EmbeddedServer, ServerAddress
from leap_pipeline.db.owner import APPLICATION_DATABASE
from leap_pipeline.errors import UserActionError
from leap_pipeline.redaction import remember
from leap_pipeline.settings import Settings

PRODUCT_DRIVER = "postgresql+psycopg"
# dagster-postgres sends NOTIFY and LISTEN with parameters, which psycopg 3 refuses.
DAGSTER_DRIVER = "postgresql+psycopg2"
CONNECT_SECONDS = 10
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
    if not settings.database_url:
        application = embedded_url(EmbeddedServer(settings).ensure_running())
    else:
        application = parsed_url(settings.database_url, "LEAP_DATABASE_URL")
    migration = application
    if settings.migration_url:
        migration = parsed_url(settings.migration_url, "LEAP_MIGRATION_URL")
    dagster = application.set(database=f"{application.database}_dagster")
    if settings.dagster_database_url:
        dagster = parsed_url(settings.dagster_database_url, "LEAP_DAGSTER_DATABASE_URL")
    remember(*(str(url.password) for url in (application, migration, dagster) if url.password))
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
    """As libpq and psql take it: no driver in the scheme. Holds the password.

    A blank is encoded here, which SQLAlchemy leaves as it is and libpq refuses.
    """
    text = url.set(drivername="postgresql").render_as_string(hide_password=False)
    return text.replace(" ", "%20")


def connect(url: URL, **parameters: str | int) -> psycopg.Connection:
    """A psycopg connection of its own, in autocommit; the parameters are libpq's.

    Raises psycopg.Error.
    """
    dialect = url.set(drivername=PRODUCT_DRIVER).get_dialect()()
    _, from_url = dialect.create_connect_args(url)
    return psycopg.connect(
        make_conninfo(**{"connect_timeout": CONNECT_SECONDS, **parameters, **from_url}),
        autocommit=True,
        # Prepared statements outlive a transaction; behind a pooler the next one runs elsewhere.
        prepare_threshold=None,
    )


def where(url: URL) -> str:
    """What may be shown: the server and the database, never the password."""
    host = url.host or url.query.get("host") or "the local socket"
    port = f":{url.port}" if url.port else ""
    return f"{host}{port}, database {url.database}"


def parsed_url(text: str, setting: str) -> URL:
    try:
        url = make_url(text.strip())
    except (ArgumentError, ValueError):
        raise _unreadable(setting) from None  # the cause may quote a piece of the password
    if "@" in (url.host or ""):
        raise _unreadable(setting)  # the end of a password with an @ that is not encoded
    if url.drivername.partition("+")[0] not in DIALECTS:
        msg = f"{setting} begins with {url.drivername}://, but LEAP runs on postgresql:// only."
        raise UserActionError(msg)
    if not url.database:
        msg = f"{setting} names no database: add its name, as in postgresql://host/leap."
        raise UserActionError(msg)
    return url


def _unreadable(setting: str) -> UserActionError:
    return UserActionError(
        f"{setting} cannot be read as a URL: write postgresql://user:password@host:5432/name, "
        "with special characters of the password percent-encoded."
    )
