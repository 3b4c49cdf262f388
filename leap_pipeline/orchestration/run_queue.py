"""Dagster's run queue with each user's own limit, and fair shares of the slots.

Named in `dagster.yaml`. The daemon asks for the limits at every dequeue (each second), so that a
limit that is changed in the database counts within seconds. Runs whose user is at the limit are
passed over, not waited for. What people launch by hand gets the same tags, and so the same limits.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import dagster as dg

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.domain.fair_shares import Claimant, fair_shares
from leap_pipeline.domain.identity import recording_of
from leap_pipeline.domain.planner import UPLOADS
from leap_pipeline.domain.states import Phase
from leap_pipeline.errors import InputError, LeapError
from leap_pipeline.services.concurrency import concurrency_limits, owner_of
from leap_pipeline.settings import load_settings
from resources.leap import JOB_TAG, PHASE_TAG, RECORDING_TAG, USER_TAG

LIMITS_SECONDS = 2.0
# Until the database has been read once: what the smallest plan allows.
UNKNOWN_LIMIT = 1
AUTOMATION_RUNS = 2
PARTITION_TAG = "dagster/partition"
IN_PROGRESS = (
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Run:
    """What counts of a run; no user where it works on no recording."""

    user_id: str | None
    created_at: datetime
    started_at: datetime | None


class LeapRunCoordinator(dg.QueuedRunCoordinator[dg.DagsterInstance]):
    """`max_concurrent_runs` is for recordings; `max_automation_runs` come on top of it, so that a
    job that is due does not wait for the end of a lecture.
    """

    automation_runs = AUTOMATION_RUNS

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._limits = UserLimits()
        self._queued: dict[str, _Run] = {}

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        described = "Runs of automation jobs that go on beside those of recordings."
        own = dg.Field(dg.IntSource, is_required=False, description=described)
        return {**super().config_type(), "max_automation_runs": own}  # type: ignore[dict-item]

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> Self:
        made = super().from_config_value(inst_data, config_value)
        made.automation_runs = config_value.get("max_automation_runs", AUTOMATION_RUNS)
        return made

    def get_run_queue_config(self) -> Any:
        """The limits of this moment; what others set in the configuration stays beside them."""
        config = super().get_run_queue_config()
        slots = config.max_concurrent_runs
        own = [*(config.tag_concurrency_limits or ()), *self._user_limits(slots)]
        if slots < 0:  # no limit on all of them together
            return config._replace(tag_concurrency_limits=own)
        own.append({"key": JOB_TAG, "limit": self.automation_runs})
        return config._replace(
            max_concurrent_runs=slots + self.automation_runs, tag_concurrency_limits=own
        )

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        """Queue a run; one of a recording gets its tags, whoever launches it."""
        run = context.dagster_run
        missing = self._tags(run)
        if missing:
            self._instance.add_run_tags(run.run_id, missing)
        return super().submit_run(context)

    def _user_limits(self, slots: int) -> list[dict[str, Any]]:
        """A limit for each user with a run: what runs already, and the share of what is free."""
        running, served = Counter[str](), dict[str, datetime]()
        for run in self._read(IN_PROGRESS).values():
            if run.user_id is not None:
                running[run.user_id] += 1
                began = run.started_at or run.created_at
                served[run.user_id] = max(served.get(run.user_id, began), began)
        queued, oldest = Counter[str](), dict[str, datetime]()
        for run in self._read_queued():
            if run.user_id is not None:
                queued[run.user_id] += 1
                oldest[run.user_id] = min(oldest.get(run.user_id, run.created_at), run.created_at)
        limits = self._limits.of(running.keys() | queued.keys())
        crowd = [
            Claimant(
                user_id,
                running[user_id],
                queued[user_id],
                limits[user_id],
                oldest.get(user_id),
                self._limits.last_served(user_id, served.get(user_id)),
            )
            for user_id in sorted(limits)
        ]
        free = slots - running.total() if slots >= 0 else queued.total()
        shares = fair_shares(crowd, free)
        return [
            {"key": USER_TAG, "value": each.user_id, "limit": each.running + shares[each.user_id]}
            for each in crowd
        ]

    def _read_queued(self) -> Iterable[_Run]:
        """The runs in the queue, each of which is read in full only once."""
        queued = [dg.DagsterRunStatus.QUEUED]
        ids = self._instance.get_run_ids(dg.RunsFilter(statuses=queued))
        fresh = [run_id for run_id in ids if run_id not in self._queued]
        known = {run_id: self._queued[run_id] for run_id in ids if run_id in self._queued}
        if fresh:
            known |= self._read(queued, fresh)
        self._queued = known
        return known.values()

    def _read(
        self, statuses: Sequence[dg.DagsterRunStatus], run_ids: list[str] | None = None
    ) -> dict[str, _Run]:
        records = self._instance.get_run_records(dg.RunsFilter(statuses=statuses, run_ids=run_ids))
        return {
            record.dagster_run.run_id: _Run(
                record.dagster_run.tags.get(USER_TAG),
                record.create_timestamp,
                datetime.fromtimestamp(record.start_time, UTC) if record.start_time else None,
            )
            for record in records
        }

    def _tags(self, run: dg.DagsterRun) -> dict[str, str]:
        """The tags that a run of a recording lacks.

        Raises a `LeapError` where its owner cannot be read now: without the tag no limit would
        hold.
        """
        try:
            recording_id = recording_of(run.tags.get(PARTITION_TAG, ""))
        except InputError:
            return {}  # of no recording
        tags = run.tags
        if USER_TAG in tags and tags.get(RECORDING_TAG) == str(recording_id):
            return {}  # LEAP's own launch, or one that copied its tags
        owner = self._limits.owner_of(recording_id)
        found = {RECORDING_TAG: str(recording_id), PHASE_TAG: tags.get(PHASE_TAG, _phase_of(run))}
        return found | ({USER_TAG: owner} if owner else {})


class UserLimits:
    """Users' limits from the database, remembered for seconds, and for as long as it is away."""

    def __init__(self) -> None:
        self._database: Database | None = None
        self._known: dict[str, int | None] = {}
        self._read_at = float("-inf")
        self._served: dict[str, datetime] = {}

    def of(self, user_ids: Collection[str]) -> dict[str, int | None]:
        """The limit of each user (None = unlimited)."""
        fresh = time.monotonic() - self._read_at < LIMITS_SECONDS
        if not fresh or not self._known.keys() >= set(user_ids):
            self._read(user_ids)
        return {user_id: self._known.get(user_id, UNKNOWN_LIMIT) for user_id in user_ids}

    def last_served(self, user_id: str, seen: datetime | None) -> datetime | None:
        """When the user last got a slot, as far as this process has seen."""
        if seen is not None:
            self._served[user_id] = max(self._served.get(user_id, seen), seen)
        return self._served.get(user_id)

    def owner_of(self, recording_id: int) -> str | None:
        with self._open().system() as session:
            return owner_of(session, recording_id)

    def _read(self, user_ids: Collection[str]) -> None:
        self._read_at = time.monotonic()
        try:
            with self._open().system() as session:
                found = concurrency_limits(session, user_ids, datetime.now(UTC))
        except LeapError as error:
            logger.warning("The users' limits cannot be read, the last known ones hold: %s", error)
            self._close()  # the server may come back at another address
        else:
            self._known = found

    def _open(self) -> Database:
        if self._database is None:
            self._database = Database(resolve(load_settings()), pooled=True)
        return self._database

    def _close(self) -> None:
        if self._database is not None:
            self._database.dispose()
        self._database = None


def _phase_of(run: dg.DagsterRun) -> str:
    """Publishing where nothing but uploads was selected."""
    uploads = {str(asset) for asset in UPLOADS.values()}
    selected = {key.to_user_string() for key in run.asset_selection or ()}
    only_uploads = bool(selected) and selected <= uploads
    publishing = run.job_name == Phase.PUBLISH or only_uploads
    return str(Phase.PUBLISH if publishing else Phase.PREPARE)
