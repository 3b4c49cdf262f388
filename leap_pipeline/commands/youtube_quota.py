"""`leap quota youtube`: what is left of YouTube's quota today, and when what waits will fit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from leap_pipeline.commands.context import open_platform, print_json, say
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.youtube_quota import (
    BucketForecast,
    Forecast,
    WaitsForQuota,
    forecasts,
    quota_limits,
)


def youtube(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False
) -> None:
    """Show what each project at Google has left today, what waits, and on which day it fits."""
    platform = open_platform()
    found = forecasts(
        platform.database,
        load_vault(platform.settings),
        datetime.now(UTC),
        limits=quota_limits(platform.settings),
        app_client_id=platform.settings.google_client_id,
    )
    if as_json:
        print_json({"projects": [_document(each) for each in found]})
        return
    if not found:
        say("No YouTube account is connected, and nothing was spent today.")
    for each in found:
        for line in _lines(each):
            say(line)


def _document(forecast: Forecast) -> dict[str, Any]:
    return {
        "project": forecast.project,
        "day": forecast.day.isoformat(),
        "resets_at": forecast.resets_at.isoformat(),
        "buckets": {
            each.name: {
                "limit": each.limit,
                "spent": each.spent,
                "left": each.left,
                "closed_until": each.closed_until and each.closed_until.isoformat(),
            }
            for each in forecast.buckets
        },
        "waits": {
            each.kind: {
                "count": each.count,
                "days": {day.isoformat(): count for day, count in each.days.items()},
            }
            for each in forecast.waits
        },
    }


def _lines(forecast: Forecast) -> Iterator[str]:
    resets = f"{forecast.resets_at:%Y-%m-%d %H:%M} UTC"
    yield f"project {forecast.project}, {forecast.day} in California; all comes back at {resets}"
    for bucket in forecast.buckets:
        yield f"{bucket.name:<14} {_left(bucket)}"
    for waits in forecast.waits:
        yield f"{waits.kind:<14} {waits.count} to do: {_days(waits, forecast)}"


def _left(bucket: BucketForecast) -> str:
    if bucket.closed_until is not None:
        until = f"{bucket.closed_until:%Y-%m-%d %H:%M} UTC"
        return f"{bucket.spent} of {bucket.limit} spent; YouTube gives no more until {until}"
    return f"{bucket.spent} of {bucket.limit} spent, {bucket.left} left"


def _days(waits: WaitsForQuota, forecast: Forecast) -> str:
    shown = [
        f"{count} {'today' if day == forecast.day else f'on {day}'}"
        for day, count in sorted(waits.days.items())
    ]
    if never := waits.count - sum(waits.days.values()):
        shown.append(f"{never} fit into no day")
    return ", ".join(shown)
