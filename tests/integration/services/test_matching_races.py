"""Templates come and go while recordings come in: nothing is missed, nothing points to nowhere."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import delete, select, text
from sqlalchemy.orm import Session

from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.templates import RecordingTemplate
from leap_pipeline.domain.matcher import Matcher
from leap_pipeline.errors import NotFound
from leap_pipeline.services.match_rows import load_candidates
from leap_pipeline.services.matching import (
    match_recordings,
    matcher_of,
    rematch,
    template_created,
    template_deleted,
    unmap,
)
from leap_pipeline.services.projection import lock_row
from tests.support.bench import Bench
from tests.support.homes import wait_for

SECONDS = 3.0
WORDS = ("algebra", "graphs", "physics", "logic")


def new_recording(bench: Bench, session: Session, name: str) -> Recording:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    row = Recording(user_id=bench.user_id, display_name=name, start_time=start, duration=1)
    session.add(row)
    session.flush()
    return row


def new_template(bench: Bench, session: Session, word: str) -> int:
    name = f"{word} {threading.get_ident()} {time.monotonic_ns()}"
    row = RecordingTemplate(user_id=bench.user_id, name=name, matching_rules={"keywords": [word]})
    session.add(row)
    session.flush()
    return row.id


def waits(bench: Bench) -> bool:
    """Whether somebody waits for a lock of matching."""
    with bench.database.system() as session:
        found = session.scalar(
            text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        )
        return bool(found)


def beside(bench: Bench, act: Callable[[Session], Any]) -> tuple[ThreadPoolExecutor, Future[Any]]:
    """Carry something out in a transaction of its own, up to the lock that it has to wait for."""

    def transaction() -> Any:
        with bench.database.tenant(bench.user_id) as session:
            return act(session)

    pool = ThreadPoolExecutor(1)
    going = pool.submit(transaction)
    wait_for(lambda: waits(bench), seconds=10, what="a transaction that waits")
    assert not going.done()
    return pool, going


def test_a_template_takes_the_recording_that_comes_in_while_it_does(bench: Bench) -> None:
    with bench.database.tenant(bench.user_id) as session:
        assert matcher_of(session, bench.user_id).first("algebra 1", None) is None
        recording = new_recording(bench, session, "algebra 1").id
        pool, going = beside(
            bench,
            lambda later: template_created(
                later, bench.user_id, new_template(bench, later, "algebra")
            ),
        )
    with pool:
        assert going.result(10).mapped == (recording,)
    assert bench.row(recording).is_mapped


def test_a_recording_meets_the_template_that_comes_while_it_does(bench: Bench) -> None:
    with bench.database.tenant(bench.user_id) as session:
        template = new_template(bench, session, "algebra")
        template_created(session, bench.user_id, template)

        def sync(later: Session) -> int | None:
            found = matcher_of(later, bench.user_id).first("algebra 1", None)
            return found.id if found else None

        pool, going = beside(bench, sync)
    with pool:
        assert going.result(10) == template


def test_a_template_that_goes_takes_its_new_recordings_from_no_sync(bench: Bench) -> None:
    with bench.database.tenant(bench.user_id) as session:
        template = new_template(bench, session, "algebra")
        recording = new_recording(bench, session, "algebra 1").id
    with bench.database.tenant(bench.user_id) as session:
        assert match_recordings(session, bench.user_id, [recording]).mapped == {recording: template}

        def removal(later: Session) -> tuple[int, ...]:
            unmapped = template_deleted(later, bench.user_id, template)
            later.execute(delete(RecordingTemplate).where(RecordingTemplate.id == template))
            return unmapped

        pool, going = beside(bench, removal)
    with pool:
        assert going.result(10) == (recording,)
    row = bench.row(recording)
    assert (row.template_id, row.is_mapped) == (None, False)


def test_a_rematch_of_a_template_that_goes_meanwhile_finds_none(bench: Bench) -> None:
    with bench.database.tenant(bench.user_id) as session:
        template = new_template(bench, session, "algebra")
    with bench.database.tenant(bench.user_id) as session:
        template_deleted(session, bench.user_id, template)
        session.execute(delete(RecordingTemplate).where(RecordingTemplate.id == template))
        pool, going = beside(bench, lambda later: rematch(later, bench.user_id, template))
    with pool, pytest.raises(NotFound, match=f"There is no template {template}"):
        going.result(10)


def check_mapping(bench: Bench) -> None:
    """Every recording has the template that takes it, and those without are taken by none."""
    with bench.database.tenant(bench.user_id) as session:
        matcher = Matcher(load_candidates(session, bench.user_id))
        rows = session.scalars(select(Recording)).all()
        assert len(rows) > 10
        for row in rows:
            found = matcher.first(row.display_name, None)
            assert (row.template_id, row.is_mapped) == (found and found.id, found is not None)
        mapped = [row.id for row in rows if row.is_mapped]
        assert unmap(session, bench.user_id, mapped) == tuple(sorted(mapped))


def test_a_storm_ends_with_every_recording_where_it_belongs(bench: Bench) -> None:
    """Syncs, runs that hold a recording, templates that come, go and are rematched, all at once.

    No two live templates share a word, so that what is right at the end does not hang on the order.
    """
    end = time.monotonic() + SECONDS

    def sync(session: Session, dice: random.Random) -> None:
        if dice.random() < 0.5:
            matcher = matcher_of(session, bench.user_id)
            row = new_recording(bench, session, f"{dice.choice(WORDS)} {dice.random()}")
            found = matcher.first(row.display_name, None)
            row.template_id, row.is_mapped = (found.id if found else None), found is not None
        else:
            names = [f"{dice.choice(WORDS)} {dice.random()}" for _ in range(3)]
            rows = [new_recording(bench, session, name) for name in names]
            match_recordings(session, bench.user_id, [row.id for row in rows])

    def run(session: Session, dice: random.Random) -> None:
        ids = session.scalars(select(Recording.id).limit(20)).all()
        if ids:
            lock_row(session, dice.choice(ids))
            time.sleep(0.002)

    def change(session: Session, dice: random.Random) -> None:
        word = WORDS[mine.index]
        if mine.template is None:
            mine.template = new_template(bench, session, word)
            template_created(session, bench.user_id, mine.template)
        elif dice.random() < 0.5:
            rematch(session, bench.user_id, mine.template)
        else:
            template_deleted(session, bench.user_id, mine.template)
            gone = delete(RecordingTemplate).where(RecordingTemplate.id == mine.template)
            session.execute(gone)
            mine.template = None

    mine = threading.local()

    def keep_on(act: Callable[[Session, random.Random], None], index: int) -> int:
        dice, times = random.Random(index), 0
        mine.index, mine.template = index, None
        while time.monotonic() < end:
            with bench.database.tenant(bench.user_id) as session:
                act(session, dice)
            times += 1
        return times

    with ThreadPoolExecutor(9) as pool:
        acts = [change] * len(WORDS) + [sync] * 2 + [run]
        done = [pool.submit(keep_on, act, index) for index, act in enumerate(acts)]
        assert all(each.result(60) > 2 for each in done)
    check_mapping(bench)
