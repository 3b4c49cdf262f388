"""What LEAP asks of Dagster about its runs, and the runs that it ends there."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from leap_pipeline.orchestration.automation.asking import FIRING_TAG
from leap_pipeline.services.outcomes import CLAIM_PATIENCE, Standing
from leap_pipeline.services.reconcile import Asked, Ended
from resources.leap import GENERATION_TAG, RECORDING_TAG, ROW_TAG

QUEUED = dg.DagsterRunStatus.QUEUED
# A run that was made and not queued: its sensor's daemon died in between.
MADE_PATIENCE = timedelta(minutes=2)
REASON_LIMIT = 400

logger = logging.getLogger(__name__)


class DagsterRuns:
    """Dagster's runs of one instance, as `reconcile` and the outcome sensors need them."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def lost(self, asked: Sequence[Asked]) -> dict[int, Ended]:
        """The launches, by row, of which no run is under way; one look for all that are."""
        under_way = self._under_way()
        found = {}
        for each in asked:
            if (each.run_id, each.generation) in under_way:
                continue
            runs = self._instance.get_runs(
                dg.RunsFilter(tags=_tags_of(each.run_id, each.generation)), limit=1
            )
            found[each.run_id] = self.ending(runs[0]) if runs else Ended()
        return found

    def ended(self, dagster_run_ids: Sequence[str]) -> dict[str, Ended]:
        """Those runs that have ended, or are being cancelled."""
        if not dagster_run_ids:
            return {}
        runs = self._instance.get_runs(dg.RunsFilter(run_ids=list(dagster_run_ids)))
        over = (run for run in runs if run.is_finished or _cancelled(run))
        return {run.run_id: self.ending(run) for run in over}

    def standing(self) -> list[Standing]:
        """The runs of recordings and of jobs that wait in Dagster's queue or go on."""
        statuses = [QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
        found = []
        for record in self._instance.get_run_records(dg.RunsFilter(statuses=statuses)):
            run, tags = record.dagster_run, record.dagster_run.tags
            firing = int(tags[FIRING_TAG]) if FIRING_TAG in tags else None
            if RECORDING_TAG in tags or firing is not None:
                begun_at = None if run.status is QUEUED else _begun_at(record)
                found.append(Standing(run.run_id, token_of(run), begun_at, firing))
        return found

    def end(self, dagster_run_ids: Sequence[str]) -> None:
        """Take runs out of the queue, and stop the workers of those that go on."""
        for run_id in dagster_run_ids:
            try:
                self._instance.run_coordinator.cancel_run(run_id)
            except dg.DagsterError as error:
                # Its code server is gone with it: run monitoring ends what is being cancelled.
                logger.warning("Run %s cannot be told to stop: %s", run_id, error)

    def why(self, run: dg.DagsterRun) -> str | None:
        """The first cause that Dagster knows of a run's failure, in one line."""
        kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
        records = self._instance.get_records_for_run(run.run_id, of_type=kinds).records
        for record in records:
            event = record.event_log_entry.dagster_event
            if event is not None and event.is_step_failure:
                error = event.step_failure_data.error
                cause = error.cause if error is not None and error.cause else error
                if cause is not None:
                    return _one_line(cause.message)
        for record in records:
            event = record.event_log_entry.dagster_event
            if event is not None and event.message:
                return _one_line(event.message)
        return None

    def _under_way(self) -> set[tuple[int, int] | None]:
        """The tokens of runs that may yet claim their work."""
        now = datetime.now(UTC)
        made = dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.NOT_STARTED], created_after=now - MADE_PATIENCE
        )
        standing = dg.RunsFilter(statuses=[QUEUED, dg.DagsterRunStatus.STARTING])
        started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
        fresh = [
            record.dagster_run
            for record in self._instance.get_run_records(started)
            if _begun_at(record) > now - CLAIM_PATIENCE
        ]
        runs = [*self._instance.get_runs(made), *self._instance.get_runs(standing), *fresh]
        return {token_of(run) for run in runs}

    def ending(self, run: dg.DagsterRun) -> Ended:
        """How a run ended."""
        if _cancelled(run):
            return Ended(cancelled=True)
        failed = run.status is dg.DagsterRunStatus.FAILURE
        return Ended(reason=(self.why(run) or "Dagster gives no reason") if failed else None)


def _begun_at(record: dg.RunRecord) -> datetime:
    """When it started; while it is starting, when it left the queue, however long it was there."""
    if record.start_time is None:
        return record.update_timestamp
    return datetime.fromtimestamp(record.start_time, UTC)


def _cancelled(run: dg.DagsterRun) -> bool:
    return run.status in (dg.DagsterRunStatus.CANCELING, dg.DagsterRunStatus.CANCELED)


def token_of(run: dg.DagsterRun) -> tuple[int, int] | None:
    """The row and generation that a launch of LEAP's carries; a copy of one carries nothing."""
    if ROW_TAG not in run.tags or run.parent_run_id is not None:
        return None
    return int(run.tags[ROW_TAG]), int(run.tags[GENERATION_TAG])


def _tags_of(run_id: int, generation: int) -> Mapping[str, str]:
    return {ROW_TAG: str(run_id), GENERATION_TAG: str(generation)}


def _one_line(said: str) -> str:
    """Without the name of the error's class, which Dagster writes before its message."""
    line = " ".join(said.split())
    name, colon, rest = line.partition(": ")
    if colon and rest and " " not in name and name.rpartition(".")[2][:1].isupper():
        line = rest
    return line[:REASON_LIMIT]
