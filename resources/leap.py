"""The run's hold on its piece of work, and the storage it writes to."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.domain.identity import recording_of
from leap_pipeline.domain.states import Phase, Platform, Stage
from leap_pipeline.errors import AlreadyRunning, Superseded
from leap_pipeline.services.claim import Token, claim
from leap_pipeline.services.work import Work
from leap_pipeline.settings import load_settings
from leap_pipeline.storage.local import LocalStorage

# Tags of a run. LEAP's own launches carry all of them; a run started by hand carries none, or
# `leap/force` with a stage's name.
PHASE_TAG, TARGET_TAG, FORCE_TAG = "leap/phase", "leap/target", "leap/force"
ROW_TAG, GENERATION_TAG = "leap/run", "leap/generation"
USER_TAG, RECORDING_TAG = "leap/user", "leap/recording"
# On the runs of automation jobs, which are no user's recordings.
JOB_TAG = "leap/job"


class LeapResource(dg.ConfigurableResource[Any]):
    """Claims a recording's work when the first asset of a run asks, and lets go at the run's end.

    The in-process executor makes one of it a run, so that one claim spans all assets of the run.
    """

    _work: dict[Platform | None, Work] = PrivateAttr(default_factory=dict)
    _refused: AlreadyRunning | Superseded | None = PrivateAttr(default=None)

    @contextmanager
    def yield_for_execution(
        self,
        context: dg.InitResourceContext,  # noqa: ARG002
    ) -> Iterator["LeapResource"]:
        try:
            yield self
        finally:
            for work in self._work.values():
                work.close()
            self._work.clear()

    def work(
        self, context: dg.AssetExecutionContext, phase: Phase, platform: Platform | None = None
    ) -> Work:
        """The claimed work of this run's partition.

        Raises `AlreadyRunning` or `Superseded` where it is not ours; asked again, it says the same.
        """
        if self._refused is not None:
            raise self._refused
        if platform not in self._work:
            try:
                self._work[platform] = self._claim(context, phase, platform)
            except (AlreadyRunning, Superseded) as refused:
                self._refused = refused
                raise
        return self._work[platform]

    def _claim(
        self, context: dg.AssetExecutionContext, phase: Phase, platform: Platform | None
    ) -> Work:
        settings = load_settings()
        tags = context.run.tags
        force = tags.get(FORCE_TAG)
        return claim(
            Database(resolve(settings)),
            LocalStorage(settings.storage),
            recording_of(context.partition_key),
            phase=phase,
            platform=platform,
            token=_token(context.run) if tags.get(PHASE_TAG) == phase else None,
            force=Stage(force.upper()) if force else None,
            dagster_run_id=context.run.run_id,
        )


def _token(run: dg.DagsterRun) -> Token | None:
    """The token of a run that LEAP launched; Dagster's “re-execute” copies tags, so not there."""
    if ROW_TAG not in run.tags or run.parent_run_id is not None:
        return None
    return Token(run_id=int(run.tags[ROW_TAG]), generation=int(run.tags[GENERATION_TAG]))
