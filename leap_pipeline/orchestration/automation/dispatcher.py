"""The sensor behind all clocks: what is due and unclaimed, what a person fired, what got lost."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.firing_shares import Due, for_dispatcher
from leap_pipeline.errors import LeapError
from leap_pipeline.orchestration.automation.asking import (
    FIRING_TAG,
    JOB,
    claim_one,
    open_database,
    request_of,
)
from leap_pipeline.services.automation_rows import FiredBy
from leap_pipeline.services.firing_care import Suspect, lost
from leap_pipeline.services.firings import Claimed, due_jobs, to_request
from leap_pipeline.services.liveness import firing_key, living

DISPATCHER = "automation_dispatcher"
FINGERPRINT_TAG = "leap/fingerprint"
# One turn claims so many, for Dagster takes a while to make their runs.
MOST_A_TURN = 200
CARE_SECONDS = 20.0
# A run that has started begins its firing as the first thing.
OPENING_SECONDS = 120.0
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def dispatcher_of(
    job: dg.JobDefinition, intervals: Mapping[int, bool], fingerprint: str
) -> dg.SensorDefinition:
    """`intervals` are the jobs that have a clock of their own: whether it is an interval's."""
    count = sum(intervals.values())

    def dispatch(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        try:
            with open_database() as database:
                return _dispatch(context, database, intervals, count)
        except LeapError as error:
            return dg.SkipReason(str(error))

    return dg.SensorDefinition(
        name=DISPATCHER,
        job=job,
        evaluation_fn=dispatch,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        tags={FINGERPRINT_TAG: fingerprint},
        description=(
            "Fires what the jobs' own schedules and sensors do not: more than they can in time, "
            "jobs beyond `LEAP_MIRRORED_JOBS`, times missed while Dagster was down. Asks for what "
            "a person fired, and again for firings whose run got lost."
        ),
    )


def _dispatch(
    context: dg.SensorEvaluationContext,
    database: Database,
    intervals: Mapping[int, bool],
    count: int,
) -> dg.SensorResult | dg.SkipReason:
    now = datetime.now(UTC)
    cared = _care(context, database, now)
    claimed = _claim(database, intervals, count, now)
    with database.system() as session:
        waiting = to_request(session, now, MOST_A_TURN)
    for each in claimed:
        context.log.info("Job %s: due %s", each.job_id, each.due_at.isoformat())
    requests = [request_of(each) for each in (*claimed, *waiting)]
    context.update_cursor(json.dumps({"cared": cared}))
    if not requests:
        return dg.SkipReason("Nothing is due that its own clock does not take.")
    return dg.SensorResult(run_requests=requests)


def _claim(
    database: Database, intervals: Mapping[int, bool], count: int, now: datetime
) -> list[Claimed]:
    with database.system() as session:
        found = due_jobs(session, now, timedelta(0))
    dues = [
        Due(job_id, due_at, intervals.get(job_id, False), mirrored=job_id in intervals)
        for job_id, due_at in found
    ]
    taken = for_dispatcher(dues, now, count)[:MOST_A_TURN]
    by = FiredBy.DISPATCHER
    answers = [claim_one(database, due.job_id, due.due_at, by, now) for due in taken]
    return [each for each in answers if isinstance(each, Claimed)]


def _care(context: dg.SensorEvaluationContext, database: Database, now: datetime) -> float:
    """Now and then, put back firings whose run is gone; when that was last done."""
    before = float(json.loads(context.cursor)["cared"]) if context.cursor else 0.0
    if now.timestamp() - before < CARE_SECONDS:
        return before

    def gone(suspects: Sequence[Suspect]) -> Iterable[int]:
        with database.system() as session:
            alive = living(session)
        return gone_of(context.instance, suspects, alive, now)

    with database.system() as session:
        again, failed = lost(session, now, gone)
    if again or failed:
        context.log.warning("Firings whose run got lost: again %s, given up %s", again, failed)
    return now.timestamp()


def gone_of(
    instance: dg.DagsterInstance,
    suspects: Sequence[Suspect],
    alive: Collection[tuple[int, int]],
    now: datetime,
) -> list[int]:
    """The suspects that nobody works on: no worker holds the lock, and no run will take it.

    A run that is left behind by its worker is failed, so that it holds no slot of the queue.
    """
    records = instance.get_run_records(dg.RunsFilter(job_name=JOB, statuses=_UNFINISHED))
    runs: dict[int, dg.RunRecord] = {}
    for record in records:
        tag = record.dagster_run.tags.get(FIRING_TAG, "")
        if tag.isdigit():
            runs.setdefault(int(tag), record)
    found = []
    for suspect in suspects:
        run = runs.get(suspect.firing_id)
        if firing_key(suspect.firing_id) in alive or (run and _will_begin(suspect, run, now)):
            continue
        if run is not None:
            instance.report_run_failed(run.dagster_run, "Its worker is gone.")
        found.append(suspect.firing_id)
    return found


def _will_begin(suspect: Suspect, record: dg.RunRecord, now: datetime) -> bool:
    """Whether that run is one that has yet to begin the firing."""
    if suspect.dagster_run_id is not None:
        return False
    if record.dagster_run.status is not dg.DagsterRunStatus.STARTED or record.start_time is None:
        return True
    return now.timestamp() - record.start_time < OPENING_SECONDS
