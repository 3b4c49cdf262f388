"""Whether published videos can be watched: a sensor that looks, and the checks that it answers.

The checks are no part of an upload's run, which would have to wait for the platform.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.domain.planner import UPLOADS
from leap_pipeline.domain.processing import CHECKS, PROCESSED, RIGHT_DURATION
from leap_pipeline.domain.states import Platform
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.platform_accounts import PlatformAccounts
from leap_pipeline.services.processing_looks import LookReport, Outcome, UploaderOf, look_due
from leap_pipeline.services.processing_rows import WrongOne, acknowledge, wrong_ones
from leap_pipeline.settings import Settings, load_settings

INTERVAL_SECONDS = 30
BUDGET_SECONDS = 40.0  # Dagster ends an evaluation after 60 s
MOST_SHOWN = 50

Opened = Callable[[Settings], tuple[Database, UploaderOf]]


@lru_cache(maxsize=1)
def opened_accounts(settings: Settings) -> tuple[Database, UploaderOf]:
    """Kept for the life of the code server: tokens and connections serve many ticks."""
    database = Database(resolve(settings), pooled=True)
    return database, PlatformAccounts(database, load_vault(settings), settings).publisher


def make_sensor(opened: Opened) -> dg.SensorDefinition:
    """The sensor `processing`; `opened` gives what is kept for the life of the code server."""

    @dg.sensor(
        name="processing",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Asks the platforms about published videos, ever more rarely for three days, until "
            "they can be watched, and answers the checks of their uploads. An account that fails "
            "rests longer each time, and holds up no other."
        ),
    )
    def processing(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        deadline = time.monotonic() + BUDGET_SECONDS
        database, uploader_of = opened(load_settings())
        # Dagster has a cursor only of a tick whose events it has stored.
        acknowledge(database, ((each[0], each[1]) for each in json.loads(context.cursor or "[]")))
        report = look_due(database, uploader_of, now=datetime.now(UTC), deadline=deadline)
        for credential, sentence in sorted(report.failed.items()):
            context.log.error("Credential %s: %s", credential, sentence)
        return dg.SensorResult(
            asset_events=[
                each for found in report.outcomes for each in evaluations(context.instance, found)
            ],
            cursor=json.dumps([[each.upload_id, each.looks] for each in report.outcomes]),
            skip_reason="; ".join(report_lines(report)) or "No published video is due.",
        )

    return processing


def evaluations(
    instance: dg.DagsterInstance, outcome: Outcome
) -> Iterator[dg.AssetCheckEvaluation]:
    """What an outcome answers: whether it is processed, and then whether it plays as long."""
    facts: dict[str, Any] = {"recording": outcome.partition, "state": outcome.state}
    if outcome.url:
        facts["link"] = dg.MetadataValue.url(outcome.url)
    if outcome.note:
        facts["why"] = outcome.note
    yield _evaluation(instance, outcome, PROCESSED, facts, passed=outcome.processed)
    if outcome.right_duration is not None:
        there = outcome.there_seconds
        facts |= {
            "sent (s)": outcome.sent_seconds,
            "there (s)": "not told" if there is None else there,
        }
        yield _evaluation(instance, outcome, RIGHT_DURATION, facts, passed=outcome.right_duration)


def report_lines(report: LookReport) -> list[str]:
    """What a tick did, in a few lines."""
    told = (
        (len(report.looked), "looked at"),
        (len(report.outcomes), "settled"),
        (len(report.postponed), "put off"),
        (len(report.unfinished), "still answering"),
        (len(report.doubled), "there more than once"),
        (report.left, "left for the next tick"),
    )
    return [f"{said}: {number}" for number, said in told if number]


def _evaluation(
    instance: dg.DagsterInstance,
    outcome: Outcome,
    name: str,
    facts: Mapping[str, Any],
    *,
    passed: bool,
) -> dg.AssetCheckEvaluation:
    """With its partition, unless that has an answer already.

    Dagster 1.13 stores but one answer that is of no run for a partition of a check; a second one is
    an error (the index `idx_asset_check_executions_unique`), which would end every tick.
    """
    asset = dg.AssetKey(str(UPLOADS[outcome.platform]))
    earlier = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(asset, name),
        limit=1,
        partition_filter=PartitionKeyFilter(key=outcome.partition),
    )
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=name,
        passed=passed,
        metadata=dict(facts),
        partition=None if earlier else outcome.partition,
    )


def _check(platform: Platform, name: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=str(UPLOADS[platform]),
        name=name,
        description=(
            f"{CHECKS[name]} Answered by the sensor `processing`, for each recording; executed by "
            "hand it tells of all of them what the last look found."
        ),
    )
    def as_stored() -> dg.AssetCheckResult:
        """The platform is not asked. Checks with partitions are a preview in Dagster 1.13."""
        database = Database(resolve(load_settings()))
        try:
            found = [each for each in wrong_ones(database, platform) if _concerns(each, name)]
        finally:
            database.dispose()
        facts = {each.partition: each.note or each.state for each in found[:MOST_SHOWN]}
        return dg.AssetCheckResult(passed=not found, metadata={"recordings": len(found), **facts})

    return as_stored


def _concerns(wrong: WrongOne, name: str) -> bool:
    return (wrong.state == PROCESSED) == (name == RIGHT_DURATION)


processing_checks = [_check(platform, name) for platform in UPLOADS for name in CHECKS]
