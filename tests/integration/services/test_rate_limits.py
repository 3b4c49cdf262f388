"""The gate that all processes share, on real rows: paced, patient, blocked for everybody."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import delete, text

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import RateBucket
from leap_pipeline.errors import MustWaitError
from leap_pipeline.services.rate_limits import SharedGate, sweep_buckets
from tests.support import postgres
from tests.support.at_once import race
from tests.support.postgres import TestServer

KEY = "zoom:an-account"
NOW = datetime(2030, 1, 1, tzinfo=UTC)  # a machine whose clock is years ahead
EACH = 30
RESERVED = "CREATE TABLE reserved (at TIMESTAMPTZ)"


@pytest.fixture(scope="module")
def shared(postgres_server: TestServer) -> Iterator[Database]:
    with postgres_server.database() as url:
        opened = Database(postgres.urls_of(url), pooled=True)
        yield opened
        opened.dispose()


@pytest.fixture
def database(shared: Database) -> Database:
    with shared.system() as session:
        session.execute(delete(RateBucket))
    return shared


class Naps:
    """A sleep that only notes how long."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def gate(database: Database, plan: str = "free", naps: Naps | None = None) -> SharedGate:
    return SharedGate(database, KEY, plan, sleep=naps or Naps(), clock=lambda: NOW)


def move(database: Database, **columns: str) -> None:
    """Set columns of the one bucket to moments relative to the database's clock."""
    for column, moment in columns.items():
        with database.system() as session:
            session.execute(
                text(f"UPDATE rate_buckets SET {column} = clock_timestamp() + interval '{moment}'")
            )


def take_many(database: Database, plan: str) -> None:
    mine = SharedGate(database, KEY, plan, sleep=Naps())
    found = [mine.reserve("heavy").at for _ in range(EACH)]
    with database.system() as session:
        session.execute(text("RESET ROLE"))
        session.execute(text("INSERT INTO reserved VALUES (:at)"), [{"at": at} for at in found])


def test_eight_processes_together_never_exceed_the_rate_in_any_second(database: Database) -> None:
    with database.system() as session:
        session.execute(text("RESET ROLE"))
        session.execute(text(RESERVED))
    assert race(database, take_many, ["pro"] * 8) == ["ok"] * 8
    with database.system() as session:
        session.execute(text("RESET ROLE"))
        instants = list(session.scalars(text("SELECT at FROM reserved ORDER BY at")))
    assert len(set(instants)) == 8 * EACH
    in_a_second = [
        sum(first <= at < first + timedelta(seconds=1) for at in instants) for first in instants
    ]
    assert max(in_a_second) == 10
    # Nothing is given away either: 240 requests take 24 s, or what a slow race took.
    assert instants[-1] - instants[0] < timedelta(seconds=40)


@pytest.mark.parametrize(
    ("plan", "microseconds"),
    [("free", 500_000), ("pro", 50_000), ("business", 16_667)],
    ids=["free", "pro", "business"],
)
def test_requests_are_spaced_by_the_rate_of_the_plan(
    database: Database, plan: str, microseconds: int
) -> None:
    mine = gate(database, plan)
    mine.reserve("medium")
    move(database, next_free_at="30 seconds")
    instants = [mine.reserve("medium").at for _ in range(20)]
    gaps = {later - earlier for earlier, later in pairwise(instants)}
    assert gaps == {timedelta(microseconds=microseconds)}


def test_the_first_request_waits_for_nothing_and_the_next_for_its_turn(database: Database) -> None:
    naps = Naps()
    mine = gate(database, naps=naps)
    mine.wait("heavy")
    assert naps.seconds == []
    move(database, next_free_at="30 seconds")
    mine.wait("heavy")
    (seconds,) = naps.seconds
    assert 10 < seconds <= 30


def test_categories_and_accounts_have_buckets_of_their_own(database: Database) -> None:
    naps = Naps()
    mine = gate(database, naps=naps)
    mine.wait("heavy")
    mine.wait("light")
    SharedGate(database, "zoom:" + "long" * 200, "free", sleep=naps).wait("heavy")
    assert naps.seconds == []


def test_who_would_wait_over_a_minute_is_told_when_and_reserves_nothing(database: Database) -> None:
    mine = gate(database)
    mine.reserve("heavy")
    move(database, next_free_at="50 seconds")
    began, seconds = time.monotonic(), list[float]()
    with pytest.raises(MustWaitError, match="no more heavy requests") as refused:
        seconds.extend(iter(lambda: mine.reserve("heavy").seconds, None))
    assert 9 <= len(seconds) <= 12 + time.monotonic() - began
    assert 50 < max(seconds) <= 60
    # By the clock of the process that asks, which is years ahead of the database's.
    assert timedelta(seconds=59) < refused.value.due_at - NOW < timedelta(seconds=62)
    move(database, next_free_at="1 second", blocked_until="10 minutes")
    for _ in range(5):
        with pytest.raises(MustWaitError):
            mine.wait("heavy")
    move(database, blocked_until="-1 second")
    assert mine.reserve("heavy").seconds <= 1


def test_a_block_holds_for_everybody_and_is_never_shortened(
    database: Database,
) -> None:
    mine, other = gate(database), SharedGate(database, KEY, "business", sleep=Naps())
    mine.block("light", NOW + timedelta(hours=5))
    other.block("light", datetime.now(UTC) + timedelta(seconds=5))
    with pytest.raises(MustWaitError) as refused:
        other.wait("light")
    ahead = refused.value.due_at - datetime.now(UTC)
    assert timedelta(hours=4, minutes=59) < ahead <= timedelta(hours=5)
    other.wait("medium")
    move(database, blocked_until="-1 second")
    assert other.reserve("light").seconds < 1


def test_a_block_that_no_service_can_mean_ends_within_a_day_or_so(database: Database) -> None:
    mine = gate(database)
    mine.block("light", NOW + timedelta(days=3650))
    with pytest.raises(MustWaitError) as refused:
        mine.wait("light")
    assert refused.value.due_at - NOW <= timedelta(hours=25)


def test_who_slept_while_others_were_blocked_waits_on(database: Database) -> None:
    seen: list[float] = []

    def sleep(seconds: float) -> None:
        seen.append(seconds)
        if len(seen) == 1:
            gate(database).block("heavy", NOW + timedelta(seconds=20))
        else:
            move(database, blocked_until="-1 second")

    sleeper = SharedGate(database, KEY, "free", sleep=sleep)
    sleeper.reserve("heavy")
    move(database, next_free_at="15 seconds")
    sleeper.wait("heavy")
    assert 5 < seen[0] <= 15
    assert 5 < seen[1] <= 20
    assert len(seen) == 2


def test_a_clock_that_was_set_back_does_not_close_the_gate(database: Database) -> None:
    mine = gate(database)
    mine.reserve("heavy")
    move(database, next_free_at="2 hours")
    assert mine.reserve("heavy").seconds == 0


def test_threads_share_one_gate(database: Database) -> None:
    mine, found = gate(database, "business"), []
    threads = [
        threading.Thread(target=lambda: found.append(mine.reserve("light").at)) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(found)) == 8


def test_buckets_that_nobody_uses_are_swept(database: Database) -> None:
    gate(database).reserve("heavy")
    with database.system() as session:
        assert sweep_buckets(session) == 0
        session.execute(
            text(
                "INSERT INTO rate_buckets (key, next_free_at, updated_at)"
                " VALUES ('old', now(), now() - interval '31 days')"
            )
        )
        assert sweep_buckets(session) == 1
        assert sweep_buckets(session) == 0
