"""What LEAP asks of Dagster about its runs, and the runs that it ends there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from leap_pipeline.services.outcomes import Standing
from leap_pipeline.services.reconcile import Asked, Ended
from resources.leap import GENERATION_TAG, RECORDING_TAG, ROW_TAG

QUEUED = dg.DagsterRunStatus.QUEUED
BEGUN = (
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
# A run that was made and not queued: its sensor's daemon died in between.
MADE_PATIENCE = timedelta(minutes=2)
REASON_LIMIT = 400


class DagsterRuns:
    """Dagster's runs of one instance, as `reconcile` and the outcome sensors need them."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def lost(self, asked: Sequence[Asked]) -> dict[int, Ended]:
        """The launches, by row, of which no run is under way; one look for all that are."""
        under_way = {token_of(run) for run in self._under_way()}
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
        runs = self._instance.get_runs(dg.RunsFilter(run_ids=list(dagster_run_ids)))
        over = (run for run in runs if run.is_finished or _cancelled(run))
        return {run.run_id: self.ending(run) for run in over}

    def standing(self) -> list[Standing]:
        """The runs of recordings that wait in Dagster's queue or go on."""
        found = []
        for run in self._instance.get_runs(dg.RunsFilter(statuses=[QUEUED, *BEGUN])):
            token = token_of(run)
            if RECORDING_TAG in run.tags and not _cancelled(run):
                found.append(Standing(run.run_id, token, begun=run.status is not QUEUED))
        return found

    def end(self, dagster_run_ids: Sequence[str]) -> None:
        """Take runs out of the queue, and stop the workers of those that go on."""
        for run_id in dagster_run_ids:
            self._instance.run_coordinator.cancel_run(run_id)

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

    def _under_way(self) -> Sequence[dg.DagsterRun]:
        made = dg.RunsFilter(
            statuses=[dg.DagsterRunStatus.NOT_STARTED],
            created_after=datetime.now(UTC) - MADE_PATIENCE,
        )
        standing = dg.RunsFilter(statuses=[QUEUED, *BEGUN])
        return [*self._instance.get_runs(made), *self._instance.get_runs(standing)]

    def ending(self, run: dg.DagsterRun) -> Ended:
        """How a run ended."""
        if _cancelled(run):
            return Ended(cancelled=True)
        failed = run.status is dg.DagsterRunStatus.FAILURE
        return Ended(reason=(self.why(run) or "Dagster gives no reason") if failed else None)


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
