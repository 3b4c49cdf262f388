"""Thousands of generated Zoom accounts, lived through and compared with the truth.

    python -m benchmarks.zoom_truth [--lives 10000] [--first 0] [--journal FILE]

Each seed is an account of its own in a real database; see tests/support/zoom/lives.py for what
happens to it. A life that was lived is a line of the journal, so that a run that was ended goes on
where it was. Prints JSON: lives, recordings, polls, what went wrong on purpose, and how many
recordings were missed, doubled, stuck or wrong, which should all be 0.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tests.support import postgres
from tests.support.zoom.living import Lived, MortalDatabase, live_all, lives_settings

KINDS = ("missed", "doubled", "stuck", "wrong")
# A fresh database now and then: bloat of the ones before is nobody's question here.
BATCH = 500
# Somebody ends the run: after the life that is lived its server is stopped, and all is told.
ENDED = threading.Event()


def line_of(lived: Lived) -> dict[str, Any]:
    return {
        "seed": lived.seed,
        "rows": lived.rows,
        "polls": lived.polls,
        "errors": lived.errors,
        "differences": [[each.kind, each.what] for each in lived.differences],
        "refused": lived.refused,
    }


def live(seeds: Iterator[int], journal: Path) -> None:
    journal.parent.mkdir(parents=True, exist_ok=True)
    with postgres.server() as server, tempfile.TemporaryDirectory() as home:
        while not ENDED.is_set() and (batch := list(islice(seeds, BATCH))):
            with server.database() as url:
                database = MortalDatabase(postgres.urls_of(url))
                try:
                    for lived in live_all(database, lives_settings(Path(home)), batch):
                        with journal.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(line_of(lived), ensure_ascii=False) + "\n")
                        if ENDED.is_set():
                            break
                finally:
                    database.dispose()


def read(journal: Path) -> dict[int, dict[str, Any]]:
    """The lives in the journal by seed; a line that was cut off counts for nothing."""
    found: dict[int, dict[str, Any]] = {}
    if journal.exists():
        for line in journal.read_text(encoding="utf-8").splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue
            found[said["seed"]] = said
    return found


def summary(lived: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    kinds: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    examples: list[str] = []
    for one in lived:
        kinds.update(kind for kind, _ in one["differences"])
        errors.update(one["errors"])
        examples += [f"seed {one['seed']}: {kind}: {what}" for kind, what in one["differences"]]
    return {
        "machine": {"cores": os.cpu_count(), "host": os.uname().machine},
        "lives": len(lived),
        "recordings": sum(one["rows"] for one in lived),
        "polls": sum(one["polls"] for one in lived),
        "went_wrong_on_purpose": dict(sorted(errors.items())),
        **{kind: kinds[kind] for kind in KINDS},
        "requests_against_the_contract": sum(len(one["refused"]) for one in lived),
        "seconds_of_this_run": round(seconds, 1),
        "examples": examples[:20],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lives", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--journal", type=Path, help="default: a new one for each run")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.lives)
    with tempfile.TemporaryDirectory() as folder:
        journal = given.journal or Path(folder) / "lives.jsonl"
        began, known = time.monotonic(), read(journal)
        for kind in (signal.SIGTERM, signal.SIGINT):
            signal.signal(kind, lambda *_: ENDED.set())
        live(iter([seed for seed in seeds if seed not in known]), journal)
        lived = [one for seed, one in sorted(read(journal).items()) if seed in seeds]
    result = summary(lived, time.monotonic() - began)
    sys.stdout.write(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    sys.exit(any(result[kind] for kind in KINDS))


if __name__ == "__main__":
    main()
