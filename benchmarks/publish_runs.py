"""The kill matrix in real runs of Dagster: each named point once on each platform.

    python -m benchmarks.publish_runs [--platform YOUTUBE] [--points N] [--workers 2] [--journal F]

A run of the publish job is created in a real instance and executed; it is killed at a point, LEAP's
reconcile makes the next one, and so on until nothing is left to do (tests/support/publish_runs.py).
The points are those that a real run comes by. Journal and report are as in benchmarks/publish.py.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.publish import Drill, Names, run
from leap_pipeline.domain.states import Platform
from tests.support.publish_matrix import Case, Kill
from tests.support.publish_runs import DagsterMatrix

SEED = 1_000


def cases_of(names: Names, platforms: list[Platform], points: int | None) -> Iterator[Case]:
    """One a point; every third loses the session of its upload with its worker."""
    for platform in platforms:
        dice = random.Random(f"{platform} runs")
        known = names[platform]
        chosen = known if points is None else dice.sample(known, min(points, len(known)))
        for number, point in enumerate(chosen):
            yield Case(platform, SEED + number, Kill(point, gone=number % 3 == 2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--platform", type=Platform, choices=list(Platform), help="default: both")
    parser.add_argument("--points", type=int, help="so many of a platform, and not all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--journal", type=Path, help="default: a new one for each run")
    given = parser.parse_args()
    platforms = [given.platform] if given.platform else list(Platform)
    with tempfile.TemporaryDirectory() as folder:
        journal = given.journal or Path(folder) / "cases.jsonl"
        run(
            Drill(
                DagsterMatrix,
                lambda names: cases_of(names, platforms, given.points),
                journal,
                given.workers,
            )
        )


if __name__ == "__main__":
    main()
