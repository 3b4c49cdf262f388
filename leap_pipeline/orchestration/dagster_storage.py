"""Dagster's storage in PostgreSQL, into which no secret goes.

Named in `dagster.yaml`, so that every process of Dagster uses it: the webserver, the daemon, the
code server and the run workers. Whatever an event, a tick or a heartbeat tells (a message, an
error with its causes, metadata) passes through here on its way to the database.

Its URL is in a private file and not in its configuration, which Dagster hands to its children on
their command lines, for everybody on the machine to read.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dagster._core.events.log import EventLogEntry
from dagster._core.scheduler.instigation import InstigatorTick, TickData
from dagster._core.storage.base_storage import DagsterStorage
from dagster._daemon.types import DaemonHeartbeat
from dagster._serdes import (
    ConfigurableClass,
    ConfigurableClassData,
    deserialize_value,
    serialize_value,
)
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_postgres.utils import set_pg_statement_timeout
from dagster_shared.serdes.serdes import PackableValue
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine

from leap_pipeline import logs
from leap_pipeline.redaction import redact_tree

# Of one process at a time, over the one that it keeps; threads that want more wait.
MOST_CONNECTIONS = 20

T = TypeVar("T", bound=PackableValue)

logs.install()


def redacted(value: T) -> T:
    """The same value of Dagster's without secrets; itself where it has none."""
    written = json.loads(serialize_value(value))
    clean = redact_tree(_by_label(written))
    return value if clean == written else deserialize_value(json.dumps(clean), as_type=type(value))


def _by_label(written: Any) -> Any:
    """The same, with the values hidden that Dagster's lists of metadata label as secrets."""
    if isinstance(written, list):
        return [_by_label(each) for each in written]
    if not isinstance(written, dict):
        return written
    found = {key: _by_label(inner) for key, inner in written.items()}
    label = found.get("label")
    if isinstance(label, str) and "entry_data" in found:
        found["entry_data"] = redact_tree({label: found["entry_data"]})[label]
    return found


class _Pooled:
    """Keeps a connection open, where Dagster opens one for each call.

    Opening one costs PostgreSQL and us more than most calls do. One that the server has closed
    meanwhile is noticed before it is used.
    """

    postgres_url: str
    _engine: Engine

    def share(self, engine: Engine) -> None:
        self._engine.dispose()
        self._engine = engine

    def optimize_for_webserver(
        self,
        statement_timeout: int,
        pool_recycle: int,  # noqa: ARG002 - a closed one is noticed
        max_overflow: int,
    ) -> None:
        """In Dagster's webserver: a limit for statements, in ms."""
        self.share(_engine(self.postgres_url, max_overflow, statement_timeout))

    def dispose(self) -> None:
        super().dispose()  # type: ignore[misc]
        self._engine.dispose()


def _engine(url: str, most: int, statement_timeout: int = 0) -> Engine:
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=1,
        max_overflow=most,
        pool_pre_ping=True,
    )
    if statement_timeout:
        event.listen(
            engine, "connect", lambda raw, _: set_pg_statement_timeout(raw, statement_timeout)
        )
    return engine


class _EventLog(_Pooled, PostgresEventLogStorage):
    def store_event(self, event: EventLogEntry) -> None:
        super().store_event(redacted(event))

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        super().store_event_batch([redacted(event) for event in events])


class _Runs(_Pooled, PostgresRunStorage):
    def add_daemon_heartbeat(self, daemon_heartbeat: DaemonHeartbeat) -> None:
        super().add_daemon_heartbeat(redacted(daemon_heartbeat))


class _Schedules(_Pooled, PostgresScheduleStorage):
    def create_tick(self, tick_data: TickData) -> InstigatorTick:
        return super().create_tick(redacted(tick_data))

    def update_tick(self, tick: InstigatorTick) -> InstigatorTick:
        return super().update_tick(tick._replace(tick_data=redacted(tick.tick_data)))


class RedactingStorage(DagsterStorage[Any], ConfigurableClass):
    """Runs, events and schedules in the database whose URL is in a file."""

    def __init__(self, url_file: str, inst_data: ConfigurableClassData | None = None) -> None:
        url = Path(url_file).read_text(encoding="utf-8").strip()
        self._inst_data = inst_data
        self._runs, self._events, self._schedules = _Runs(url), _EventLog(url), _Schedules(url)
        engine = _engine(url, MOST_CONNECTIONS)
        for each in (self._runs, self._events, self._schedules):
            each.share(engine)
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        return {"url_file": str}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "RedactingStorage":
        return cls(config_value["url_file"], inst_data)

    @property
    def event_log_storage(self) -> PostgresEventLogStorage:
        return self._events

    @property
    def run_storage(self) -> PostgresRunStorage:
        return self._runs

    @property
    def schedule_storage(self) -> PostgresScheduleStorage:
        return self._schedules
