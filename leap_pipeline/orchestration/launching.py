"""The sensor that asks Dagster for runs, fairly and a few at a time."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from assets.partitions import RECORDINGS, recordings
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.orchestration.jobs import prepare, publish
from leap_pipeline.orchestration.launches import run_request
from leap_pipeline.services.launching import Launched, Queued, Refusals, launch, queue_ready
from leap_pipeline.settings import load_settings

# Every turn of the sensor loop, which takes five seconds: with 5 it would be every other one.
INTERVAL_SECONDS = 1

# Lives as long as the code server; a new one asks once more.
_refusals = Refusals()


@dg.sensor(
    name="launch",
    jobs=[prepare, publish],
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Asks for the runs of rows that are queued in the database, users in turn, as many as "
        "their plans let run and a few ahead. Queues recordings that no schedule of their owner "
        "fetches as soon as they are ready."
    ),
)
def launch_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    settings, now = load_settings(), datetime.now(UTC)
    database = Database(resolve(settings), pooled=True)
    try:
        queued = queue_ready(database, now=now, refusals=_refusals)
        launched = launch(database, now=now, slots=settings.max_concurrent_runs)
    finally:
        database.dispose()
    lines = _lines(queued, launched)
    for line in lines:
        context.log.info(line)
    if not launched.launches:
        return dg.SkipReason("; ".join(lines) or "Nothing waits for its run.")
    known = context.instance
    fresh = [
        each.partition
        for each in launched.launches
        if not known.has_dynamic_partition(RECORDINGS, each.partition)
    ]
    return dg.SensorResult(
        run_requests=[run_request(each) for each in launched.launches],
        dynamic_partitions_requests=[recordings.build_add_request(fresh)] if fresh else None,
    )


def _lines(queued: Queued, launched: Launched) -> list[str]:
    told = (
        ("queued, newly ready: recordings", queued.recordings),
        ("cannot be planned: recordings", queued.failed),
        ("no room in the plan: users", list(queued.refused)),
        ("launched: runs", [each.run_id for each in launched.launches]),
        ("nothing left to launch: runs", launched.ended),
        ("passed over till the next tick, busy: runs", launched.passed_over),
    )
    return [f"{what} {', '.join(map(str, rows))}" for what, rows in told if rows]
