"""The sensor that polls, evaluated as Dagster's daemon does, against a Zoom over a socket."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from leap_pipeline.orchestration import polling
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.settings import load_settings
from tests.support.bench import Bench
from tests.support.synced import Synced
from tests.support.zoom.clock import wall_clock
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.serve import serving


def evaluate(dagster: dg.DagsterInstance) -> tuple[dg.SensorResult, list[str]]:
    with dg.build_sensor_context(instance=dagster) as context:
        result = polling.zoom_poll_sensor(context)
    assert isinstance(result, dg.SensorResult)
    partitions = [
        key
        for request in result.dynamic_partitions_requests or []
        for key in request.partition_keys
    ]
    return result, partitions


def test_a_tick_reads_what_is_due_and_registers_what_is_new(
    bench: Bench, dagster: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeZoom(wall_clock)
    account = fake.add_account()
    start = datetime.now(UTC) - timedelta(hours=3)
    fake.add_recording(fake.owner(account), start=start, topic="Algebra")
    with serving(fake) as served:
        monkeypatch.setenv("LEAP_ZOOM_API_URL", served.api)
        monkeypatch.setenv("LEAP_ZOOM_OAUTH_URL", served.oauth)
        settings = load_settings()
        try:
            opened, accounts = polling.opened(settings)
            assert isinstance(accounts, ZoomAccounts)
            assert polling.opened(load_settings()) == (opened, accounts)
            synced = Synced(bench, settings, fake, accounts, account)
            synced.source_id = synced.source(synced.credential())
            missing = synced.source(None)
            result, partitions = evaluate(dagster)
            number = synced.one().recording.id
            assert partitions == [f"{bench.slug:06d}-{number}"]
            told = str(result.skip_reason)
            assert "read 1 sources: 1 found, 1 new, 1 unmatched" in told
            assert f"failed: sources {missing}" in told
            assert "has no Zoom account" in (synced.source_row(missing).last_error or "")
            result, partitions = evaluate(dagster)
            assert "No source is due." in str(result.skip_reason)
            assert partitions == []
        finally:
            polling.opened.cache_clear()
            accounts.close()
            opened.dispose()
    assert [entry.route for entry in fake.ledger.entries].count("token") == 1
