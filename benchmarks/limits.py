"""The limits of users, held by the run queue: a drill with `leap up` and trivial media.

    python -m benchmarks.limits [--queued 1000] [--recordings 20]

A user who may run one recording at once runs one; one who may run five runs five, each of which
waits a while in the database; a raised limit is in force within seconds; one user's single
recording begins while another has a thousand queued. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from benchmarks.live import Home, machine, until
from resources.leap import USER_TAG

SLOTS = 6
PATIENCE = 900.0
SLOW_SECONDS = 25
SLOW = f"""
CREATE FUNCTION drill_slow() RETURNS TRIGGER LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep({SLOW_SECONDS}); RETURN NEW; END $$;
CREATE TRIGGER drill_slow AFTER UPDATE OF download_status ON recordings FOR EACH ROW
    WHEN (NEW.download_status = 'COMPLETED') EXECUTE FUNCTION drill_slow()
"""
QUICK = "DROP FUNCTION drill_slow CASCADE"
BEGUN = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


@contextmanager
def slow(home: Home) -> Iterator[None]:
    """Runs that take a while and no CPU: more than two trivial ones never go on at once here."""
    home.execute(SLOW)
    try:
        yield
    finally:
        home.execute(QUICK)


def drain(home: Home, user_id: str, count: int) -> dict[str, float]:
    """All of the user's recordings; the most that ran at once, and how long it took."""
    before, since, most = home.done(user_id), time.monotonic(), 0
    home.request(home.ingest(user_id, count))
    while home.done(user_id) < before + count:
        most = max(most, home.running(user_id))
        assert time.monotonic() - since < PATIENCE, "the queue does not drain"
        time.sleep(0.5)
    return {"most_at_once": most, "seconds": round(time.monotonic() - since, 1)}


def begun(dagster: dg.DagsterInstance, user_id: str) -> int:
    """How many of the user's runs have left the queue and not ended."""
    return dagster.get_runs_count(dg.RunsFilter(statuses=BEGUN, tags={USER_TAG: user_id}))


def raise_limit(home: Home, dagster: dg.DagsterInstance) -> float:
    """Seconds from the change in the database to the second run that leaves the queue."""
    user_id = home.user("raised@drill.example", "Free", at_once=1)
    home.request(home.ingest(user_id, 20))

    def ahead() -> bool:
        mine = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED], tags={USER_TAG: user_id})
        return begun(dagster, user_id) >= 1 and dagster.get_runs_count(mine) >= 2

    until(ahead, "a run and two behind it in the queue", PATIENCE)
    home.limit(user_id, 3)
    took = until(lambda: begun(dagster, user_id) >= 2, "a second run at once", 60)
    home.limit(user_id, 0)
    until(lambda: home.running(user_id) == 0, "the user to pause", PATIENCE)
    return took


def single(home: Home, dagster: dg.DagsterInstance, queued: int) -> dict[str, float]:
    """One recording of a user, while another has so many queued."""
    many = home.user("many@drill.example", "Enterprise")
    one = home.user("single@drill.example", "Free")
    home.request(home.ingest(many, queued))
    until(lambda: begun(dagster, many) >= 2, "both cores to be busy", PATIENCE)
    (recording,) = home.ingest(one, 1)
    home.request([recording])
    left = until(lambda: begun(dagster, one) > 0, "the single one to leave the queue", 300)
    claimed = until(lambda: home.state(recording) != "queued", "the single one to be claimed", 300)
    return {"queued": queued, "left_queue_after_seconds": left, "then_claimed_after": claimed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queued", type=int, default=1000)
    parser.add_argument("--recordings", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="leap-limits-") as name:
        Path(name).chmod(0o755)
        home = Home(Path(name), SLOTS)
        with home.up(), home.dagster() as dagster:
            free = home.user("free@drill.example", "Free")
            pro = home.user("pro@drill.example", "Pro")
            warm = drain(home, pro, 1)
            with slow(home):
                five = drain(home, pro, given.recordings)
            result = {
                "machine": machine(),
                "slots": SLOTS,
                "first_run": warm,
                "free": drain(home, free, given.recordings),
                "pro": five,
                "raise_in_force_after_seconds": raise_limit(home, dagster),
                "single": single(home, dagster, given.queued),
            }
    sys.stdout.write(json.dumps(result, indent=2) + "\n")
    assert result["free"]["most_at_once"] == 1  # type: ignore[index]
    assert result["pro"]["most_at_once"] == 5  # type: ignore[index]


if __name__ == "__main__":
    main()
