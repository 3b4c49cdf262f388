"""The sensor that keeps the promise that nothing stays behind."""

from datetime import UTC, datetime

import dagster as dg

from assets.partitions import RECORDINGS, recordings
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.orchestration.jobs import prepare, publish
from leap_pipeline.orchestration.launches import run_request
from leap_pipeline.services.reconcile import Report, reconcile
from leap_pipeline.settings import load_settings
from resources.leap import GENERATION_TAG, ROW_TAG

INTERVAL_SECONDS = 5


@dg.sensor(
    name="reconcile",
    jobs=[prepare, publish],
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Puts back what dead workers left, wakes what is due, and asks for every run that is "
        "queued in the database. The one place from which runs are launched again."
    ),
)
def reconcile_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    def launch_lost(run_id: int, generation: int) -> bool:
        tags = {ROW_TAG: str(run_id), GENERATION_TAG: str(generation)}
        runs = context.instance.get_runs(dg.RunsFilter(tags=tags), limit=1)
        return not runs or runs[0].is_finished

    settings = load_settings()
    database = Database(resolve(settings), pooled=True)
    try:
        report = reconcile(
            database,
            now=datetime.now(UTC),
            max_attempts=settings.max_attempts,
            launch_lost=launch_lost,
        )
    finally:
        database.dispose()
    for line in _lines(report):
        context.log.info(line)
    if not report.launches:
        return dg.SkipReason("; ".join(_lines(report)) or "Nothing is queued, due or left behind.")
    known = context.instance
    fresh = [
        launch.partition
        for launch in report.launches
        if not known.has_dynamic_partition(RECORDINGS, launch.partition)
    ]
    return dg.SensorResult(
        run_requests=[run_request(launch) for launch in report.launches],
        dynamic_partitions_requests=[recordings.build_add_request(fresh)] if fresh else None,
    )


def _lines(report: Report) -> list[str]:
    told = (
        ("put back from dead workers", report.put_back),
        ("due again", report.woken),
        ("nothing left to launch", report.ended),
        ("passed over till the next tick, their rows are busy", report.passed_over),
        ("launched", [launch.run_id for launch in report.launches]),
    )
    return [f"{what}: runs {', '.join(map(str, rows))}" for what, rows in told if rows]
