"""Workers killed at every point of publishing, and the platforms' ledgers against the database.

    python -m benchmarks.publish [--seeds 100] [--first 0] [--points N] [--journal FILE]

A seed goes through all named points of a run on both platforms (tests/support/publish_kills.py),
or through N that it chooses, and adds kills at random moments; every third seed loses the upload's
session with its worker, and every third kills the next worker as well, anywhere. A case that was
lived is a line of the journal, so that a run that was ended goes on where it was. Prints JSON:
faults, and how many videos were doubled, lost, stuck or wrong, or sent again by more than was
allowed, which should all be 0.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from leap_pipeline.domain.states import Platform
from tests.support import postgres
from tests.support.publish_matrix import RESENT, Case, Kill, Matrix, matrix, points_of
from tests.support.published_truth import DOUBLED, LOST, STUCK, WRONG

KINDS = (DOUBLED, LOST, STUCK, WRONG, RESENT)
# A fresh database and fresh fakes now and then: what they remember is nobody's question here.
BATCH = 100
# Seconds within which a run is killed at random: about what one takes on an idle machine.
LONGEST = 0.7
# Somebody ends the run: after the case that is lived the servers are stopped, and all is told.
ENDED = threading.Event()
Names = Mapping[Platform, list[str]]


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
            yield Case(platform, seed, Kill(after=round(dice.uniform(0.0, LONGEST), 3), gone=gone))


def line_of(case: Case, made: Matrix) -> dict[str, Any]:
    try:
        lived = made.live(case).as_json()
    except RuntimeError as error:
        lived = {"kills": 0, "runs": 0, "again": 0, "differences": [[STUCK, str(error)]]}
    lived.pop("points", None)
    return {"case": case.name, "platform": str(case.platform), **lived}


def live(given: argparse.Namespace, journal: Path, known: Mapping[str, Any]) -> Names:
    """Live all cases that the journal does not have; the names of the points."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    with postgres.server() as server, tempfile.TemporaryDirectory() as folder:
        with matrix(server, Path(folder)) as first:
            names = {platform: points_of(first, platform) for platform in Platform}
        seeds = range(given.first, given.first + given.seeds)
        left = (
            case
            for seed in seeds
            for case in cases_of(seed, names, given.points, given.randoms)
            if case.name not in known
        )
        while not ENDED.is_set() and (batch := list(islice(left, BATCH))):
            with tempfile.TemporaryDirectory() as own, matrix(server, Path(own)) as made:
                for case in batch:
                    line = line_of(case, made)
                    with journal.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line, ensure_ascii=False) + "\n")
                    if ENDED.is_set():
                        break
    return names


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


def summary(lived: list[dict[str, Any]], names: Names, seconds: float) -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    examples: list[str] = []
    for one in lived:
        kinds.update(kind for kind, _ in one["differences"])
        examples += [f"{one['case']}: {kind}: {what}" for kind, what in one["differences"]]
    killed = [one for one in lived if one["kills"]]
    faults: Counter[str] = Counter()
    for one in killed:
        faults[one["platform"]] += one["kills"]
    return {
        "machine": {"cores": os.cpu_count(), "host": os.uname().machine},
        "points": {str(platform): len(points) for platform, points in names.items()},
        "cases": len(lived),
        "faults": faults.total(),
        "faults_by_platform": dict(faults),
        "further_runs": dict(sorted(Counter(one["runs"] for one in killed).items())),
        "most_bytes_again": max((one["again"] for one in killed), default=0),
        **{kind.replace(" ", "_"): kinds[kind] for kind in KINDS},
        "seconds_of_this_run": round(seconds, 1),
        "examples": examples[:20],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--points", type=int, help="so many of a seed, and not all")
    parser.add_argument("--randoms", type=int, default=10, help="kills at random moments a seed")
    parser.add_argument("--journal", type=Path, help="default: a new one for each run")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        journal = given.journal or Path(folder) / "cases.jsonl"
        began, known = time.monotonic(), read(journal)
        for kind in (signal.SIGTERM, signal.SIGINT):
            signal.signal(kind, lambda *_: ENDED.set())
        names = live(given, journal, known)
        lived = list(read(journal).values())
    result = summary(lived, names, time.monotonic() - began)
    sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    sys.exit(any(one["differences"] for one in lived))


if __name__ == "__main__":
    main()
