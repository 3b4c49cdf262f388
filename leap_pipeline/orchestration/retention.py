"""The daily sweep: a job whose steps can be seen, and its schedule."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from leap_pipeline.commands.partitions import forget_partitions
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.services import retention as sweeping
from leap_pipeline.services.subscriptions import expire_subscriptions as expire_all
from leap_pipeline.settings import load_settings
from leap_pipeline.storage.local import LocalStorage

AFTER = {"before": dg.In(dg.Nothing)}
PER_DAY = "0 3 * * *"


@contextmanager
def _database() -> Iterator[Database]:
    database = Database(resolve(load_settings()), pooled=True)
    try:
        yield database
    finally:
        database.dispose()


@dg.op(out=dg.Out(dg.Nothing), description="Soft-deletes what has reached its expire_at.")
def expire_recordings(context: dg.OpExecutionContext) -> None:
    with _database() as database:
        _tell(context, sweeping.expire_recordings(database, datetime.now(UTC)))


@dg.op(
    ins=AFTER,
    out=dg.Out(dg.Nothing),
    description="Removes the files and the content of what can no longer be restored.",
)
def delete_for_good(context: dg.OpExecutionContext) -> None:
    storage = LocalStorage(load_settings().storage)
    with _database() as database:
        _tell(context, sweeping.delete_for_good(database, storage, datetime.now(UTC)))


@dg.op(ins=AFTER, out=dg.Out(dg.Nothing), description="Takes their partitions from Dagster.")
def forget_gone_partitions(context: dg.OpExecutionContext) -> None:
    with _database() as database:
        _note(context, partitions=forget_partitions(context.instance, database))


@dg.op(ins=AFTER, out=dg.Out(dg.Nothing), description="Sets the storage in use from its sum.")
def recount_storage(context: dg.OpExecutionContext) -> None:
    with _database() as database:
        _note(context, users=sweeping.recount_storage(database, datetime.now(UTC)))


@dg.op(ins=AFTER, out=dg.Out(dg.Nothing), description="Removes downloads that nobody goes on with.")
def sweep_unfinished(context: dg.OpExecutionContext) -> None:
    storage = LocalStorage(load_settings().storage)
    with _database() as database:
        _note(context, removed=sweeping.sweep_unfinished(database, storage))


@dg.op(out=dg.Out(dg.Nothing), description="Writes which subscriptions have expired.")
def expire_subscriptions(context: dg.OpExecutionContext) -> None:
    with _database() as database:
        _note(context, users=expire_all(database, datetime.now(UTC)))


@dg.op(
    out=dg.Out(dg.Nothing),
    description="Removes ended sessions, links and old login attempts; sums up counts.",
)
def tidy(context: dg.OpExecutionContext) -> None:
    with _database() as database:
        _note(context, **sweeping.tidy(database))


@dg.job(
    # Ahead of the recordings that wait, of which there may be a thousand.
    tags={"dagster/priority": "10", "dagster/max_runtime": str(6 * 3600)},
    description="What has expired goes, and what is counted is counted again.",
)
def retention() -> None:
    gone = delete_for_good(expire_recordings())
    forget_gone_partitions(gone)
    recount_storage(gone)
    sweep_unfinished(gone)
    expire_subscriptions()
    tidy()


retention_schedule = dg.ScheduleDefinition(
    name="retention",
    job=retention,
    cron_schedule=PER_DAY,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every day at 03:00 UTC. `leap retention run` does the same at once.",
)


def _tell(context: dg.OpExecutionContext, swept: sweeping.Swept) -> None:
    for recording_id, reason in swept.failed.items():
        context.log.error("Recording %s: %s", recording_id, reason)
    _note(context, done=swept.done, left=swept.left, failed=list(swept.failed))


def _note(context: dg.OpExecutionContext, **found: Any) -> None:
    context.add_output_metadata(found)
    context.log.info("%s", found)
