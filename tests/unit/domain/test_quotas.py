"""Limits, prices, months and the words of a refusal, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_pipeline.domain.quotas import (
    GB,
    ChangeType,
    Entitlement,
    Limits,
    PayAsYouGo,
    forecast,
    month_start,
    next_month,
    period_of,
    plan_change,
    recordings_refusal,
    storage_refusal,
    stored_gb,
)

PLUS = Limits(50, 25, 2, 3, 12)
UNLIMITED = Limits(None, None, None, None, None)
NOW = datetime(2026, 11, 22, 22, 0, tzinfo=UTC)
MONEY = st.decimals(0, 1000, places=2)


def test_an_override_of_zero_is_a_limit_and_none_is_the_plan() -> None:
    own = {"recordings_per_month": 0, "storage_gb": None, "automation_jobs": 7}
    assert PLUS.overridden(own) == Limits(0, 25, 2, 7, 12)
    assert UNLIMITED.overridden({"storage_gb": 0}).storage_gb == 0
    assert recordings_refusal(Entitlement("Plus", PLUS.overridden(own)), 0, NOW) is not None


@given(st.integers(0, 500), st.integers(0, 100), MONEY, st.decimals("0.0001", 5, places=4))
def test_the_month_s_money_is_never_overspent_and_never_left_over(
    used: int, included: int, money: Decimal, price: Decimal
) -> None:
    given = Entitlement("P", replace(PLUS, recordings_per_month=included), PayAsYouGo(price, money))
    bought = max(0, used + 1 - included)
    may = recordings_refusal(given, used, NOW) is None
    assert may == (bought == 0 or bought * price <= money)
    assert given.is_paid(used + 1) == (used + 1 > included)


@pytest.mark.parametrize(
    ("money", "price", "units"),
    [("5.00", "0.2000", 25), ("0.19", "0.2000", 0), ("0", "0.2", 0), (None, "0.2", None)],
)
def test_what_the_money_buys(money: str | None, price: str, units: int | None) -> None:
    limit = None if money is None else Decimal(money)
    assert PayAsYouGo(Decimal(price), limit).recordings == units


def test_without_a_limit_nothing_is_refused_and_nothing_is_paid() -> None:
    given = Entitlement("Enterprise", UNLIMITED, PayAsYouGo(Decimal("0.2"), Decimal(0)))
    assert recordings_refusal(given, 10**6, NOW) is None
    assert storage_refusal(given, 10**15, 10**15) is None
    assert not given.is_paid(10**6)


def test_a_refusal_says_what_how_much_and_until_when() -> None:
    said = recordings_refusal(Entitlement("Free", Limits(10, 5, 1, 0, None)), 10, NOW)
    assert said == (
        "The Free plan's 10 recordings a month are used up (10 were begun): the next can begin on "
        "2026-12-01 00:00 UTC, or when an admin raises the limit."
    )
    paid = Entitlement("Plus", PLUS, PayAsYouGo(Decimal("0.20"), Decimal("5.00")))
    assert recordings_refusal(paid, 74, NOW) is None
    assert "50 recordings a month and the 25 that pay-as-you-go may add" in str(
        recordings_refusal(paid, 75, NOW)
    )
    assert storage_refusal(Entitlement("Plus", PLUS), 24 * GB, GB) is None
    assert "25 GB has no room for 1.00 GB more (24.50 GB are used)" in str(
        storage_refusal(Entitlement("Plus", PLUS), 24 * GB + GB // 2, GB)
    )
    assert "no room left" in str(storage_refusal(Entitlement("Plus", PLUS), 25 * GB, 1))


@pytest.mark.parametrize(
    ("at", "period", "resets"),
    [
        ("2026-12-31T23:59:59.999999+00:00", "202612", "2027-01-01T00:00:00+00:00"),
        ("2027-01-01T00:00:00+00:00", "202701", "2027-02-01T00:00:00+00:00"),
        ("2027-01-01T02:59:00+03:00", "202612", "2027-01-01T00:00:00+00:00"),
        ("2028-02-29T12:00:00-11:00", "202802", "2028-03-01T00:00:00+00:00"),
        ("2028-02-29T14:00:00-11:00", "202803", "2028-04-01T00:00:00+00:00"),
    ],
)
def test_months_are_those_of_utc(at: str, period: str, resets: str) -> None:
    moment = datetime.fromisoformat(at)
    assert period_of(moment) == period
    assert next_month(moment) == datetime.fromisoformat(resets)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)), st.integers(-14, 14))  # noqa: DTZ001
def test_a_month_begins_before_and_ends_after_each_of_its_moments(
    naive: datetime, hours: int
) -> None:
    at = naive.replace(tzinfo=timezone(timedelta(hours=hours)))
    assert month_start(at) <= at < next_month(at)
    assert period_of(next_month(at) - timedelta(microseconds=1)) == period_of(at)
    assert period_of(next_month(at)) > period_of(at)


def test_a_forecast_goes_on_as_the_month_began() -> None:
    assert forecast(10, datetime(2026, 11, 16, tzinfo=UTC)) == 20
    assert forecast(3, datetime(2026, 11, 1, 0, 5, tzinfo=UTC)) == 90  # not thousands
    assert forecast(0, NOW) == 0


def test_gigabytes_are_of_two_to_the_thirty() -> None:
    assert stored_gb(5 * GB) == Decimal("5.00")
    assert stored_gb(GB // 200 + 1) == Decimal("0.01")


def test_changes_of_plan_go_by_rank() -> None:
    assert plan_change(1, 3) is ChangeType.PLAN_UPGRADE
    assert plan_change(3, 2) is ChangeType.PLAN_DOWNGRADE
    assert plan_change(2, 2) is ChangeType.PLAN_UPGRADE
