"""The sensor that sends notices to those who asked for it."""

from __future__ import annotations

import time
from functools import lru_cache

import dagster as dg

from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import DatabaseUrls, resolve
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.notice_delivery import Delivered, Delivery
from leap_pipeline.services.notice_senders import Poster, mailer_of
from leap_pipeline.settings import Settings, load_settings

INTERVAL_SECONDS = 30
# With what the last mail may take, well within the minute that Dagster gives a tick.
BUDGET_SECONDS = 20.0


@dg.sensor(
    name="notice_delivery",
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Sends notices by mail and webhook to users who asked for it, at most one digest a channel "
        "and quarter of an hour. What fails rests longer each time, and is given up after a day."
    ),
)
def notice_delivery_sensor(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    settings = load_settings()
    delivery = opened(settings, resolve(settings))
    if not delivery.has_due():
        return dg.SkipReason("Nothing is to be sent.")
    lines = _lines(delivery.run(time.monotonic() + BUDGET_SECONDS))
    for line in lines:
        context.log.info(line)
    return dg.SkipReason("; ".join(lines) or "What is due is being sent.")


@lru_cache(maxsize=1)
def opened(settings: Settings, urls: DatabaseUrls) -> Delivery:
    """Kept for the life of the code server; it holds no connection."""
    return Delivery(
        Database(urls),
        load_vault(settings),
        Poster(private_addresses=settings.download_private_addresses),
        mailer_of(settings),
        settings.public_url,
    )


def _lines(report: Delivered) -> list[str]:
    lines = [f"sent: {len(report.sent)} digests"] if report.sent else []
    lines += [f"channel {number}: {said}" for number, said in sorted(report.failed.items())]
    return lines + ([f"given up: {report.given_up} notices"] if report.given_up else [])
