"""The sensor that reads the Zoom sources, with nobody asking for it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

import dagster as dg

from assets.partitions import recordings
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import resolve
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.polling import PollReport, poll_due
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.settings import Settings, load_settings

INTERVAL_SECONDS = 30
# Dagster ends an evaluation after 60 s, and what it did is not told then.
LONGEST_SECONDS = 50.0
MOST_PARTITIONS = 500


@lru_cache(maxsize=1)
def opened(settings: Settings) -> tuple[Database, ZoomAccounts]:
    """Kept for the life of the code server: tokens and connections serve many ticks."""
    database = Database(resolve(settings), pooled=True)
    return database, ZoomAccounts(database, load_vault(settings), settings)


@dg.sensor(
    name="zoom_poll",
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Reads the Zoom sources that are due, oldest first and account by account, and looks again "
        "at recordings that Zoom still prepares. A source that fails rests longer each time and "
        "says why: `leap source list`."
    ),
)
def zoom_poll_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    settings = load_settings()
    deadline = time.monotonic() + min(settings.poll_budget_seconds, LONGEST_SECONDS)
    database, accounts = opened(settings)
    report = poll_due(
        database, accounts, now=datetime.now(UTC), settings=settings, deadline=deadline
    )
    for source_id, sentence in sorted(report.failed.items()):
        context.log.error("Source %s: %s", source_id, sentence)
    lines = poll_lines(report)
    for line in lines:
        context.log.info(line)
    # More of them get their partition with their launch.
    fresh = report.partitions[:MOST_PARTITIONS]
    return dg.SensorResult(
        skip_reason="; ".join(lines) or "No source is due.",
        dynamic_partitions_requests=[recordings.build_add_request(fresh)] if fresh else None,
    )


def poll_lines(report: PollReport) -> list[str]:
    """What a poll did, in a few lines."""
    found = ", ".join(f"{number} {name}" for name, number in report.counts.items() if number)
    told = (
        (report.polled, f"read {len(report.polled)} sources: {found or 'nothing'}"),
        (report.failed, f"failed: sources {_ids(report.failed)}"),
        (report.waiting, f"must wait: sources {_ids(report.waiting)}"),
        (report.looked, f"looked again at {len(report.looked)} recordings"),
        (report.given_up, f"given up: recordings {_ids(report.given_up)}"),
        (report.unfinished, f"still answering: sources {_ids(report.unfinished)}"),
        (report.left, f"left for the next tick: {report.left}"),
    )
    return [line for said, line in told if said]


def _ids(ids: list[int] | dict[int, str]) -> str:
    shown = ", ".join(map(str, sorted(set(ids))[:20]))
    return f"{shown}, …" if len(ids) > 20 else shown
