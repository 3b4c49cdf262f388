"""`kill -9` at random under load; at the end everything is finished, once, and nothing is stuck.

    python -m benchmarks.chaos [--minutes 30] [--pause 5 20] [--seed N]

`leap up` in a home of its own, three users whose trivial recordings come in all the time. Every few
seconds one of Dagster's daemon, the code servers, a run worker or PostgreSQL is killed. Then it
waits for quiet and looks: every recording is finished or FAILED with a reason, none is doubled,
nothing is queued or running in the database or in Dagster, the standing health check is sound, and
a fresh recording begins at once. Prints JSON; ends with code 1 where something is not so.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
from sqlalchemy import text

from benchmarks.live import UNFINISHED, Home, machine, until
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.errors import LeapError
from leap_pipeline.services.health import look
from leap_pipeline.supervisor.status import read_status

BACKLOG = 12
QUIET_SECONDS = 900.0
FRESH_SECONDS = 30.0
STATUSES = """
SELECT id, status, failed_at_stage, failed_reason FROM recordings WHERE deleted IS NOT TRUE
"""
DOUBLED = """
SELECT 'recordings of one file' AS what, count(*) FROM (SELECT source_key FROM source_metadata
    GROUP BY user_id, source_type, source_key HAVING count(*) > 1) AS twice
UNION ALL SELECT 'live runs of one piece of work', count(*) FROM (SELECT recording_id
    FROM recording_runs WHERE state IN ('queued', 'running', 'waiting')
    GROUP BY recording_id, phase, target_type HAVING count(*) > 1) AS twice
UNION ALL SELECT 'stages of one kind', count(*) FROM (SELECT recording_id FROM processing_stages
    GROUP BY recording_id, stage_type HAVING count(*) > 1) AS twice
"""
IN_PROGRESS = """
SELECT count(*) FROM processing_stages WHERE status = 'IN_PROGRESS'
"""
OBJECTS = "SELECT path, bytes FROM stored_objects"


class Chaos:
    """The load, the kills, and what was done."""

    def __init__(self, home: Home, seed: int, pause: tuple[float, float]) -> None:
        self.home, self.pause = home, pause
        self.dice = random.Random(seed)
        self.kills: Counter[str] = Counter()
        self.users = [
            home.user(f"user{n}@chaos.example", "Enterprise", at_once=n + 1) for n in range(3)
        ]
        self.recordings: list[int] = []

    def storm(self, minutes: float) -> None:
        ends = time.monotonic() + minutes * 60
        strike = time.monotonic() + self.pause[1]
        while time.monotonic() < ends:
            self._load()
            if time.monotonic() >= strike:
                self._strike()
                strike = time.monotonic() + self.dice.uniform(*self.pause)
            time.sleep(0.5)

    def _load(self) -> None:
        """Keep so many recordings queued, each in one attempt that either counts or does not."""
        try:
            if self.home.live() >= BACKLOG:
                return
            made = self.home.ingest(self.dice.choice(self.users), 1)
            self.recordings += made
            self.home.request(made)
        except LeapError:
            with suppress(LeapError):  # the database is away; it may come back elsewhere
                self.home.reconnect()

    def _strike(self) -> None:
        victims = self._victims()
        what = self.dice.choice(sorted(victims))
        victim = self.dice.choice(victims[what])
        with suppress(psutil.NoSuchProcess):
            victim.kill()
            self.kills[what] += 1

    def _victims(self) -> dict[str, list[psutil.Process]]:
        found: dict[str, list[psutil.Process]] = {}
        for part in read_status(self.home.settings).parts:
            if part.pid is None:
                continue
            with suppress(psutil.NoSuchProcess):
                server = psutil.Process(part.pid)
                found[part.name] = [server]
                if part.name.startswith("code-"):
                    found |= _below(server, part.name)
        pid = EmbeddedServer(self.home.settings).status().pid
        if pid is not None:
            with suppress(psutil.NoSuchProcess):
                found["postgresql"] = [psutil.Process(pid)]
        return found


def _below(server: psutil.Process, name: str) -> dict[str, list[psutil.Process]]:
    """The run workers of a code server, and the server behind the proxy."""
    workers, inner = [], []
    for child in server.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            line = " ".join(child.cmdline())
            if "resource_tracker" in line:
                continue
            if "multiprocessing" in line:
                workers.append(child)
            elif "grpc" in line:
                inner.append(child)
    found = {f"{name} behind its proxy": inner, "run worker": workers}
    return {what: those for what, those in found.items() if those}


def unrequested(home: Home) -> list[int]:
    """What was ingested while the database went away before the request."""
    with home.database.system() as session:
        return list(
            session.scalars(
                text(
                    "SELECT id FROM recordings WHERE id NOT IN "
                    "(SELECT recording_id FROM recording_runs) AND deleted IS NOT TRUE"
                )
            )
        )


def judge(home: Home, dagster: dg.DagsterInstance) -> dict[str, Any]:
    """What is not as it should be; empty lists and zeros where all is well."""
    with home.database.system() as session:
        rows = session.execute(text(STATUSES)).all()
        doubled = {what: count for what, count in session.execute(text(DOUBLED)) if count}
        stages = session.scalar(text(IN_PROGRESS))
        objects = session.execute(text(OBJECTS)).all()
        health = look(session, datetime.now(UTC))
    root = home.settings.storage
    missing = [
        path
        for path, size in objects
        if not (root / path).is_file() or (root / path).stat().st_size != size
    ]
    return {
        "unfinished": [row[0] for row in rows if row[1] not in ("PROCESSED", "READY", "FAILED")],
        "failed_without_reason": [row[0] for row in rows if row[1] == "FAILED" and not row[3]],
        "doubled": doubled,
        "stages_in_progress": stages,
        "files_missing_or_cut": missing,
        "health": [found.sentence for found in health.findings],
        "unfinished_in_dagster": dagster.get_runs_count(dg.RunsFilter(statuses=list(UNFINISHED))),
    }


def failures(home: Home) -> dict[str, int]:
    with home.database.system() as session:
        rows = session.execute(text(STATUSES)).all()
    return dict(Counter(f"{row[2]}: {row[3]}" for row in rows if row[1] == "FAILED"))


def drill(home: Home, minutes: float, seed: int, pause: tuple[float, float]) -> dict[str, Any]:
    chaos = Chaos(home, seed, pause)
    with home.up():
        until(lambda: _all_well(home), "LEAP to be up", 300)
        chaos.storm(minutes)
        until(lambda: _calm(home), "the database to be back", 120)
        home.request(unrequested(home))
        quiet = until(lambda: home.live() == 0, "all runs to end", QUIET_SECONDS)
        with home.dagster() as dagster:
            unfinished = dg.RunsFilter(statuses=list(UNFINISHED))
            slots = until(
                lambda: dagster.get_runs_count(unfinished) == 0, "Dagster's slots", QUIET_SECONDS
            )
            found = judge(home, dagster)
        reasons = failures(home)
        fresh = home.ingest(chaos.users[0], 1)
        home.request(fresh)
        began = until(lambda: home.state(fresh[0]) in ("running", "done"), "a fresh one", 300)
    return {
        "machine": machine(),
        "minutes": minutes,
        "seed": seed,
        "recordings": len(chaos.recordings),
        "kills": dict(sorted(chaos.kills.items())),
        "failed": reasons,
        "quiet_after_seconds": quiet,
        "slots_free_after_seconds": slots,
        "fresh_one_begins_after_seconds": began,
        "wrong": {what: each for what, each in found.items() if each},
    }


def _all_well(home: Home) -> bool:
    parts = read_status(home.settings).parts
    return bool(parts) and all(part.healthy for part in parts)


def _calm(home: Home) -> bool:
    home.reconnect()
    return home.live() >= 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--pause", type=float, nargs=2, default=(5.0, 20.0), help="seconds")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="leap-chaos-"))
    folder.chmod(0o755)
    sys.stderr.write(f"seed {given.seed}, home {folder}\n")
    found = drill(Home(folder, 3), given.minutes, given.seed, tuple(given.pause))
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    sound = not found["wrong"] and found["fresh_one_begins_after_seconds"] <= FRESH_SECONDS
    if sound:  # else its logs and database are kept to be looked at
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
