"""The kill matrix in real runs: Dagster executes the product's own job, and dies in the middle.

LEAP's reconcile and launch say which run is next; it is created in a real instance, and executed in
a fork of this process as Dagster's code server would in one of its own. What that server does when
it notices a dead run is done here too.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import dagster as dg
import httpx
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator
from dagster._core.storage.tags import PARTITION_NAME_TAG

from assets import uploads
from leap_pipeline.commands.dagster_home import PARTITIONS, instance
from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.urls import resolve
from leap_pipeline.domain.states import Phase, Platform, RunState
from leap_pipeline.orchestration.definitions import defs
from leap_pipeline.orchestration.engine import DagsterRuns
from leap_pipeline.orchestration.launches import run_request
from leap_pipeline.services.launching import LOCK_WAIT_SECONDS, Launch, launch
from leap_pipeline.services.liveness import living, lock_class
from leap_pipeline.services.publish_run import Published, publish_target
from leap_pipeline.services.reconcile import LAUNCH_PATIENCE, reconcile
from leap_pipeline.settings import Settings, load_settings
from resources.leap import RECORDING_TAG
from tests.support.homes import wait_for
from tests.support.publish_kills import Ended, Points, WatchedTransport, forked
from tests.support.publish_matrix import DONE, Matrix
from tests.support.studio import Accounts

LOOKS = 5
PATIENCE = 2 * LOCK_WAIT_SECONDS + 5


@dataclass
class DagsterMatrix(Matrix):
    """The same cases, each worker in a run of Dagster."""

    _dagster: dg.DagsterInstance | None = None

    @contextmanager
    def ready(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in self._environment().items():
                environment.setenv(name, value)
            defs.resolve_job_def(str(Phase.PUBLISH))  # once here, and not in every fork
            with instance(self._settings, prepare(self._settings)) as found:
                self._dagster = found
                with super().ready():
                    yield

    def run(
        self, platform: Platform, fatal: str | int | None = None, seconds: float | None = None
    ) -> Ended:
        """The next run of the platform's row, where there is one."""
        if (asked := self._next_launch()) is None:
            return Ended(False, (), self._told())
        run = self._create(asked)
        ended = forked(partial(self._execute, run.run_id), self.folder, fatal, seconds)
        if ended.killed:
            self._noticed(run, platform)
        return replace(ended, told=self._told())

    def _stage(self, platform: Platform, dice: random.Random) -> tuple[str, int]:
        staged = super()._stage(platform, dice)
        self.studio.request(platform)
        return staged

    def _environment(self) -> dict[str, str]:
        """Where the assets find this tenant's world, as in a real worker."""
        bench, settings = self.studio.bench, self.studio.settings
        assert settings.encryption_keys is not None
        return {
            "LEAP_HOME": str(settings.home),
            "LEAP_STORAGE_ROOT": str(bench.storage.root),
            "LEAP_DATABASE_URL": self.database.urls.application.render_as_string(
                hide_password=False
            ),
            "LEAP_ENCRYPTION_KEYS": settings.encryption_keys.get_secret_value(),
            "LEAP_YOUTUBE_API_URL": settings.youtube_api_url,
            "LEAP_VK_API_URL": settings.vk_api_url,
        }

    @property
    def _settings(self) -> Settings:
        return load_settings()

    @property
    def dagster(self) -> dg.DagsterInstance:
        assert self._dagster is not None, "the matrix is not ready"
        return self._dagster

    def dagster_runs(self) -> list[dg.DagsterRun]:
        """Those of the recording, oldest first."""
        tags = {RECORDING_TAG: str(self.studio.recording)}
        return list(reversed(self.dagster.get_runs(dg.RunsFilter(tags=tags))))

    def _next_launch(self) -> Launch | None:
        """What the sensors ask Dagster for, now or after some looks; None: nothing is left to do.

        A launch that nobody claimed is missed after half a minute.
        """
        settings, database = self._settings, self.studio.database
        for _ in range(LOOKS):
            reconcile(
                database,
                now=self.clock(),
                max_attempts=settings.max_attempts,
                engine=DagsterRuns(self.dagster),
            )
            made = launch(database, now=self.clock(), slots=settings.max_concurrent_runs)
            for asked in made.launches:
                if asked.recording_id == self.studio.recording:
                    return asked
            if not self._is_asked():
                return None
            self._advance(LAUNCH_PATIENCE + timedelta(seconds=1))
        return None

    def _is_asked(self) -> bool:
        """Whether a launch of the recording stands, of which nobody has heard."""
        row = self.studio.bench.run(self.studio.recording)
        return row.state == RunState.QUEUED and row.requested_at is not None

    def _create(self, asked: Launch) -> dg.DagsterRun:
        """The run that Dagster's daemon makes of a request of the launch sensor."""
        request = run_request(asked)
        self.dagster.add_dynamic_partitions(PARTITIONS, [asked.partition])
        return self.dagster.create_run_for_job(
            defs.resolve_job_def(str(Phase.PUBLISH)),
            tags={**request.tags, PARTITION_NAME_TAG: asked.partition},
            asset_selection=set(request.asset_selection or ()),
        )

    def _execute(self, run_id: str, points: Points) -> str:
        """In the fork: the run from its start to its end."""
        log = os.open(self.folder / "dagster.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(log, 2)  # Dagster tells each event there
        transport = WatchedTransport(points, httpx.HTTPTransport(verify=False))
        settings = self._settings
        with (
            httpx.Client(transport=transport, timeout=30) as http,
            instance(settings, resolve(settings)) as dagster,
            pytest.MonkeyPatch.context() as here,
        ):
            accounts = partial(Accounts, http=http, clock=self.clock, sleep=self._sleep)
            here.setattr(uploads, "PlatformAccounts", accounts)
            here.setattr(uploads, "publish_target", self._publish)
            run = dagster.get_run_by_id(run_id)
            assert run is not None
            job = InMemoryJob(defs.resolve_job_def(run.job_name))
            for _ in execute_run_iterator(job, run, dagster):
                pass
        return ""

    def _publish(self, *given: Any, **named: Any) -> Published | None:
        """The product's, on the clock of the matrix."""
        return publish_target(*given, **{**named, "now": self.clock})

    def _noticed(self, run: dg.DagsterRun, platform: Platform) -> None:
        """PostgreSQL ends the dead worker's session, and the code server its run."""
        key = lock_class(Phase.PUBLISH, platform), self.studio.recording

        def is_free() -> bool:
            with self.studio.database.system() as session:
                return key not in living(session)

        wait_for(is_free, seconds=PATIENCE, what="the end of a dead worker's session")
        left = self.dagster.get_run_by_id(run.run_id)
        if left is not None and not left.is_finished:
            self.dagster.report_engine_event("The run's process was terminated by SIGKILL", left)
            self.dagster.report_run_failed(left)

    def _told(self) -> str:
        row = self.studio.bench.run(self.studio.recording)
        if row.state == RunState.WAITING and row.due_at is not None:
            return f"waiting {row.due_at.isoformat()}"
        return DONE if row.state == RunState.DONE else f"{row.state} {row.reason}"
