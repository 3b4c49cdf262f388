"""What a tick costs at 1,000, 10,000 and 100,000 partitions: seconds and statements.

    python -m benchmarks.ticks [--sizes 1000 10000 100000] [--repeat 5]

A home of its own with a real PostgreSQL and Dagster's instance on it. Each recording has a run
that is done and a partition in Dagster; a hundred users have them. Then the sensors are evaluated
in this process: with nothing to do, with a batch of runs to launch, with workers to put back.
Statements are counted at the driver, those to LEAP's database and those to Dagster's apart.
Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from sqlalchemy import Engine, event, text

from leap_pipeline.commands.dagster_home import PARTITIONS, instance
from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import connect
from leap_pipeline.settings import Settings

USERS = 100
SIZES = (1_000, 10_000, 100_000)
CHUNK = 5_000

PEOPLE = """
INSERT INTO users (id, user_slug, email, hashed_password)
SELECT 'BENCH' || lpad(n::text, 21, '0'), n, 'user' || n || '@bench.example', 'x'
FROM generate_series(1, :users) AS n ON CONFLICT DO NOTHING
"""
SUBSCRIPTIONS = """
INSERT INTO user_subscriptions (user_id, plan_id, custom_max_concurrent_tasks, starts_at)
SELECT users.id, plan.id, 2, now() - interval '1 day'
FROM users, subscription_plans AS plan
WHERE plan.name = 'Pro' AND users.id LIKE 'BENCH%' ON CONFLICT DO NOTHING
"""
RECORDINGS = """
INSERT INTO recordings (id, user_id, display_name, start_time, duration, status, download_status,
    downloaded_at)
SELECT n, 'BENCH' || lpad((n % :users + 1)::text, 21, '0'), 'Lecture ' || n, now(), 5400,
    'PROCESSED', 'COMPLETED', now()
FROM generate_series(CAST(:low AS INTEGER), CAST(:high AS INTEGER)) AS n
"""
STAGES = """
INSERT INTO processing_stages (recording_id, user_id, stage_type, status)
SELECT id, user_id, stage, 'COMPLETED' FROM recordings,
    unnest(ARRAY['TRIM', 'TRANSCRIBE', 'EXTRACT_TOPICS', 'GENERATE_SUBTITLES']) AS stage
WHERE id BETWEEN :low AND :high
"""
RUNS = """
INSERT INTO recording_runs (recording_id, user_id, phase, state, requested_at, finished_at)
SELECT id, user_id, 'prepare', 'done', now(), now() FROM recordings WHERE id BETWEEN :low AND :high
"""
# So many of them are to be made anew.
RESET = """
UPDATE processing_stages SET status = 'PENDING' WHERE recording_id IN
    (SELECT recording_id FROM recording_runs WHERE state = :state AND phase = 'prepare')
"""
QUEUE = """
UPDATE recording_runs SET state = :state, requested_at = NULL, generation = generation + 1
WHERE id IN (SELECT id FROM recording_runs ORDER BY id LIMIT :count)
"""
QUIET = """
UPDATE recording_runs SET state = 'done' WHERE state <> 'done'
"""

Tick = Callable[[], object]


class Bench:
    """The home, with the sizes growing."""

    def __init__(self, settings: Settings, dagster: dg.DagsterInstance, database: Database) -> None:
        self.settings, self.dagster, self.database = settings, dagster, database
        self.size = 0

    def grow(self, size: int) -> None:
        for low in range(self.size + 1, size + 1, CHUNK):
            high = min(low + CHUNK - 1, size)
            span = {"low": low, "high": high}
            self.do(RECORDINGS, users=USERS, **span)
            for statement in (STAGES, RUNS):
                self.do(statement, **span)
            keys = [f"{n % USERS + 1:06d}-{n}" for n in range(low, high + 1)]
            self.dagster.add_dynamic_partitions(PARTITIONS, keys)
        self.size = size
        with connect(self.database.urls.migration) as connection:
            connection.execute("ANALYZE")

    def do(self, statement: str, **values: Any) -> None:
        with self.database.system() as session:
            session.execute(text(statement), values)

    def ticks(self) -> Iterator[tuple[str, Callable[[], None], Tick]]:
        """What is measured: its name, what comes before it each time, and the tick."""
        from leap_pipeline.orchestration.health import health_sensor
        from leap_pipeline.orchestration.launching import launch_sensor
        from leap_pipeline.orchestration.sensors import reconcile_sensor
        from leap_pipeline.services.launching import BATCH

        def sensor(found: dg.SensorDefinition) -> Tick:
            def evaluate() -> object:
                with dg.build_sensor_context(instance=self.dagster) as context:
                    return found(context)

            return evaluate

        def stage(state: str, count: int) -> Callable[[], None]:
            def prepare() -> None:
                self.do(QUIET)
                self.do(QUEUE, state=state, count=count)
                self.do(RESET, state=state)

            return prepare

        yield "launch, nothing to do", lambda: self.do(QUIET), sensor(launch_sensor)
        yield f"launch, {BATCH} runs", stage("queued", BATCH), sensor(launch_sensor)
        yield "launch, all queued", stage("queued", self.size), sensor(launch_sensor)
        yield "reconcile, nothing to do", lambda: self.do(QUIET), sensor(reconcile_sensor)
        yield "reconcile, 20 dead workers", stage("running", 20), sensor(reconcile_sensor)
        yield "health", lambda: self.do(QUIET), sensor(health_sensor)
        yield "run queue's limits", lambda: None, self.dagster.get_concurrency_config


@contextmanager
def counted(counts: Counter[str]) -> Iterator[None]:
    """Count every statement that goes to a server, by its database."""

    def note(connection: Any, _cursor: object, _statement: str, *_rest: object) -> None:
        which = "dagster" if connection.engine.url.database.endswith("_dagster") else "leap"
        counts[which] += 1

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def measure(before: Callable[[], None], tick: Tick, repeat: int) -> dict[str, float]:
    seconds = []
    for turn in range(repeat + 1):
        before()
        counts = Counter[str]()
        with counted(counts):
            begun = time.perf_counter()
            tick()
            took = time.perf_counter() - begun
        if turn:  # the first one warms up
            seconds.append(took)
    return {
        "seconds": round(statistics.median(seconds), 3),
        "worst": round(max(seconds), 3),
        "statements": counts["leap"],
        "dagster_statements": counts["dagster"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leap-ticks-") as folder:
        os.environ["LEAP_HOME"] = str(Path(folder) / "home")
        os.environ["LEAP_MAX_CONCURRENT_RUNS"] = "20"
        settings = Settings()
        urls = prepare(settings)
        try:
            with instance(settings, urls) as dagster:
                bench = Bench(settings, dagster, Database(urls))
                bench.do(PEOPLE, users=USERS)
                bench.do(SUBSCRIPTIONS)
                found: dict[int, dict[str, dict[str, float]]] = {}
                for size in given.sizes:
                    bench.grow(size)
                    found[size] = {
                        name: measure(before, tick, given.repeat)
                        for name, before, tick in bench.ticks()
                    }
        finally:
            EmbeddedServer(settings).stop()
    print(json.dumps({"cores": os.cpu_count(), "ticks": found}, indent=2))


if __name__ == "__main__":
    main()
