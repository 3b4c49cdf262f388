"""Polling: what is due, fairly and within its time, whatever a source does."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest

from leap_pipeline.domain.wanted import GIVEN_UP
from leap_pipeline.services.polling import PollReport, Task, Turns, poll_due
from leap_pipeline.settings import Settings
from tests.support.bench import Bench
from tests.support.synced import Synced, make_synced
from tests.support.zoom.faults import Fault, refusal, storm
from tests.support.zoom.world import Account

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def synced(bench: Bench) -> Synced:
    return make_synced(bench, poll_workers=8)


def poll(synced: Synced, *, seconds: float = 30, settings: Settings | None = None) -> PollReport:
    return poll_due(
        synced.database,
        synced.accounts,
        now=synced.now,
        settings=settings or synced.settings,
        deadline=time.monotonic() + seconds,
    )


def other_account(synced: Synced, **config: object) -> tuple[Account, int]:
    account = synced.fake.add_account()
    return account, synced.source(synced.credential(account), **config)


def test_what_is_due_is_polled_at_its_own_times(synced: Synced) -> None:
    _, rare = other_account(synced, poll_interval_minutes=60)
    off = synced.source(synced.credential())
    synced.set_source(off, is_active=False)
    synced.fake.add_recording(synced.host, start=synced.now - 3 * HOUR)
    report = poll(synced)
    assert sorted(report.polled) == [synced.source_id, rare]
    assert (report.counts["found"], report.counts["new"], report.left) == (1, 1, 0)
    number = synced.one().recording.id
    assert report.partitions == [f"{synced.bench.slug:06d}-{number}"]
    assert poll(synced).polled == []
    synced.advance(minutes=16)
    assert poll(synced).polled == [synced.source_id]
    synced.advance(minutes=46)
    assert sorted(poll(synced).polled) == [synced.source_id, rare]


def test_a_broken_source_fails_alone_and_backs_off(synced: Synced) -> None:
    account, broken = other_account(synced)
    app, account.app.disabled = account.app, True
    synced.fake.add_recording(synced.host, start=synced.now - 3 * HOUR)
    gaps = []
    for failures in range(1, 9):
        began = synced.now
        report = poll(synced)
        assert list(report.failed) == [broken]
        row = synced.source_row(broken)
        assert row.failures == failures
        assert row.last_error == report.failed[broken]
        assert app.client_secret not in row.last_error
        assert row.next_poll_at is not None
        gaps.append((row.next_poll_at - began) / MINUTE)
        synced.clock.set(row.next_poll_at)
    assert gaps == [15, 30, 60, 120, 240, 360, 360, 360]
    assert synced.source_row().failures == 0
    app.disabled = False
    synced.set_source(broken, config={})
    with_new_credential = synced.credential(account)
    synced.set_source(broken, credential_id=with_new_credential)
    assert broken in poll(synced).polled
    row = synced.source_row(broken)
    assert (row.failures, row.last_error) == (0, None)


def test_a_slow_account_holds_up_nobody(synced: Synced) -> None:
    release = threading.Event()
    synced.fake.sleep = lambda _seconds: (release.wait(30), None)[1]
    account = synced.fake.add_account()
    host = synced.fake.owner(account).id
    slow = [synced.source(synced.credential(account), user_id=host)]
    shared = synced.source_row(slow[0]).credential_id
    slow += [synced.source(shared, user_id=host) for _ in range(4)]
    others = [synced.source_id] + [other_account(synced)[1] for _ in range(9)]
    synced.fake.fail(
        Fault("slow", times=None, delay=30, when=lambda asked: f"/users/{host}/" in str(asked.url))
    )
    before = set(threading.enumerate())
    try:
        began = time.monotonic()
        report = poll(synced, seconds=2)
        assert time.monotonic() - began < 2 + 2 + 3
        assert set(report.polled) == set(others)
        # Of eight workers one account gets two.
        assert len(report.unfinished) == 2
        assert report.left == 3
        again = poll(synced, seconds=1)
        # Those that have not answered are leased, so others of the account had a turn.
        assert set(report.unfinished) | set(again.unfinished) <= set(slow)
        assert not set(report.unfinished) & set(again.unfinished)
    finally:
        release.set()
        for thread in set(threading.enumerate()) - before:
            thread.join(30)
    for source_id in {*report.unfinished, *again.unfinished}:
        row = synced.source_row(source_id)
        assert (row.failures, row.cursor is not None) == (0, True)


def test_zoom_holds_an_account_back_and_that_is_no_failure(synced: Synced) -> None:
    began = synced.now
    synced.fake.fail(storm("account", form="iso", wait=7200, times=None))
    report = poll(synced)
    assert list(report.waiting) == [synced.source_id]
    row = synced.source_row()
    assert (row.failures, row.last_error) == (0, report.waiting[synced.source_id])
    assert row.next_poll_at is not None
    assert row.next_poll_at - began >= 2 * HOUR - MINUTE


def test_what_zoom_prepares_is_looked_at_until_it_comes(synced: Synced) -> None:
    start = synced.now - 3 * HOUR
    meeting = synced.fake.add_meeting(synced.host, topic="Algebra", start=start)
    for begins in (start, start + HOUR):
        synced.fake.add_file(meeting, start=begins, minutes=40, ready_at=synced.now + 9 * HOUR)
    assert poll(synced).counts["pending"] == 2
    synced.set_source(is_active=False)
    looks = 0
    while synced.now < start + 11 * HOUR:
        looks += len(poll(synced).looked)
        synced.advance(minutes=5)
        assert {row.recording.status for row in synced.rows()} == {"PENDING_SOURCE"}
    assert 10 < looks < 40
    synced.advance(hours=5)
    assert poll(synced).given_up == []
    found = [row.recording for row in synced.rows()]
    assert {(row.status, row.next_look_at) for row in found} == {("INITIALIZED", None)}
    assert poll(synced).looked == []


def test_what_never_comes_is_given_up_after_a_day_and_taken_when_it_comes_after_all(
    synced: Synced,
) -> None:
    began = synced.now
    meeting = synced.fake.add_meeting(synced.host, topic="Algebra", start=began - 3 * HOUR)
    file = synced.fake.add_file(meeting, ready_at=None)
    gone = synced.fake.add_meeting(synced.host, topic="gone", start=began - 3 * HOUR)
    synced.fake.add_file(gone, ready_at=None)
    poll(synced)
    synced.fake.delete(gone)  # 3301 from now on
    given_up: list[int] = []
    while synced.now < began + timedelta(hours=26):
        assert bool(given_up) is (synced.now >= began + timedelta(hours=24))
        synced.advance(hours=1)
        given_up += poll(synced).given_up
    assert sorted(given_up) == sorted(row.recording.id for row in synced.rows())
    for row in synced.rows():
        picture = synced.bench.picture(row.recording.id)
        assert picture.status == picture.projected == "SKIPPED"
        assert row.recording.skip_reason == GIVEN_UP
    synced.fake.finish(file)
    synced.advance(hours=1)
    assert poll(synced).counts["updated"] == 1
    found = {row.recording.display_name: row.recording.status for row in synced.rows()}
    assert found == {"Algebra": "INITIALIZED", "gone": "SKIPPED"}


def test_nothing_is_given_up_while_the_source_cannot_be_asked(synced: Synced) -> None:
    meeting = synced.fake.add_meeting(synced.host, start=synced.now - 3 * HOUR)
    file = synced.fake.add_file(meeting, ready_at=None)
    poll(synced)
    synced.fake.fail(refusal("details", "account", status=403, times=None))
    for _ in range(10):
        synced.advance(hours=6)
        assert poll(synced).failed
    assert synced.one().recording.status == "PENDING_SOURCE"
    synced.fake.faults.clear()
    synced.fake.finish(file)
    synced.advance(hours=7)
    poll(synced)
    assert synced.one().recording.status == "INITIALIZED"


def test_two_pollers_share_what_is_due(synced: Synced) -> None:
    expected = {synced.source_id} | {other_account(synced)[1] for _ in range(20)}
    reports: list[PollReport] = []
    pollers = [threading.Thread(target=lambda: reports.append(poll(synced))) for _ in range(3)]
    for poller in pollers:
        poller.start()
    for poller in pollers:
        poller.join(60)
    polled = [source for report in reports for source in report.polled]
    assert sorted(polled) == sorted(expected)


def test_turns_go_round_and_stop_at_the_deadline() -> None:
    ran: list[int] = []
    tasks = [Task(account, at, None, lambda: None) for at, account in enumerate([1, 1, 1, 2, 1, 3])]
    turns = Turns(tasks, 2, time.monotonic() + 60)
    out = [turns.take() for _ in range(4)]
    ran = [task.source_id for task in out if task is not None]
    assert ran == [0, 3, 5, 1]
    assert turns.state() == ([task for task in out if task is not None], 2)
    assert out[0] is not None
    turns.give_back(out[0])
    following = turns.take()
    assert following is not None
    assert following.source_id == 2
    late = Turns(tasks, 2, time.monotonic())
    assert late.take() is None
    assert late.state() == ([], 6)
