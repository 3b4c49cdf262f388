"""Workers killed at every point of publishing, and the platforms' ledgers against the database.

    python -m benchmarks.publish [--seeds 100] [--first 0] [--points N] [--workers 2] [--journal F]

A seed goes through all named points of a run on both platforms (tests/support/publish_kills.py),
or through N that it chooses, and adds kills at random moments; every third seed loses the upload's
session with its worker, and every third kills the next worker as well, anywhere. The cases are
shared out to workers with a database and fakes of their own. One that was lived is a line of the
journal, so that a drill that was ended goes on where it was. Prints JSON: faults, and how many
videos were doubled, lost, stuck or wrong, or sent again by more than was allowed, which should all
be 0.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from leap_pipeline.domain.states import Platform
from tests.support import postgres
from tests.support.postgres import TestServer
from tests.support.publish_matrix import RESENT, Case, Kill, Matrix, matrix, points_of
from tests.support.published_truth import DOUBLED, LOST, STUCK, WRONG

KINDS = (DOUBLED, LOST, STUCK, WRONG, RESENT)
# A fresh database and fresh fakes now and then: what they remember is nobody's question here.
BATCH = 200
# Somebody ends the drill: after the case that is lived the servers are stopped, and all is told.
ENDED = threading.Event()
Names = Mapping[Platform, list[str]]


@dataclass(frozen=True)
class Drill:
    """Cases, which are the same ones each time they are asked for, and how they are lived."""

    kind: type[Matrix]
    cases: Callable[[Names], Iterator[Case]]
    journal: Path
    workers: int

    def carry_out(self) -> tuple[Names, int]:
        """Live all cases that the journal does not have; the points, and how many workers broke."""
        self.journal.parent.mkdir(parents=True, exist_ok=True)
        known = set(read(self.journal))
        fork = multiprocessing.get_context("fork")
        with postgres.server() as server:
            with self._matrix(server) as made:
                names = {platform: points_of(made, platform) for platform in Platform}
            children = [
                fork.Process(target=self._share, args=(server, names, known, number))
                for number in range(self.workers)
            ]
            for child in children:
                child.start()

            def end(*_: object) -> None:
                for child in children:
                    child.terminate()

            for kind in (signal.SIGTERM, signal.SIGINT):
                signal.signal(kind, end)
            for child in children:
                child.join()
        return names, sum(child.exitcode != 0 for child in children)

    def _share(self, server: TestServer, names: Names, known: set[str], number: int) -> None:
        """What one of the workers does."""
        signal.signal(signal.SIGTERM, lambda *_: ENDED.set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is told by the first process
        shared = islice(self.cases(names), number, None, self.workers)
        left = (case for case in shared if case.name not in known)
        while not ENDED.is_set() and (batch := list(islice(left, BATCH))):
            with self._matrix(server) as made:
                for case in batch:
                    append(self.journal, line_of(case, made))
                    if ENDED.is_set():
                        break

    @contextmanager
    def _matrix(self, server: TestServer) -> Iterator[Matrix]:
        with (
            tempfile.TemporaryDirectory() as folder,
            matrix(server, Path(folder), self.kind) as made,
        ):
            yield made


def cases_of(seed: int, names: Names, points: int | None, randoms: int) -> Iterator[Case]:
    """The cases of a seed, always the same ones."""
    for platform in Platform:
        dice = random.Random(f"{seed} {platform} kills")
        known, gone, twice = names[platform], seed % 3 == 2, seed % 3 == 1
        chosen = known if points is None else dice.sample(known, min(points, len(known)))
        for point in chosen:
            again = dice.randrange(1, len(known)) if twice else None
            yield Case(platform, seed, Kill(point, gone=gone, again=again))
        for _ in range(randoms):
            yield Case(platform, seed, Kill(after=round(dice.uniform(0.0, 1.0), 4), gone=gone))


def line_of(case: Case, made: Matrix) -> dict[str, Any]:
    try:
        lived = made.live(case).as_json()
    except RuntimeError as error:
        lived = {"kills": 0, "runs": 0, "again": 0, "differences": [[STUCK, str(error)]]}
    lived.pop("points", None)
    about = {"case": case.name, "platform": str(case.platform), "point": case.kill.point}
    return {**about, **lived}


def append(journal: Path, line: Mapping[str, Any]) -> None:
    """In one write: several processes do so at once."""
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, (json.dumps(line, ensure_ascii=False) + "\n").encode())
    finally:
        os.close(file)


def read(journal: Path) -> dict[str, dict[str, Any]]:
    """The cases in the journal by name; a line that was cut off counts for nothing."""
    found: dict[str, dict[str, Any]] = {}
    if journal.exists():
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue
            found[said["case"]] = said
    return found


def summary(lived: list[dict[str, Any]], names: Names) -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    examples: list[str] = []
    for one in lived:
        kinds.update(kind for kind, _ in one["differences"])
        examples += [f"{one['case']}: {kind}: {what}" for kind, what in one["differences"]]
    killed = [one for one in lived if one["kills"]]
    met = {(one["platform"], one["point"]) for one in killed if one["point"]}
    faults: Counter[str] = Counter()
    for one in killed:
        faults[one["platform"]] += one["kills"]
    return {
        "machine": {"cores": os.cpu_count(), "host": os.uname().machine},
        "points": {str(platform): len(points) for platform, points in names.items()},
        "points_met": dict(Counter(platform for platform, _ in met)),
        "cases": len(lived),
        "faults": faults.total(),
        "faults_by_platform": dict(faults),
        "further_runs": dict(sorted(Counter(one["runs"] for one in killed).items())),
        "most_bytes_again": max((one["again"] for one in killed), default=0),
        **{kind.replace(" ", "_"): kinds[kind] for kind in KINDS},
        "examples": examples[:20],
    }


def run(drill: Drill) -> None:
    """Carry it out, print what came of it, and exit: 0 where all is as it must be."""
    began, before = time.monotonic(), _faults(drill.journal)
    names, broken = drill.carry_out()
    lived = list(read(drill.journal).values())
    seconds = time.monotonic() - began
    made = _faults(drill.journal) - before
    result = {
        **summary(lived, names),
        "workers_that_broke": broken,
        "seconds_of_this_run": round(seconds, 1),
        "faults_of_this_run": made,
        "faults_an_hour": round(made / seconds * 3600),
    }
    sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    sys.exit(broken > 0 or any(one["differences"] for one in lived))


def _faults(journal: Path) -> int:
    return sum(one["kills"] for one in read(journal).values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--points", type=int, help="so many of a seed, and not all")
    parser.add_argument("--randoms", type=int, default=5, help="kills at random moments a seed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--journal", type=Path, help="default: a new one for each run")
    given = parser.parse_args()

    def cases(names: Names) -> Iterator[Case]:
        for seed in range(given.first, given.first + given.seeds):
            yield from cases_of(seed, names, given.points, given.randoms)

    with tempfile.TemporaryDirectory() as folder:
        journal = given.journal or Path(folder) / "cases.jsonl"
        run(Drill(Matrix, cases, journal, given.workers))


if __name__ == "__main__":
    main()
