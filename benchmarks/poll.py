"""Polling a thousand sources in one tick, and reading 100,000 known recordings again.

    python -m benchmarks.poll [--sources 1000] [--known 100000] [--times 1000]

Zoom is the tests' fake in a process of its own, over sockets; PostgreSQL is the tests' embedded
server. First the sources, of 50 tenants and accounts, are polled twice: when all of it is new, and
when nothing is. Then one source's recordings are synced, and synced again from the start; what
PostgreSQL counts as written is compared, and statements are counted. Last, eight processes sync a
meeting of three parts over and over. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Engine, event, text

from leap_pipeline.db.engine import Database
from leap_pipeline.security.keys import new_key
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.polling import poll_due
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_sync import sync_source
from leap_pipeline.settings import Settings
from tests.support import at_once, postgres
from tests.support.bench import Bench, make_bench
from tests.support.synced import Synced
from tests.support.syncing import Job, sync_often
from tests.support.zoom.clock import wall_clock
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.serve import process, save

TENANTS, RECORDINGS = 50, 10
WORKERS = 8
DAY = timedelta(days=1)


class Statements:
    """Statements that SQLAlchemy sends in this process."""

    def __init__(self) -> None:
        self.sent = 0
        event.listen(Engine, "before_cursor_execute", self._count)

    def _count(self, *_given: Any) -> None:
        self.sent += 1


@contextmanager
def opened() -> Iterator[Database]:
    with postgres.server() as server, server.database() as url:
        database = Database(postgres.urls_of(url), pooled=True)
        yield database
        database.dispose()


def settings_for(folder: Path, zoom: dict[str, object]) -> Settings:
    named: dict[str, Any] = {**zoom, "zoom_rate_plan": "business", "history_days": 25}
    return Settings(home=folder, encryption_keys=SecretStr(new_key()), **named)


def many_sources(database: Database, folder: Path, sources: int) -> dict[str, Any]:
    fake, now = FakeZoom(wall_clock), datetime.now(UTC)
    accounts = [fake.add_account(plan="business") for _ in range(TENANTS)]
    hosts = [[fake.add_user(account) for _ in range(sources // TENANTS)] for account in accounts]
    for host in (each for some in hosts for each in some):
        for number in range(RECORDINGS):
            fake.add_recording(host, start=now - number * DAY - timedelta(hours=2))
    with process(fake, folder) as served:
        settings = settings_for(folder, served.settings())
        with ZoomAccounts(database, load_vault(settings), settings) as zoom:
            for at, account in enumerate(accounts):
                bench = make_bench(database, folder, f"owner{at}@example.org")
                tenant = Synced(bench, settings, fake, zoom, account)
                credential = tenant.credential()
                for host in hosts[at]:
                    tenant.source(credential, user_id=host.id)
            first = ticks(database, zoom, settings, now)
            again = ticks(database, zoom, settings, now + timedelta(hours=1))
    return {"sources": sources, "all new": first, "nothing new": again}


def ticks(
    database: Database, zoom: ZoomAccounts, settings: Settings, now: datetime
) -> list[dict[str, Any]]:
    """Ticks of the sensor's budget until nothing is due."""
    found: list[dict[str, Any]] = []
    counted = Statements()
    while not found or found[-1]["left"]:
        began, cpu, sent = time.monotonic(), time.process_time(), counted.sent
        report = poll_due(
            database,
            zoom,
            now=now,
            settings=settings,
            deadline=began + settings.poll_budget_seconds,
        )
        found.append(
            {
                "seconds": round(time.monotonic() - began, 1),
                "cpu": round(time.process_time() - cpu, 1),
                "polled": len(report.polled),
                "failed": len(report.failed),
                "left": report.left,
                "new": report.counts["new"],
                "statements": counted.sent - sent,
            }
        )
    return found


def known(database: Database, bench: Bench, folder: Path, recordings: int) -> dict[str, Any]:
    fake, now = FakeZoom(wall_clock), datetime.now(UTC)
    account = fake.add_account(plan="business")
    host = fake.owner(account)
    for number in range(recordings):
        start = now - timedelta(hours=2) - number * (24 * DAY / recordings)
        fake.add_recording(host, topic=f"Lecture {number}", start=start)
    with process(fake, folder) as served:
        settings = settings_for(folder, served.settings())
        with ZoomAccounts(database, load_vault(settings), settings) as zoom:
            tenant = Synced(bench, settings, fake, zoom, account)
            source = tenant.source(tenant.credential())
            found: dict[str, Any] = {}
            for name in ("first", "again"):
                with database.system() as session:
                    session.execute(text("UPDATE input_sources SET cursor = NULL"))
                before, counted = tenant.writes(), Statements()
                began, cpu = time.monotonic(), time.process_time()
                counts = sync_source(database, zoom, source, now=now, settings=settings)
                took = time.monotonic() - began, time.process_time() - cpu
                after = tenant.writes()
                found[name] = {
                    "seconds": round(took[0], 1),
                    "cpu": round(took[1], 1),
                    "statements": counted.sent,
                    "found": counts.found,
                    "new": counts.new,
                    "rows written": {
                        table: after[table] - before.get(table, 0) for table in sorted(after)
                    },
                }
    return found


def over_and_over(database: Database, bench: Bench, folder: Path, times: int) -> dict[str, Any]:
    fake, now = FakeZoom(wall_clock), datetime.now(UTC)
    account = fake.add_account()
    meeting = fake.add_meeting(fake.owner(account), start=now - DAY)
    for hours in range(3):
        fake.add_file(meeting, start=meeting.start + timedelta(hours=hours), minutes=40)
    settings = settings_for(folder, {})
    zoom = ZoomAccounts(database, load_vault(settings), settings, http=fake.client())
    tenant = Synced(bench, settings, fake, zoom, account)
    source = tenant.source(tenant.credential())
    world = folder / "over.pickle"
    save(fake, world)
    job = Job(settings, world, source, now, times=times // WORKERS)
    at_once.PATIENCE = 1800
    began = time.monotonic()
    outcomes = at_once.race(database, sync_often, [job] * WORKERS)
    rows = [row for row in tenant.rows() if row.meta.get("meeting_id") == meeting.uuid]
    return {
        "syncs": job.times * WORKERS,
        "processes": WORKERS,
        "seconds": round(time.monotonic() - began, 1),
        "outcomes": sorted(set(outcomes)),
        "parts": 3,
        "rows": len(rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--sources", type=int, default=1000)
    parser.add_argument("--known", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=1000)
    asked = parser.parse_args()
    found: dict[str, Any] = {"load before": os.getloadavg()[0], "cores": os.cpu_count()}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.sources:
            with opened() as database:
                found["poll"] = many_sources(database, folder, asked.sources)
        with opened() as database:
            if asked.times:
                bench = make_bench(database, folder, "one@example.org")
                found["over and over"] = over_and_over(database, bench, folder, asked.times)
            if asked.known:
                bench = make_bench(database, folder, "two@example.org")
                found["known"] = known(database, bench, folder, asked.known)
    found["load after"] = os.getloadavg()[0]
    json.dump(found, sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
