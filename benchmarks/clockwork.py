"""Automations in a living `leap up`: phase, lateness, many jobs at once, restarts.

    python -m benchmarks.clockwork phase [--firings 10 --restarts 2 --every 45]
    python -m benchmarks.clockwork many [--jobs 1000 --due 200 --lead 4 --gap 5]
    python -m benchmarks.clockwork dispatcher [--jobs 10000 --due 200 --lead 6]

`phase`: one job of every 45 seconds, while everything is stopped and started again in between.
`many`: jobs with a schedule each, of which some are due in the same minute; `--gap` minutes later
as many others are, and the daemon is killed a second before; it ends when the runs of the first
have ended. `dispatcher`: more jobs than have a schedule; those that are due have none. Lateness is
in seconds from the due time until the firing is recorded, and until its run is in Dagster's queue.
Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from leap_pipeline.commands.dagster_home import instance
from leap_pipeline.db.bootstrap import prepare
from leap_pipeline.db.embedded import EmbeddedServer
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.automation import AutomationFiring, AutomationJob
from leap_pipeline.db.urls import resolve
from leap_pipeline.errors import LeapError
from leap_pipeline.orchestration.automation.asking import FIRING_TAG
from leap_pipeline.settings import Settings
from tests.support.clockwork import Clockwork, clockwork, name_of, schedule, until
from tests.support.supervised import with_free_ports

JOBS_A_USER = 50
NEVER = "0 0 1 1 *"
PATIENCE = 3600.0
RUNS = "{ runsOrError(limit: 25) { ... on Runs { results { runId status } } } }"
ENDED = ("done", "failed")


@contextmanager
def home(**changes: Any) -> Iterator[Clockwork]:
    """A fresh home with its own embedded PostgreSQL; all of it goes at the end."""
    with tempfile.TemporaryDirectory(prefix="leap-bench-") as folder:
        Path(folder).chmod(0o711)
        settings = with_free_ports(Settings(home=Path(folder) / "home", **changes))
        database = Database(prepare(settings))
        try:
            with clockwork(settings, database) as leap:
                yield leap
        finally:
            database.dispose()
            EmbeddedServer(settings).stop()


def phase(firings: int, restarts: int, every: int) -> dict[str, Any]:
    """One interval job, seen from its anchor."""
    with home() as leap:
        leap.up()
        until(lambda: bool(leap.clocks()), "the location", patience=PATIENCE)
        job_id = leap.job(leap.owner(), "Phase", f"{every} seconds")
        shown = until(lambda: name_of(job_id) in leap.clocks(), "the new job", patience=PATIENCE)
        # Firings after which everything is stopped, while there is time until the next.
        stops = {firings * number // (restarts + 1) for number in range(1, restarts + 1)}
        for number in range(1, firings + 1):
            until(lambda n=number: ended(leap) >= n, "a firing", patience=PATIENCE)  # type: ignore[misc]
            if number in stops:
                leap.down()
                leap.up()
        with leap.database.system() as session:
            anchor = session.get_one(AutomationJob, job_id).anchored_at
        rows = leap.firings(job_id)
    step = timedelta(seconds=every)
    late = [seconds(row.created_at - row.due_at) for row in rows]
    return {
        "shown after": round(shown, 1),
        "firings": len(rows),
        "off grid": sum((row.due_at - anchor) % step != timedelta(0) for row in rows),
        "missed": sum(row.missed for row in rows),
        "failed": sum(row.state == "failed" for row in rows),
        "late": late,
        "late at most": max(late),
        "finished after due, median": statistics.median(
            seconds(row.finished_at - row.due_at) for row in rows if row.finished_at
        ),
    }


def many(jobs: int, due: int, lead: int, gap: int) -> dict[str, Any]:
    """Jobs with a schedule each, due in one minute; and again while the daemon is killed."""
    with home(mirrored_jobs=jobs) as leap:
        first = minute(datetime.now(UTC) + timedelta(minutes=lead))
        second = first + timedelta(minutes=gap)
        add_jobs(leap, jobs, {first: range(due), second: range(due, 2 * due)})
        began = time.monotonic()
        leap.up()
        until(lambda: len(leap.clocks()) > jobs, "all schedules", patience=PATIENCE)
        found: dict[str, Any] = {"all shown after start": round(time.monotonic() - began, 1)}
        found["due"] = fire(leap, first, due)
        sleep_until(second - timedelta(seconds=1))
        leap.kill("dagster-daemon")
        killed = time.monotonic()
        found["due while it was killed"] = fire(leap, second, due)
        found["all queued after the daemon was killed"] = round(time.monotonic() - killed, 1)
        found["drained"] = drain(leap, first, due)
        return found


def dispatcher(jobs: int, due: int, lead: int, mirrored: int = 1000) -> dict[str, Any]:
    """More jobs than schedules; those that are due are the last, which have none."""
    with home(mirrored_jobs=mirrored) as leap:
        first = minute(datetime.now(UTC) + timedelta(minutes=lead))
        add_jobs(leap, jobs, {first: range(jobs - due, jobs)})
        leap.up()
        shown = min(jobs, mirrored)
        until(lambda: len(leap.clocks()) > shown, "the schedules", patience=PATIENCE)
        return {"schedules": len(leap.clocks()) - 1, "due": fire(leap, first, due)}


def add_jobs(leap: Clockwork, jobs: int, due: Mapping[datetime, Iterable[int]]) -> None:
    """Users with their jobs; those with the numbers in `due` are due at its times, once a day."""
    clocks = {
        number: schedule(f"{at.minute} {at.hour} * * *")
        for at, numbers in due.items()
        for number in numbers
    }
    rests = schedule(NEVER)
    for start in range(0, jobs, JOBS_A_USER):
        user = leap.owner(f"bench{start}@leap.example")
        with leap.database.system() as session:
            session.add_all(
                AutomationJob(
                    user_id=user,
                    name=f"Job {number}",
                    job_type="process_recordings",
                    source_ids=[],
                    **clocks.get(number, rests),
                )
                for number in range(start, min(start + JOBS_A_USER, jobs))
            )


def fire(leap: Clockwork, due_at: datetime, count: int) -> dict[str, Any]:
    """From a due time until every firing of it has its run in the queue."""
    sleep_until(due_at)
    answers: list[float] = []
    until(
        lambda: answer(leap, answers) and len(queued(leap, due_at)) >= count,
        "all runs of a minute",
        patience=PATIENCE,
    )
    rows, at = firings(leap, due_at), queued(leap, due_at)
    return {
        "firings": len(rows),
        "by": dict(Counter(row.fired_by for row in rows)),
        "recorded": spread([seconds(row.created_at - due_at) for row in rows]),
        "enqueued": spread([seconds(each - due_at) for each in at.values()]),
        "webserver answers": spread(answers),
    }


def drain(leap: Clockwork, due_at: datetime, count: int) -> dict[str, Any]:
    """Until every firing of a due time has ended, and how."""
    answers: list[float] = []
    until(
        lambda: answer(leap, answers) and ended(leap, due_at) >= count, "it all", patience=PATIENCE
    )
    rows = firings(leap, due_at)
    return {
        "states": dict(Counter(row.state for row in rows)),
        "tried again": sum(row.attempts > 0 for row in rows),
        "after": spread([seconds(row.finished_at - due_at) for row in rows if row.finished_at]),
        "webserver answers": spread(answers),
    }


def firings(leap: Clockwork, due_at: datetime | None) -> Sequence[AutomationFiring]:
    """Of a due time, or all there are."""
    found = select(AutomationFiring)
    try:
        with leap.database.system() as session:
            return session.scalars(
                found if due_at is None else found.where(AutomationFiring.due_at == due_at)
            ).all()
    except LeapError:  # it is being started again
        return []


def queued(leap: Clockwork, due_at: datetime) -> dict[str, datetime]:
    """When the run of each firing was made, by the firing's id; the first one where it had more."""
    wanted = {str(row.id) for row in firings(leap, due_at)}
    with instance(leap.settings, resolve(leap.settings)) as dagster:
        records = dagster.get_run_records()  # the newest first
    made = {
        record.dagster_run.tags.get(FIRING_TAG): record.create_timestamp.replace(tzinfo=UTC)
        for record in records
    }
    return {firing: at for firing, at in made.items() if firing in wanted}


def answer(leap: Clockwork, answers: list[float]) -> bool:
    """Ask the UI what a person's page asks, once a second."""
    began = time.monotonic()
    answered = bool(leap.graphql(RUNS))
    answers.append(round(time.monotonic() - began, 3) if answered else PATIENCE)
    time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))
    return True


def ended(leap: Clockwork, due_at: datetime | None = None) -> int:
    return sum(row.state in ENDED for row in firings(leap, due_at))


def spread(found: Sequence[float]) -> dict[str, float]:
    if not found:
        return {}
    ordered = sorted(found)
    return {
        "p50": ordered[len(ordered) // 2],
        "p95": ordered[int(len(ordered) * 0.95)],
        "max": ordered[-1],
    }


def seconds(duration: timedelta) -> float:
    return round(duration.total_seconds(), 2)


def minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def sleep_until(at: datetime) -> None:
    time.sleep(max(0.0, (at - datetime.now(UTC)).total_seconds()))


def main() -> None:
    parser = argparse.ArgumentParser()
    parts = parser.add_subparsers(dest="part", required=True)
    options: dict[str, tuple[Callable[..., dict[str, Any]], dict[str, int]]] = {
        "phase": (phase, {"firings": 10, "restarts": 2, "every": 45}),
        "many": (many, {"jobs": 1000, "due": 200, "lead": 4, "gap": 5}),
        "dispatcher": (dispatcher, {"jobs": 10_000, "due": 200, "lead": 6}),
    }
    for name, (_, defaults) in options.items():
        part = parts.add_parser(name)
        for option, value in defaults.items():
            part.add_argument(f"--{option}", type=int, default=value)
    given = vars(parser.parse_args())
    name = given.pop("part")
    found = options[name][0](**given)
    sys.stdout.write(json.dumps({name: given, **found}, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
