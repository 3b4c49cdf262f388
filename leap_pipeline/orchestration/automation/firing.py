"""A run's hold on its firing, from the first op to the end, whatever the end is."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.domain.shapes.accounts import FiringCounts
from leap_pipeline.errors import LeapError, Superseded
from leap_pipeline.orchestration.automation.asking import FIRING_TAG
from leap_pipeline.services.firings import Begun, begin, finish
from leap_pipeline.services.liveness import WorkLock, firing_key
from leap_pipeline.settings import load_settings

LOCK_WAIT_SECONDS = 2.0
logger = logging.getLogger(__name__)


class FiringResource(dg.ConfigurableResource[Any]):
    """Begins the firing that the run's tag names, and ends it with the run.

    The in-process executor makes one of it a run. Its lock says that the worker lives: who kills
    the worker frees it, and the dispatcher asks for the firing again.
    """

    _database: Database | None = PrivateAttr(default=None)
    _lock: WorkLock | None = PrivateAttr(default=None)
    _begun: Begun | None = PrivateAttr(default=None)
    _run_id: str = PrivateAttr(default="")
    _error: str | None = PrivateAttr(default=None)
    _counts: FiringCounts = PrivateAttr(default_factory=FiringCounts)

    @contextmanager
    def yield_for_execution(
        self,
        context: dg.InitResourceContext,  # noqa: ARG002
    ) -> Iterator["FiringResource"]:
        try:
            yield self
        finally:
            self._end()

    @property
    def database(self) -> Database:
        """Opened when first asked for, as run workers open it."""
        if self._database is None:
            self._database = Database(resolve(load_settings()))
        return self._database

    def begin(self, context: dg.OpExecutionContext) -> Begun | None:
        """The firing; None where another run has it, or it may not run: nothing is to be done.

        Raises `Failure` for a run that was started without one.
        """
        tag = context.run.tags.get(FIRING_TAG)
        if tag is None:
            description = "This job runs firings of automations: `leap jobs run` makes one by hand."
            raise dg.Failure(description, allow_retries=False)
        lock = WorkLock(self.database.lock_connection(), *firing_key(int(tag)))
        if not lock.acquire(LOCK_WAIT_SECONDS):
            lock.release()
            return None
        self._lock, self._run_id = lock, context.run_id
        with self.database.system() as session:
            self._begun = begin(session, int(tag), context.run_id)
        return self._begun

    @contextmanager
    def step(self, name: str) -> Iterator[Database]:
        """An op's work; its error becomes the firing's.

        Raises `Superseded` where the lock was lost: somebody else may have the firing by now.
        """
        if self._lock is None or self._lock.lost.is_set():
            msg = "The lock of this firing was lost: its run stops here."
            raise Superseded(msg)
        began = time.monotonic()
        try:
            yield self.database
        except LeapError as error:
            self._error = f"{name}: {error}"
            raise
        except Exception as error:
            self._error = f"{name} failed ({type(error).__name__}): see its run in Dagster."
            raise
        finally:
            logger.info("%s took %.1f s", name, time.monotonic() - began)

    def count(self, **changes: Any) -> FiringCounts:
        """What was counted so far, with these changes."""
        self._counts = self._counts.model_copy(update=changes)
        return self._counts

    def close(self, error: str | None) -> bool:
        """Write how it went; False where it is not this run's any more."""
        begun, self._begun = self._begun, None
        if begun is None:
            return False
        with self.database.system() as session:
            return finish(
                session, begun.firing_id, self._counts, error, dagster_run_id=self._run_id
            )

    def _end(self) -> None:
        """At the end of the run: what no op has closed ended early."""
        try:
            self.close(self._error or "Its run ended early: see it in Dagster.")
        except LeapError as error:
            logger.warning("How the firing ended is not written, it will run again: %s", error)
        finally:
            if self._lock is not None:
                self._lock.release()
            if self._database is not None:
                self._database.dispose()
