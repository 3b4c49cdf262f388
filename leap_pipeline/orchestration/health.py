"""The standing check “nothing is stuck or silently broken”, in Dagster's asset catalogue.

A sensor answers it, so that it takes no slot of the run queue; a person may also execute it.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

# Dagster says the state of sensors and schedules and the outcome of their ticks nowhere else.
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorStatus, TickStatus

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.services.health import Finding, Health, look
from leap_pipeline.settings import load_settings

INTERVAL_SECONDS = 60
TOLD_EVERY_SECONDS = 3600
ASSET, CHECK = "platform", "nothing_is_stuck"
DESCRIPTION = (
    "Nothing is overdue, dead, forgotten or failing over and over. Failed recordings and holds are "
    "listed; they say so themselves."
)
FAILED_TICKS = 3

platform = dg.AssetSpec(
    ASSET,
    group_name="health",
    owners=["team:media"],
    description="LEAP as a whole: its queue, sources, jobs and workers. Nothing is made here.",
)


@dg.asset_check(asset=ASSET, name=CHECK, description=DESCRIPTION)
def nothing_is_stuck(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    health = examine(context.instance)
    return dg.AssetCheckResult(passed=health.sound, metadata=_metadata(health))


@dg.sensor(
    name="health",
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=f"Answers the check {CHECK} when the answer changes, and every hour.",
)
def health_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    now = datetime.now(UTC)
    health = examine(context.instance)
    answer = sorted(found.name for found in health.findings)
    before: dict[str, Any] = json.loads(context.cursor or '{"answer": null, "at": 0}')
    if answer == before["answer"] and now.timestamp() - before["at"] < TOLD_EVERY_SECONDS:
        return dg.SkipReason("As before: " + (", ".join(answer) or "nothing is stuck."))
    for found in health.findings:
        context.log.warning(found.sentence)
    evaluation = dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(ASSET),
        check_name=CHECK,
        passed=health.sound,
        metadata=_metadata(health),
    )
    cursor = json.dumps({"answer": answer, "at": now.timestamp()})
    return dg.SensorResult(asset_events=[evaluation], cursor=cursor)


def examine(instance: dg.DagsterInstance) -> Health:
    """What the database knows, and what Dagster knows of its own sensors."""
    database = Database(resolve(load_settings()))
    try:
        with database.system() as session:
            health = look(session, datetime.now(UTC))
    finally:
        database.dispose()
    return Health((*health.findings, *_broken(instance)), health.failed, health.holds)


def _broken(instance: dg.DagsterInstance) -> Sequence[Finding]:
    """Sensors that were switched off, or fail again and again."""
    stopped, failing = [], []
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        if state.status is InstigatorStatus.STOPPED:
            stopped.append(state.name)
            continue
        ticks = instance.get_ticks(
            state.instigator_origin_id, state.selector_id, limit=FAILED_TICKS
        )
        if len(ticks) == FAILED_TICKS and all(tick.status is TickStatus.FAILURE for tick in ticks):
            failing.append(state.name)
    told = (
        ("sensors stopped", "sensors are switched off in Dagster", stopped),
        ("sensors failing", f"sensors failed {FAILED_TICKS} times in a row", failing),
    )
    return [
        Finding(name, len(found), f"{len(found)} {said}: {', '.join(sorted(found))}")
        for name, said, found in told
        if found
    ]


def _metadata(health: Health) -> Mapping[str, Any]:
    rows = [
        dg.TableRecord({"stage": stage, "reason": reason, "recordings": count})
        for stage, reason, count in health.failed
    ]
    found = {each.name: each.sentence for each in health.findings}
    schema = dg.TableSchema(
        [
            dg.TableColumn("stage"),
            dg.TableColumn("reason"),
            dg.TableColumn("recordings", "int"),
        ]
    )
    failed = {"failed recordings": dg.MetadataValue.table(rows, schema)} if rows else {}
    holds = {"live holds": dg.MetadataValue.json(health.holds)} if health.holds else {}
    return {**found, **failed, **holds}
