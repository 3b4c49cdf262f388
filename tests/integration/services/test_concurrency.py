"""How many pieces of work of one user may go on at once, and whose turn it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from leap_pipeline.db.models.subscriptions import UserSubscription
from leap_pipeline.domain.planner import Asset
from leap_pipeline.errors import QuotaExceeded
from leap_pipeline.services.concurrency import (
    concurrency_limits,
    may_start,
    owner_of,
    running_of,
    turn_of,
)
from leap_pipeline.services.quotas import effective_limits
from tests.support.bench import Bench, die


def subscribe(bench: Bench, **values: object) -> None:
    with bench.database.system() as session:
        session.execute(
            update(UserSubscription)
            .where(UserSubscription.user_id == bench.user_id)
            .values(**values)
        )


def startable(bench: Bench) -> bool:
    with bench.database.system() as session:
        return may_start(session, bench.user_id, datetime.now(UTC))


def test_limits_of_many_are_those_of_each(bench: Bench) -> None:
    now = datetime.now(UTC)
    changes: list[dict[str, object]] = [
        {},
        {"custom_max_concurrent_tasks": 0},
        {"custom_max_concurrent_tasks": 7},
        {"expires_at": now - timedelta(seconds=1), "starts_at": now - timedelta(days=1)},
        {"expires_at": None, "starts_at": now + timedelta(days=1)},
    ]
    for values in changes:
        subscribe(bench, **values)
        with bench.database.system() as session:
            both = concurrency_limits(session, [bench.user_id, "nobody"], now)
            alone = effective_limits(session, bench.user_id, now).concurrent_tasks
            free = effective_limits(session, "nobody", now).concurrent_tasks
        assert both == {bench.user_id: alone, "nobody": free}


def test_only_living_workers_count(bench: Bench) -> None:
    subscribe(bench, custom_max_concurrent_tasks=2)
    assert startable(bench)
    first, second = (bench.start(bench.recording()) for _ in range(2))
    assert not startable(bench)
    die(first)
    assert startable(bench)
    with bench.database.system() as session:
        assert running_of(session, bench.user_id) == 1
    second.begin(Asset.RAW_VIDEO)
    second.close()
    with bench.database.system() as session:
        assert running_of(session, bench.user_id) == 0


def test_a_plan_of_none_at_all_says_so(bench: Bench) -> None:
    subscribe(bench, custom_max_concurrent_tasks=0)
    with pytest.raises(QuotaExceeded, match="allows 0 recordings at once"):
        startable(bench)


def test_one_at_a_time_has_the_turn_of_a_user(bench: Bench) -> None:
    with bench.database.system() as mine:
        assert turn_of(mine, bench.user_id)
        with bench.database.system() as other:
            assert not turn_of(other, bench.user_id)
            assert turn_of(other, "somebody else")
    with bench.database.system() as later:
        assert turn_of(later, bench.user_id)


def test_who_owns_a_recording(bench: Bench) -> None:
    recording = bench.recording()
    with bench.database.system() as session:
        assert owner_of(session, recording) == bench.user_id
        assert owner_of(session, 10**9) is None
