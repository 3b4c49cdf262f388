"""The code location of the users' own schedules, built from the rows of `automation_jobs`.

A second location, so that neither assets nor the workers of recordings ever load a thousand
schedules, and a reload never touches them. Its name and the names in it never change: the states
that Dagster keeps hang on them.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
from datetime import UTC, datetime
from functools import cache

import dagster as dg

from leap_pipeline import logs
from leap_pipeline.domain.due_times import Crontab, Interval, parse
from leap_pipeline.domain.firing_shares import sensor_seconds
from leap_pipeline.errors import InputError
from leap_pipeline.orchestration.automation.clocks import schedule_of, sensor_of
from leap_pipeline.orchestration.automation.dispatcher import dispatcher_of
from leap_pipeline.orchestration.automation.rows import JobRow, Loaded, load_rows
from leap_pipeline.orchestration.automation.tick import automation_tick
from leap_pipeline.settings import load_settings

logs.install()
logger = logging.getLogger(__name__)


@dg.definitions
def automation() -> dg.Definitions:
    """The tick job; in a code server also every job's clock, and the dispatcher behind them."""
    if _is_worker():
        # A run's worker needs its job alone.
        return dg.Definitions(jobs=[automation_tick])
    return _once()


@cache
def _once() -> dg.Definitions:
    """Dagster asks twice while it loads; a reload is a new process."""
    return definitions_of(load_rows(load_settings()), datetime.now(UTC))


def _is_worker() -> bool:
    """Code servers spawn their runs' workers; other launchers start this command."""
    return multiprocessing.parent_process() is not None or "execute_run" in sys.argv


def definitions_of(loaded: Loaded, now: datetime) -> dg.Definitions:
    """The whole location; a job whose schedule cannot be read has no clock, and the log says so."""
    crontabs: list[tuple[JobRow, Crontab]] = []
    intervals: list[tuple[JobRow, Interval]] = []
    for row in loaded.rows:
        try:
            schedule = parse(row.values)
        except InputError as error:
            logger.warning("Job %s has no schedule in Dagster: %s", row.id, error)
            continue
        if isinstance(schedule, Crontab):
            crontabs.append((row, schedule))
        else:
            intervals.append((row, schedule))
    kinds = {row.id: False for row, _ in crontabs} | {row.id: True for row, _ in intervals}
    every = sensor_seconds(len(intervals))
    if loaded.stale:
        logger.warning("The last known jobs are shown, for now: %s", loaded.stale)
    return dg.Definitions(
        jobs=[automation_tick],
        schedules=[schedule_of(*each, automation_tick, now) for each in crontabs],
        sensors=[
            dispatcher_of(automation_tick, kinds, loaded.fingerprint),
            *(sensor_of(*each, automation_tick, now, every) for each in intervals),
        ],
    )
