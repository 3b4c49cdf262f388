"""Transactions in the application's database: each takes a role, and only for its own length.

The login role owns the schema, so no work is done as that role: a transaction begins by taking
another one, which ends with it, on pooled connections and behind transaction-mode poolers alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
from sqlalchemy import Engine, NullPool, QueuePool, create_engine, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from leap_pipeline.db.connection_errors import explained, interrupted, role_refused
from leap_pipeline.db.urls import CONNECT_SECONDS, DatabaseUrls, connect
from leap_pipeline.errors import DataError, TransientError

APPLICATION_ROLE = "leap_app"
SYSTEM_ROLE = "leap_system"
# Under this key a session says whose it is: a user's id, or "" for the system's.
SCOPE = "leap.user_id"
# SET LOCAL ROLE, SET LOCAL leap.user_id and SET LOCAL TimeZone in one round trip.
TAKE_ROLE = text(
    "SELECT set_config('role', :role, true), set_config('leap.user_id', :user_id, true), "
    "set_config('TimeZone', 'UTC', true)"
)
POOL_SIZE, POOL_OVERFLOW, POOL_WAIT_SECONDS, POOL_RECYCLE_SECONDS = 5, 5, 30, 1800
KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}


class Database:
    """The application's database.

    `pooled` is for servers, which live long and serve many (at most 10 connections); a run worker
    opens a connection a transaction and holds none in between.

    Transactions raise UserActionError or TransientError where the server cannot be used, and
    TransientError where the connection breaks or the transaction loses to another one.
    """

    def __init__(self, urls: DatabaseUrls, *, pooled: bool = False) -> None:
        self.urls = urls
        self._engine = _make_engine(urls, pooled=pooled)

    @contextmanager
    def tenant(self, user_id: str) -> Iterator[Session]:
        """One transaction as the application, seeing what belongs to the user (a ULID).

        Commits at the end, rolls back on any exception.
        """
        if not user_id:
            msg = "A tenant's transaction was asked for without a user."
            raise DataError(msg)
        with self._transaction(APPLICATION_ROLE, user_id) as session:
            yield session

    def now(self) -> datetime:
        """The database's clock, which is the same for all machines; aware, in UTC."""
        with self.system() as session:
            found: datetime = session.scalars(select(func.clock_timestamp())).one()
        return found

    @contextmanager
    def system(self) -> Iterator[Session]:
        """One transaction of the system: sensors, retention, administration. Sees all tenants."""
        with self._transaction(SYSTEM_ROLE, "") as session:
            yield session

    def lock_connection(self) -> psycopg.Connection:
        """A direct connection for session-level advisory locks; the caller closes it.

        Autocommit, the login role, broken after about 25 s of silence. It goes where migrations
        go, to the server itself: behind a transaction-mode pooler such a lock would belong to
        anybody.
        """
        url = self.urls.migration
        try:
            return connect(url, application_name="leap-lock", **KEEPALIVES)
        except psycopg.Error as error:
            raise explained(error, url) from error

    def dispose(self) -> None:
        """Close what the pool holds."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self, role: str, user_id: str) -> Iterator[Session]:
        url = self.urls.application
        try:
            with Session(self._engine, expire_on_commit=False) as session, session.begin():
                session.info[SCOPE] = user_id
                self._take(session, role, user_id)
                yield session
        except DBAPIError as error:
            passing = interrupted(error, url)
            if passing is None:
                raise
            raise passing from error
        except PoolTimeoutError as error:
            msg = f"All connections of this process are busy for {POOL_WAIT_SECONDS} s: try again."
            raise TransientError(msg) from error

    def _take(self, session: Session, role: str, user_id: str) -> None:
        try:
            session.execute(TAKE_ROLE, {"role": role, "user_id": user_id})
        except DBAPIError as error:
            url = self.urls.application
            raise (role_refused(error, role, url) or explained(error, url)) from error


def _make_engine(urls: DatabaseUrls, *, pooled: bool) -> Engine:
    arguments = {
        "application_name": "leap",
        "connect_timeout": CONNECT_SECONDS,
        # Prepared statements outlive a transaction; behind a pooler the next one runs elsewhere.
        "prepare_threshold": None,
        **KEEPALIVES,
    }
    if not pooled:
        return create_engine(
            urls.application, poolclass=NullPool, connect_args=arguments, hide_parameters=True
        )
    return create_engine(
        urls.application,
        poolclass=QueuePool,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_recycle=POOL_RECYCLE_SECONDS,
        pool_pre_ping=True,
        connect_args=arguments,
        hide_parameters=True,
    )
