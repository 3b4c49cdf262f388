"""The sensor that keeps the promise that nothing stays behind."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.orchestration.engine import DagsterRuns
from leap_pipeline.services.outcomes import void_runs
from leap_pipeline.services.reconcile import Report, reconcile
from leap_pipeline.settings import load_settings

# Every turn of the sensor loop, which takes five seconds: with 5 it would be every other one.
INTERVAL_SECONDS = 1


@dg.sensor(
    name="reconcile",
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Puts back what dead workers left, wakes what is due, asks again for launches that got "
        "lost, and ends the runs whose work was cancelled or taken over."
    ),
)
def reconcile_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    settings = load_settings()
    database = Database(resolve(settings), pooled=True)
    engine, now = DagsterRuns(context.instance), datetime.now(UTC)
    try:
        report = reconcile(database, now=now, max_attempts=settings.max_attempts, engine=engine)
        void = void_runs(database, engine.standing(), now=now)
    finally:
        database.dispose()
    engine.end(void)
    lines = _lines(report, void)
    for line in lines:
        context.log.info(line)
    return dg.SkipReason("; ".join(lines) or "Nothing is due, lost or left behind.")


def _lines(report: Report, void: list[str]) -> list[str]:
    told = (
        ("put back from dead workers: runs", report.put_back),
        ("due again: runs", report.woken),
        ("lost in Dagster: runs", report.lost),
        ("in progress without a run: recordings", report.orphans),
        ("ended in Dagster: runs", void),
        ("passed over till the next tick, busy:", report.passed_over),
    )
    return [f"{what} {', '.join(map(str, rows))}" for what, rows in told if rows]
