"""Looks at published videos, on real rows: what is stored, told, put off, and asked only once."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leap_pipeline.domain.processing import GIVE_UP_AFTER, LONGEST_REST, UNSAID
from leap_pipeline.domain.states import Platform
from leap_pipeline.errors import DataError, MustWaitError, TransientError, UserActionError
from leap_pipeline.publishing.uploader import Processing
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services import processing_looks, processing_rows
from leap_pipeline.services.processing_looks import (
    LEASE,
    NOBODY,
    ONCE_MORE,
    LookReport,
    look_due,
)
from leap_pipeline.services.processing_rows import acknowledge, due_looks
from leap_pipeline.settings import Settings
from tests.support.bench import Bench
from tests.support.homes import wait_for
from tests.support.looked_at import READY, Platforms
from tests.support.published import Shelf

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PATIENCE = 20.0


@pytest.fixture
def shelf(bench: Bench, tmp_path: Path) -> Shelf:
    return Shelf(bench, load_vault(Settings(home=tmp_path)))


@pytest.fixture
def platforms() -> Platforms:
    return Platforms()


def look(shelf: Shelf, platforms: Platforms, now: datetime, seconds: float = 30) -> LookReport:
    return look_due(
        shelf.bench.database, platforms.of, now=now, deadline=time.monotonic() + seconds
    )


def stored(shelf: Shelf, target: int) -> tuple[str | None, str | None, datetime | None]:
    row = shelf.upload(target)
    return row.processing, row.processing_note, row.next_look_at


def acknowledged(shelf: Shelf, report: LookReport) -> None:
    acknowledge(shelf.bench.database, [(each.upload_id, each.looks) for each in report.outcomes])


def test_a_video_is_looked_at_until_it_is_processed_and_then_no_more(
    shelf: Shelf, platforms: Platforms
) -> None:
    target = shelf.video(shelf.account(), "abc", AT)
    platforms.answers["abc"] = Processing("processing", reason="The platform is busy.")
    now, gaps = AT, []
    for _ in range(6):
        report = look(shelf, platforms, now)
        assert (report.looked, report.outcomes) == ([shelf.upload(target).id], [])
        state, note, due = stored(shelf, target)
        assert (state, note) == ("processing", "The platform is busy.")
        assert due is not None
        gaps.append(due - now)
        assert look(shelf, platforms, due - timedelta(seconds=1)).looked == []
        now = due
    assert gaps == sorted(gaps)
    assert gaps[0] == timedelta(seconds=30) < gaps[-1]

    platforms.answers["abc"] = READY
    (outcome,) = look(shelf, platforms, now).outcomes
    row = shelf.upload(target)
    assert (outcome.upload_id, outcome.looks, row.looks) == (row.id, 7, 7)
    assert (outcome.state, outcome.processed, outcome.right_duration) == ("processed", True, True)
    assert outcome.partition.startswith(f"{shelf.bench.slug:06d}-")
    assert outcome.url == platforms.seen[0].url == f"https://video.example/{outcome.partition[7:]}"
    acknowledge(shelf.bench.database, [(outcome.upload_id, outcome.looks)])
    assert stored(shelf, target) == ("processed", None, None)
    assert look(shelf, platforms, now + timedelta(days=30)) == LookReport()
    assert platforms.asked == {"abc": 7}
    assert platforms.opened.total() == 7  # once an account and tick


def test_an_outcome_that_nobody_acknowledged_is_told_again(
    shelf: Shelf, platforms: Platforms
) -> None:
    target = shelf.video(shelf.account(), "abc", AT)
    (lost,) = look(shelf, platforms, AT).outcomes
    assert stored(shelf, target) == ("processed", None, AT + ONCE_MORE)
    (again,) = look(shelf, platforms, AT + ONCE_MORE).outcomes
    assert (again.looks, again.state) == (2, lost.state)
    acknowledge(shelf.bench.database, [(lost.upload_id, lost.looks)])
    assert stored(shelf, target)[2] == AT + 2 * ONCE_MORE
    acknowledge(shelf.bench.database, [(again.upload_id, again.looks)])
    assert stored(shelf, target)[2] is None


@pytest.mark.parametrize(
    ("told", "age", "state", "note", "right"),
    [
        (Processing("processed", 60.0), MINUTE, "processed", "It plays 60 s there", False),
        (Processing("processed", 90.9), MINUTE, "processed", None, True),
        (Processing("failed", None, "The codec is unknown."), MINUTE, "failed", "codec", None),
        (Processing("gone"), timedelta(hours=2), "gone", "no such video", None),
        (Processing("gone"), GIVE_UP_AFTER, "gone", "no such video", None),
        (Processing("processing"), GIVE_UP_AFTER, "processing", "after 3 days", None),
        (Processing("processed"), GIVE_UP_AFTER, "processed", UNSAID, False),
    ],
)
def test_what_settles_the_matter(
    shelf: Shelf,
    platforms: Platforms,
    told: Processing,
    age: timedelta,
    state: str,
    note: str | None,
    right: bool | None,
) -> None:
    target = shelf.video(shelf.account(), "abc", AT)
    platforms.answers["abc"] = told
    (outcome,) = look(shelf, platforms, AT + age).outcomes
    assert (outcome.state, outcome.right_duration) == (state, right)
    assert outcome.processed == (state == "processed")
    found = stored(shelf, target)
    assert found[0] == state
    assert (found[1] is None) if note is None else (note in str(found[1]))


@pytest.mark.parametrize("told", [Processing("gone"), Processing("processed")])
def test_what_may_come_yet_is_looked_at_again(
    shelf: Shelf, platforms: Platforms, told: Processing
) -> None:
    target = shelf.video(shelf.account(), "abc", AT)
    platforms.answers["abc"] = told
    assert look(shelf, platforms, AT + MINUTE).outcomes == []
    assert stored(shelf, target)[0] == "processing"
    platforms.answers["abc"] = READY
    assert look(shelf, platforms, AT + 2 * MINUTE).outcomes[0].processed


def test_a_video_of_unknown_length_is_compared_with_nothing(
    shelf: Shelf, platforms: Platforms
) -> None:
    shelf.video(shelf.account(), "abc", AT, duration=None)
    (outcome,) = look(shelf, platforms, AT).outcomes
    assert (outcome.processed, outcome.right_duration) == (True, None)


def test_a_broken_account_is_tried_twice_and_holds_up_nobody(
    shelf: Shelf, platforms: Platforms
) -> None:
    broken, sound = shelf.account(), shelf.account(Platform.VK)
    targets = [shelf.video(broken, f"bad-{n}", AT - MINUTE) for n in range(5)]
    for number in range(3):
        shelf.video(sound, f"good-{number}", AT, platform=Platform.VK, owner_id=-7)
    platforms.answers |= {f"bad-{n}": TransientError("YouTube fails.") for n in range(5)}
    report = look(shelf, platforms, AT + MINUTE)
    assert len(report.outcomes) == 3
    assert report.failed == {broken: "YouTube fails."}
    assert len(report.postponed) == 5
    assert platforms.asked.total() == 5
    assert {video.owner_id for video in platforms.seen} == {None, -7}
    assert [stored(shelf, each)[2] for each in targets] == [AT + 2 * MINUTE] * 5
    acknowledged(shelf, report)
    assert look(shelf, platforms, AT + MINUTE) == LookReport()
    # The longer it goes on, the longer it rests; nothing is given up over it.
    assert look(shelf, platforms, AT + 2 * GIVE_UP_AFTER).outcomes == []
    due = AT + 2 * GIVE_UP_AFTER + LONGEST_REST
    assert {stored(shelf, each)[2] for each in targets} == {due}
    platforms.answers.clear()
    assert len(look(shelf, platforms, due).outcomes) == 5


def test_one_video_that_fails_does_not_stop_its_account(shelf: Shelf, platforms: Platforms) -> None:
    account = shelf.account()
    for number in range(6):
        shelf.video(account, f"video-{number}", AT)
    platforms.answers |= {
        "video-0": ValueError("password=hunter2hunter2"),
        "video-2": DataError("It answers with nonsense."),
    }
    report = look(shelf, platforms, AT)
    assert len(report.outcomes) == 4
    assert len(report.postponed) == 2
    assert "hunter2" not in str(report)


def test_a_wait_is_for_the_whole_account(shelf: Shelf, platforms: Platforms) -> None:
    account, other = shelf.account(), shelf.account()
    targets = [shelf.video(account, f"video-{n}", AT) for n in range(4)]
    shelf.video(other, "other", AT)
    opens = AT + timedelta(hours=9)
    platforms.answers["video-0"] = MustWaitError("The quota is used up.", opens)
    report = look(shelf, platforms, AT)
    assert platforms.asked == {"video-0": 1, "other": 1}
    assert len(report.outcomes) == 1
    assert {stored(shelf, each)[2] for each in targets} == {opens}


def test_an_account_that_cannot_be_opened_says_why(shelf: Shelf, platforms: Platforms) -> None:
    account = shelf.account()
    target = shelf.video(account, "abc", AT)
    platforms.accounts[account] = UserActionError("It is inactive: connect it again.")
    assert look(shelf, platforms, AT).failed == {account: "It is inactive: connect it again."}
    assert stored(shelf, target) == (
        "processing",
        "It is inactive: connect it again.",
        AT + MINUTE,
    )
    del platforms.accounts[account]
    assert len(look(shelf, platforms, AT + MINUTE).outcomes) == 1


def test_a_slow_platform_is_left_behind_and_its_answer_kept(
    shelf: Shelf, platforms: Platforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing_looks, "GRACE_SECONDS", 0.0)
    slow, quick = shelf.account(), shelf.account()
    target = shelf.video(slow, "slow", AT - MINUTE)
    shelf.video(quick, "quick", AT)
    answering = threading.Event()

    def answer() -> Processing:
        answering.wait(PATIENCE)
        return READY

    platforms.answers["slow"] = answer
    report = look(shelf, platforms, AT, seconds=1.5)
    try:
        assert [each.url for each in report.outcomes] == [_url(platforms, "quick")]
        assert report.unfinished == [shelf.upload(target).id]
        assert look(shelf, platforms, AT + MINUTE).looked == []  # its lease holds
    finally:
        answering.set()
    wait_for(lambda: stored(shelf, target)[0] == "processed", seconds=PATIENCE, what="the answer")
    assert len(report.outcomes) == 1
    assert len(look(shelf, platforms, AT + ONCE_MORE).outcomes) == 2


def _url(platforms: Platforms, video_id: str) -> str:
    return next(each.url for each in platforms.seen if each.video_id == video_id)


def test_what_a_dead_tick_claimed_comes_up_again(shelf: Shelf, platforms: Platforms) -> None:
    target = shelf.video(shelf.account(), "abc", AT)
    shelf.change(target, next_look_at=AT + LEASE)
    assert look(shelf, platforms, AT + MINUTE).looked == []
    assert len(look(shelf, platforms, AT + LEASE).outcomes) == 1


def test_ticks_at_once_ask_once(shelf: Shelf, platforms: Platforms) -> None:
    for _ in range(4):
        account = shelf.account()
        for number in range(3):
            shelf.video(account, f"video-{account}-{number}", AT)
    start, reports = threading.Barrier(3), list[LookReport]()

    def tick() -> None:
        start.wait(PATIENCE)
        reports.append(look(shelf, platforms, AT))

    threads = [threading.Thread(target=tick) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(platforms.asked) == 12
    assert set(platforms.asked.values()) == {1}
    assert sum(len(report.outcomes) for report in reports) == 12


def test_an_answer_about_another_video_is_not_stored(shelf: Shelf, platforms: Platforms) -> None:
    target = shelf.video(shelf.account(), "abc", AT)

    def published_anew() -> Processing:
        shelf.change(target, video_id="xyz", looks=0)
        return READY

    platforms.answers["abc"] = published_anew
    report = look(shelf, platforms, AT)
    assert (report.looked, report.outcomes) == ([], [])
    assert stored(shelf, target)[0] == "processing"


def test_a_deleted_account_leaves_a_video_that_nobody_can_ask_about(
    shelf: Shelf, platforms: Platforms
) -> None:
    target = shelf.video(shelf.account(), "abc", AT)
    shelf.change(target, credential_id=None)
    (outcome,) = look(shelf, platforms, AT).outcomes
    assert (outcome.processed, outcome.note) == (False, NOBODY)
    assert platforms.asked.total() == 0
    acknowledge(shelf.bench.database, [(outcome.upload_id, outcome.looks)])
    assert stored(shelf, target) == ("processing", NOBODY, None)


def test_who_is_not_looked_at(shelf: Shelf, platforms: Platforms) -> None:
    account = shelf.account()
    shelf.video(account, "later", AT + MINUTE)
    shelf.video(account, "draft", AT, state="open")
    deleted = shelf.video(account, "deleted", AT)
    recording = shelf.recording(deleted)
    shelf.bench.set(recording, delete_state="soft_deleted")
    assert due_looks(shelf.bench.database, AT) == []
    shelf.bench.set(recording, delete_state="active")
    assert [each.video.video_id for each in due_looks(shelf.bench.database, AT)] == ["deleted"]
    shelf.bench.permit(is_active=False)
    assert due_looks(shelf.bench.database, AT) == []


def test_an_account_with_many_leaves_room_for_others(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processing_rows, "MOST_OF_AN_ACCOUNT", 3)
    many, few = shelf.account(), shelf.account()
    for number in range(5):
        shelf.video(many, f"many-{number}", AT - number * MINUTE)
    shelf.video(few, "few", AT)
    found = [each.video.video_id for each in due_looks(shelf.bench.database, AT)]
    assert found == ["many-4", "many-3", "many-2", "few"]
