"""The queue holds each user's limit, shares slots fairly, and treats runs by hand alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import SubmitRunContext
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon
from sqlalchemy import update

from leap_pipeline.db.models.subscriptions import UserSubscription
from leap_pipeline.orchestration import run_queue
from leap_pipeline.orchestration.run_queue import LeapRunCoordinator
from resources.leap import JOB_TAG, PHASE_TAG, RECORDING_TAG, USER_TAG
from tests.support.bench import Bench, make_bench

LOCATION = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("leap"), "__repository__")
ORIGIN = RemoteJobOrigin(LOCATION, "any_job")
QUEUED, STARTED = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED


@dg.job
def any_job() -> None:
    """A job of which only the runs' states and tags matter here."""


class Queue:
    """Dagster's queue, and what its daemon would begin next."""

    def __init__(self, dagster: dg.DagsterInstance) -> None:
        self.dagster = dagster
        coordinator = dagster.run_coordinator
        assert isinstance(coordinator, LeapRunCoordinator)
        self.coordinator = coordinator
        self.coordinator._limits = run_queue.UserLimits()
        self.coordinator._queued = {}

    def add(self, user_id: str | None, count: int = 1, **tags: str) -> None:
        own = {USER_TAG: user_id} if user_id else {}
        for _ in range(count):
            self.make({**own, **tags}, QUEUED)

    def make(
        self, tags: dict[str, str], status: dg.DagsterRunStatus = dg.DagsterRunStatus.NOT_STARTED
    ) -> dg.DagsterRun:
        return self.dagster.create_run_for_job(
            any_job, status=status, tags=tags, remote_job_origin=ORIGIN
        )

    def submit(self, tags: dict[str, str]) -> dg.DagsterRun:
        """What Dagster does with a run that somebody launches."""
        context = SubmitRunContext(self.make(tags), workspace=None)  # type: ignore[arg-type]
        return self.coordinator.submit_run(context)

    def dequeue(self) -> list[dg.DagsterRun]:
        """One turn of the daemon's loop: what it begins is running then."""
        with QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon:
            config = self.dagster.get_concurrency_config()
            begun: list[dg.DagsterRun] = daemon._get_runs_to_dequeue(self.dagster, config, None)
        for run in begun:
            self._report(run, dg.DagsterEventType.RUN_START)
        return begun

    def users(self) -> Counter[str | None]:
        return Counter(run.tags.get(USER_TAG) for run in self.dequeue())

    def finish(self, user_id: str, count: int = 1) -> None:
        filters = dg.RunsFilter(statuses=[STARTED], tags={USER_TAG: user_id})
        for run in self.dagster.get_runs(filters, limit=count):
            self._report(run, dg.DagsterEventType.RUN_SUCCESS)

    def _report(self, run: dg.DagsterRun, event: dg.DagsterEventType) -> None:
        told = dg.DagsterEvent(event_type_value=event.value, job_name=run.job_name)
        self.dagster.report_dagster_event(told, run.run_id)


@pytest.fixture
def queue(dagster: dg.DagsterInstance, bench: Bench) -> Iterator[Queue]:
    made = Queue(dagster)
    yield made
    made.coordinator._limits._close()


def limit(bench: Bench, tasks: int) -> None:
    with bench.database.system() as session:
        session.execute(
            update(UserSubscription)
            .where(UserSubscription.user_id == bench.user_id)
            .values(custom_max_concurrent_tasks=tasks)
        )


def forget(queue: Queue) -> None:
    """As after `LIMITS_SECONDS`."""
    queue.coordinator._limits._read_at = float("-inf")


def test_a_user_runs_as_many_as_the_plan_allows(queue: Queue, bench: Bench) -> None:
    limit(bench, 2)
    queue.add(bench.user_id, 6)
    assert queue.users() == {bench.user_id: 2}
    assert queue.users() == {}
    queue.finish(bench.user_id)
    assert queue.users() == {bench.user_id: 1}


def test_a_user_without_a_subscription_has_the_free_limit(queue: Queue) -> None:
    queue.add("01J0000000000000000NOBODY0", 3)
    assert queue.users() == {"01J0000000000000000NOBODY0": 1}


def test_a_limit_that_is_raised_counts_when_it_is_read_again(queue: Queue, bench: Bench) -> None:
    limit(bench, 1)
    queue.add(bench.user_id, 9)
    assert queue.users() == {bench.user_id: 1}
    limit(bench, 4)
    forget(queue)
    assert queue.users() == {bench.user_id: 3}
    limit(bench, 0)
    forget(queue)
    queue.finish(bench.user_id)
    assert queue.users() == {}


def test_a_raise_is_read_within_five_seconds() -> None:
    """Limits are read again after so long, and the queue turns each second."""
    assert run_queue.LIMITS_SECONDS + 1 < 5


def test_no_user_takes_the_last_slot_while_another_waits(
    queue: Queue, bench: Bench, tmp_path: Path
) -> None:
    other = make_bench(bench.database, tmp_path, "other@example.org")
    queue.add(bench.user_id, 20)
    queue.add(other.user_id)
    assert queue.users() == {bench.user_id: 4, other.user_id: 1}
    queue.add(other.user_id, 3)
    queue.finish(bench.user_id, 2)
    assert queue.users() == {bench.user_id: 1, other.user_id: 1}
    queue.finish(bench.user_id, 2)
    assert queue.users()[other.user_id] == 1


def test_jobs_have_slots_of_their_own(queue: Queue, bench: Bench) -> None:
    queue.add(bench.user_id, 9)
    assert queue.users() == {bench.user_id: 5}
    queue.add(None, 9, **{JOB_TAG: "7"})
    assert queue.users() == {None: run_queue.AUTOMATION_RUNS}


def test_while_the_database_is_away_the_last_known_limits_hold(
    queue: Queue,
    bench: Bench,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limit(bench, 2)
    queue.add(bench.user_id, 9)
    queue.users()
    forget(queue)
    queue.finish(bench.user_id)
    queue.coordinator._limits._close()
    monkeypatch.setenv("LEAP_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/leap")
    assert queue.users() == {bench.user_id: 1}
    assert "the last known ones hold" in caplog.text


def test_a_run_by_hand_gets_its_tags_from_the_partition(queue: Queue, bench: Bench) -> None:
    recording = bench.recording()
    tags = {"dagster/partition": f"{bench.slug:06d}-{recording}"}
    submitted = queue.submit(tags)
    assert submitted.status is QUEUED
    assert (
        submitted.tags.items()
        >= {
            USER_TAG: bench.user_id,
            RECORDING_TAG: str(recording),
            PHASE_TAG: "prepare",
        }.items()
    )


def test_a_run_of_no_recording_is_queued_as_it_is(queue: Queue) -> None:
    days: dict[str, str] = {"dagster/partition": "2026-11-23"}
    for tags in ({}, days):
        submitted = queue.submit(tags)
        assert submitted.status is QUEUED
        assert USER_TAG not in submitted.tags


def test_tags_that_name_another_recording_are_put_right(queue: Queue, bench: Bench) -> None:
    recording = bench.recording()
    tags = {
        "dagster/partition": f"{bench.slug:06d}-{recording}",
        USER_TAG: "somebody else",
        RECORDING_TAG: "0",
        PHASE_TAG: "publish",
    }
    submitted = queue.submit(tags)
    assert submitted.tags[USER_TAG] == bench.user_id
    assert submitted.tags[PHASE_TAG] == "publish"
