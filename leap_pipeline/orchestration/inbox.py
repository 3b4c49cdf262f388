"""The sensor that does what webhooks ask for."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

import dagster as dg

from assets.partitions import recordings
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import DatabaseUrls, resolve
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.webhook_inbox import Drained, Inbox
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_sync import sync_meeting
from leap_pipeline.settings import Settings, load_settings

INTERVAL_SECONDS = 5
# With what the last meeting may take, well within the minute that Dagster gives a tick.
BUDGET_SECONDS = 20.0


@dg.sensor(
    name="webhook_inbox",
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Reads each meeting again that Zoom's webhooks told of. What fails is tried 8 times within "
        "about an hour, then its source is polled."
    ),
)
def webhook_inbox_sensor(
    context: dg.SensorEvaluationContext,
) -> dg.SensorResult | dg.SkipReason:
    settings = load_settings()
    inbox, _accounts = opened(settings, resolve(settings))
    if not inbox.has_due():
        return dg.SkipReason("No event waits.")
    report = inbox.drain(time.monotonic() + BUDGET_SECONDS)
    lines = _lines(report)
    for line in lines:
        context.log.info(line)
    fresh = sorted(set(report.partitions))
    return dg.SensorResult(
        skip_reason="; ".join(lines) or "The events that wait are being read.",
        dynamic_partitions_requests=[recordings.build_add_request(fresh)] if fresh else None,
    )


@lru_cache(maxsize=1)
def opened(settings: Settings, urls: DatabaseUrls) -> tuple[Inbox, ZoomAccounts]:
    """Kept for the life of the code server: Zoom's tokens stay, no connection to the database."""
    database, vault = Database(urls), load_vault(settings)
    accounts = ZoomAccounts(database, vault, settings)

    def sync(source_id: int, meeting: str) -> list[str]:
        created: list[str] = []
        sync_meeting(
            database,
            accounts,
            source_id,
            meeting,
            now=datetime.now(UTC),
            settings=settings,
            created=created,
        )
        return created

    return Inbox(database, vault, sync), accounts


def _lines(report: Drained) -> list[str]:
    told = (
        ("read", report.done),
        ("to be tried again", report.again),
        ("given up, see their errors", report.given_up),
    )
    return [f"{what}: events {', '.join(map(str, rows))}" for what, rows in told if rows]
