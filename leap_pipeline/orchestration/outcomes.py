"""Sensors on the ends of runs: they write what a worker could not write itself.

It was killed, ran out of memory, died before its work began, or was cancelled in Dagster's UI.
`reconcile` finds the same a little later; here it is known at once, and with its cause.
"""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.errors import TransientError
from leap_pipeline.orchestration.engine import DagsterRuns, token_of
from leap_pipeline.services.outcomes import run_ended
from leap_pipeline.settings import load_settings
from resources.leap import RECORDING_TAG

INTERVAL_SECONDS = 5
RUNNING = dg.DefaultSensorStatus.RUNNING


def write_outcome(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """Write the outcome of one ended run where its worker did not; what was done, in a line."""
    if RECORDING_TAG not in run.tags:
        return f"Run {run.run_id} is of no recording."
    settings = load_settings()
    ended = DagsterRuns(instance).ending(run)
    database = Database(resolve(settings))
    try:
        changed = run_ended(
            database,
            run.run_id,
            token_of(run),
            ended,
            now=datetime.now(UTC),
            max_attempts=settings.max_attempts,
        )
    except TransientError as error:
        return f"Run {run.run_id} is left to reconcile: {error}"
    finally:
        database.dispose()
    if changed is None:
        return f"Run {run.run_id} left nothing to write."
    why = f": {ended.reason}" if ended.reason else ""
    return f"Row {changed} had no outcome of its worker, run {run.run_id}{why}"


def _evaluate(context: dg.RunStatusSensorContext) -> dg.SkipReason:
    said = write_outcome(context.instance, context.dagster_run)
    context.log.info(said)
    return dg.SkipReason(said)


def _sensor(status: dg.DagsterRunStatus, name: str, description: str) -> dg.SensorDefinition:
    made = dg.run_status_sensor(
        run_status=status,
        name=name,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=RUNNING,
        description=description,
    )
    return made(_evaluate)


outcome_sensors = [
    _sensor(
        dg.DagsterRunStatus.FAILURE,
        "run_failed",
        "Puts back, or marks FAILED with its cause, what a worker left that was killed or never "
        "came to begin.",
    ),
    _sensor(
        dg.DagsterRunStatus.CANCELED,
        "run_cancelled",
        "Ends the row of a run that was cancelled in Dagster, and puts back what it had begun.",
    ),
    _sensor(
        dg.DagsterRunStatus.SUCCESS,
        "run_succeeded",
        "Puts back what a run left whose worker could not write its outcome.",
    ),
]
