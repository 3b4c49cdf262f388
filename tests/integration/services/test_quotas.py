"""Quotas on a real database: counts that hold under fire, money to the cent, months of UTC."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, update

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.runs import RecordingRun, StoredObject
from leap_pipeline.db.models.subscriptions import QuotaUsage, SubscriptionPlan, UserSubscription
from leap_pipeline.domain.quotas import GB
from leap_pipeline.domain.states import Stage
from leap_pipeline.errors import QuotaExceeded
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.claim import Token
from leap_pipeline.services.quotas import (
    count_automation_run,
    count_recording,
    count_task,
    effective_limits,
    history,
    lock_usage,
    refresh_storage,
    require_storage,
    usage_of,
)
from leap_pipeline.services.runs import request_run
from leap_pipeline.services.subscriptions import (
    Change,
    assign_plan,
    set_overrides,
    set_pay_as_you_go,
)
from leap_pipeline.services.users import add_user
from tests.support.at_once import race
from tests.support.bench import Bench, die, do

NOVEMBER_ENDS = datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def now() -> datetime:
    return datetime.now(UTC)


def plan(bench: Bench, name: str, at: datetime | None = None, **dates: Any) -> None:
    with bench.database.system() as session:
        change = Change(SYSTEM, at or now())
        assign_plan(session, bench.user_id, name, change=change, **dates)


def limit(bench: Bench, **limits: int | None) -> None:
    with bench.database.system() as session:
        set_overrides(session, bench.user_id, limits, change=Change(SYSTEM, now()))


def pay(bench: Bench, money: str | None, *, enabled: bool = True) -> None:
    with bench.database.system() as session:
        set_pay_as_you_go(
            session,
            bench.user_id,
            enabled=enabled,
            monthly_limit=None if money is None else Decimal(money),
            change=Change(SYSTEM, now()),
        )


def count(bench: Bench, at: datetime, times: int = 1) -> None:
    for _ in range(times):
        with bench.database.tenant(bench.user_id) as session:
            count_recording(session, bench.user_id, 1, at)


def store(bench: Bench, size: int, name: str = "a") -> None:
    with bench.database.tenant(bench.user_id) as session:
        session.add(StoredObject(user_id=bench.user_id, kind="raw", path=name, bytes=size))


def counts(bench: Bench, at: datetime | None = None) -> tuple[int, int, int]:
    """Recordings, tasks and automation runs of the month."""
    with bench.database.system() as session:
        month = usage_of(session, bench.user_id, at or now()).month
        return month.recordings, month.tasks, month.automation_runs


def _request(database: Database, recording_id: int) -> None:
    with database.system() as session:
        request_run(session, recording_id, requested_by="race")


def _count(database: Database, user_id: str) -> None:
    with database.tenant(user_id) as session:
        count_recording(session, user_id, 1, DECEMBER)


def test_of_twenty_processes_at_a_limit_of_ten_ten_come_through(bench: Bench) -> None:
    plan(bench, "Free")
    recordings = [bench.recording() for _ in range(20)]
    outcomes = Counter(race(bench.database, _request, recordings))
    assert outcomes == {"ok": 10, "QuotaExceeded": 10}
    assert counts(bench)[0] == 10
    with bench.database.system() as session:
        assert session.scalar(select(func.count()).select_from(RecordingRun)) == 10


def test_the_same_with_pay_as_you_go_and_a_month_already_begun(bench: Bench) -> None:
    plan(bench, "Plus")
    limit(bench, recordings_per_month=6)
    pay(bench, "0.80")
    count(bench, DECEMBER)
    outcomes = Counter(race(bench.database, _count, [bench.user_id] * 16))
    assert outcomes == {"ok": 9, "QuotaExceeded": 7}
    with bench.database.system() as session:
        month = usage_of(session, bench.user_id, DECEMBER).month
    assert (month.recordings, month.overage, month.cost) == (10, 4, Decimal("0.80"))


def test_a_recording_counts_at_its_first_launch_and_never_again(bench: Bench) -> None:
    recording = bench.recording()
    assert counts(bench) == (0, 0, 0)
    bench.request(recording)
    bench.request(recording)
    assert counts(bench) == (1, 0, 0)
    work = bench.start(recording)
    do(work)
    work.close()
    assert counts(bench) == (1, 1, 0)
    forced = bench.start(recording, force=Stage.EXTRACT_TOPICS)
    forced.close()
    bench.claim(recording).close()  # by hand
    assert counts(bench) == (1, 3, 0)


def test_a_run_counts_as_one_task_however_many_workers_it_takes(bench: Bench) -> None:
    recording = bench.recording()
    die(bench.start(recording))
    (launch,) = bench.reconcile().launches
    bench.claim(recording, Token(launch.run_id, launch.generation)).close()
    assert counts(bench) == (1, 1, 0)


def test_a_refused_run_leaves_everything_as_it_was(bench: Bench) -> None:
    recording = bench.recording()
    before = bench.picture(recording)
    limit(bench, recordings_per_month=0)
    with pytest.raises(QuotaExceeded, match="0 recordings a month are used up"):
        bench.request(recording)
    with pytest.raises(QuotaExceeded):
        bench.claim(recording)  # by hand, in Dagster
    assert bench.picture(recording) == before
    assert counts(bench) == (0, 0, 0)
    limit(bench, recordings_per_month=None)  # back to Enterprise, which has no limit
    assert bench.request(recording).run_id is not None


def test_what_was_counted_goes_on_when_the_limit_is_reached(bench: Bench) -> None:
    recording, next_one = bench.recording(), bench.recording()
    limit(bench, recordings_per_month=1)
    die(bench.start(recording))
    with pytest.raises(QuotaExceeded):
        bench.request(next_one)
    (launch,) = bench.reconcile().launches
    work = bench.claim(recording, Token(launch.run_id, launch.generation))
    do(work)
    work.close()
    assert bench.request(recording, force=Stage.TRIM).run_id is not None
    assert counts(bench)[0] == 1


def test_overage_is_charged_to_the_cent_and_stays_charged(bench: Bench) -> None:
    plan(bench, "Pro")
    limit(bench, recordings_per_month=2)
    count(bench, DECEMBER, 2)
    with pytest.raises(QuotaExceeded):
        count(bench, DECEMBER)
    with bench.database.system() as session:
        session.execute(
            update(SubscriptionPlan)
            .where(SubscriptionPlan.name == "Pro")
            .values(overage_price_per_unit=Decimal("0.3333"))
        )
    pay(bench, "1.00")
    count(bench, DECEMBER, 3)
    with pytest.raises(QuotaExceeded, match="and the 3 that pay-as-you-go may add"):
        count(bench, DECEMBER)
    pay(bench, None)  # no ceiling
    count(bench, DECEMBER, 3)
    pay(bench, None, enabled=False)
    limit(bench, recordings_per_month=100)
    with bench.database.system() as session:
        month = usage_of(session, bench.user_id, DECEMBER).month
        session.execute(
            update(SubscriptionPlan)
            .where(SubscriptionPlan.name == "Pro")
            .values(overage_price_per_unit=Decimal("0.2"))
        )
    assert (month.recordings, month.overage, month.cost) == (8, 6, Decimal("2.00"))


def test_a_new_month_begins_at_zero_with_the_storage_that_is_in_use(bench: Bench) -> None:
    limit(bench, recordings_per_month=2)
    store(bench, 3 * GB)
    count(bench, NOVEMBER_ENDS, 2)
    with pytest.raises(QuotaExceeded, match="2026-12-01 00:00 UTC"):
        count(bench, NOVEMBER_ENDS)
    store(bench, GB, "b")
    with bench.database.tenant(bench.user_id) as session:
        count_recording(session, bench.user_id, 1, DECEMBER)
        count_task(session, bench.user_id, DECEMBER)
        count_automation_run(session, bench.user_id, DECEMBER)
    with bench.database.system() as session:
        december, november = history(session, bench.user_id)
        assert usage_of(session, bench.user_id, DECEMBER).month == december
        coming = usage_of(session, bench.user_id, DECEMBER + timedelta(days=31))
    assert (november.period, november.recordings, november.storage_gb) == ("202611", 2, Decimal(3))
    assert (december.period, december.recordings, december.storage_gb) == ("202612", 1, Decimal(4))
    assert (december.tasks, december.automation_runs) == (1, 1)
    assert (coming.month.period, coming.month.recordings, coming.month.storage_gb) == (
        "202701",
        0,
        Decimal(4),
    )


@pytest.mark.parametrize(
    ("at", "dates", "counted"),
    [
        (DECEMBER, {"starts_at": DECEMBER}, True),
        (NOVEMBER_ENDS, {"starts_at": DECEMBER}, False),
        (NOVEMBER_ENDS, {"expires_at": DECEMBER}, True),
        (DECEMBER, {"expires_at": DECEMBER}, False),
    ],
)
def test_outside_of_its_dates_a_plan_gives_way_to_free(
    bench: Bench, at: datetime, dates: Mapping[str, datetime], *, counted: bool
) -> None:
    with bench.database.system() as session:
        pro = select(SubscriptionPlan.id).where(SubscriptionPlan.name == "Pro").scalar_subquery()
        session.execute(
            update(UserSubscription).values(
                plan_id=pro,
                custom_max_storage_gb=0,
                pay_as_you_go_enabled=True,
                **{"starts_at": datetime(2026, 1, 1, tzinfo=UTC), **dates},
            )
        )
        limits = effective_limits(session, bench.user_id, at)
        paid = usage_of(session, bench.user_id, at).entitlement.pay_as_you_go
    expected = (200, 0, True) if counted else (10, 5, False)
    assert (limits.recordings_per_month, limits.storage_gb, paid is not None) == expected


def test_a_user_without_a_subscription_is_on_free(bench: Bench) -> None:
    with bench.database.system() as session:
        session.delete(session.scalars(select(UserSubscription)).one())
    count(bench, DECEMBER, 10)
    with pytest.raises(QuotaExceeded, match="The Free plan's 10 recordings"):
        count(bench, DECEMBER)


def test_one_user_s_counts_are_not_another_s(bench: Bench) -> None:
    with bench.database.system() as session:
        other = add_user(session, "other@example.org").id
    plan(bench, "Free")
    count(bench, DECEMBER, 10)
    with bench.database.tenant(other) as session:
        count_recording(session, other, 1, DECEMBER)
    with bench.database.system() as session:
        assert usage_of(session, other, DECEMBER).month.recordings == 1
        assert usage_of(session, bench.user_id, DECEMBER).month.recordings == 10


def test_two_who_store_at_once_both_stand_in_the_sum(bench: Bench) -> None:
    waiting = threading.Event()
    count(bench, DECEMBER)  # the row is there

    def second() -> None:
        with bench.database.tenant(bench.user_id) as session:
            session.add(StoredObject(user_id=bench.user_id, kind="raw", path="b", bytes=GB))
            waiting.set()
            refresh_storage(session, bench.user_id, DECEMBER)

    with bench.database.tenant(bench.user_id) as session:
        lock_usage(session, bench.user_id, DECEMBER)
        other = threading.Thread(target=second)
        other.start()
        assert waiting.wait(10)
        session.add(StoredObject(user_id=bench.user_id, kind="raw", path="a", bytes=2 * GB))
        refresh_storage(session, bench.user_id, DECEMBER)
    other.join(10)
    with bench.database.system() as session:
        usage = session.scalars(select(QuotaUsage)).one()
    assert usage.storage_used_gb == Decimal("3.00")


def test_the_last_of_the_storage_is_given_once(bench: Bench) -> None:
    limit(bench, storage_gb=1)
    store(bench, GB - 100)
    with bench.database.tenant(bench.user_id) as session:
        require_storage(session, bench.user_id, 100, DECEMBER)
        with pytest.raises(QuotaExceeded, match="1 GB has no room left"):
            require_storage(session, bench.user_id, 101, DECEMBER)


def test_nothing_is_launched_when_the_storage_is_full(bench: Bench) -> None:
    recording = bench.recording()
    store(bench, 2 * GB)
    limit(bench, storage_gb=2)
    with pytest.raises(QuotaExceeded, match="storage of 2 GB has no room left"):
        bench.request(recording)
    assert bench.picture(recording).runs == ()
    limit(bench, storage_gb=3)
    assert bench.request(recording).run_id is not None


def test_what_a_run_stored_is_counted_when_it_ends(bench: Bench) -> None:
    recording = bench.recording()
    work = bench.start(recording)
    begun = do(work)
    assert begun
    with bench.database.tenant(bench.user_id) as session:
        session.execute(update(StoredObject).values(bytes=GB // 2))
    files = len(bench.stored(recording))
    work.close()
    with bench.database.system() as session:
        month = usage_of(session, bench.user_id, now()).month
    assert month.storage_gb == Decimal(files) / 2
