"""What a plan allows, what more of it costs, and how a refusal is said.

A subscription counts from `starts_at` up to, and not including, `expires_at`. Outside of it the
Free plan applies as it is: overrides and pay-as-you-go belong to the subscription and rest too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

FREE = "Free"
PER_RECORDING = "recording"  # the one `overage_unit_type` that is sold
GB = 2**30
_CENT = Decimal("0.01")
_DAY = timedelta(days=1)


class ChangeType(StrEnum):
    """`quota_change_history.change_type`."""

    PLAN_UPGRADE = "plan_upgrade"
    PLAN_DOWNGRADE = "plan_downgrade"
    CUSTOM_QUOTA_OVERRIDE = "custom_quota_override"
    PAY_AS_YOU_GO_CHANGE = "pay_as_you_go_change"
    EXPIRY = "expiry"


@dataclass(frozen=True)
class Limits:
    """What a user may use; None = unlimited, and 0 is none at all."""

    recordings_per_month: int | None
    storage_gb: int | None
    concurrent_tasks: int | None
    automation_jobs: int | None
    min_interval_hours: int | None

    def overridden(self, own: Mapping[str, int | None]) -> Limits:
        """These limits with the user's own (by field name; None = not said) on top."""
        return replace(self, **{name: said for name, said in own.items() if said is not None})


@dataclass(frozen=True)
class PayAsYouGo:
    """Recordings past the limit: `price` dollars each, for `monthly_limit` dollars at most.

    A `monthly_limit` of None is no ceiling.
    """

    price: Decimal
    monthly_limit: Decimal | None

    @property
    def recordings(self) -> int | None:
        """How many a month's money buys; None = any number."""
        if self.monthly_limit is None or self.price <= 0:
            return None
        return int(self.monthly_limit // self.price)


@dataclass(frozen=True)
class Entitlement:
    """What a user has at one moment: the name of the plan, the limits, and what may be bought."""

    plan: str
    limits: Limits
    pay_as_you_go: PayAsYouGo | None = None

    @property
    def recordings_ceiling(self) -> int | None:
        """How many recordings a month can have, bought ones counted; None = any number."""
        included, bought = self.limits.recordings_per_month, self.pay_as_you_go
        if included is None or bought is None:
            return included
        return None if bought.recordings is None else included + bought.recordings

    def is_paid(self, number: int) -> bool:
        """Whether a month's recording of that number (from 1) is paid by itself."""
        included = self.limits.recordings_per_month
        return self.pay_as_you_go is not None and included is not None and number > included


def period_of(at: datetime) -> str:
    """`YYYYMM` in UTC."""
    return at.astimezone(UTC).strftime("%Y%m")


def month_start(at: datetime) -> datetime:
    """The first instant of the month in UTC."""
    return at.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(at: datetime) -> datetime:
    """The first instant of the next month in UTC, when counts begin at 0 again."""
    return month_start(month_start(at) + 32 * _DAY)


def to_cents(dollars: Decimal) -> Decimal:
    return dollars.quantize(_CENT, ROUND_HALF_UP)


def stored_gb(stored_bytes: int) -> Decimal:
    """GB (2^30 bytes) to two decimals, as `quota_usage.storage_used_gb` has them."""
    return (Decimal(stored_bytes) / GB).quantize(_CENT, ROUND_HALF_UP)


def forecast(count: int, at: datetime) -> int:
    """What a month's count comes to if it goes on as it did; its first day counts as whole."""
    begun = month_start(at)
    elapsed = max(at - begun, _DAY)
    return round(count * ((next_month(at) - begun) / elapsed))


def recordings_refusal(given: Entitlement, used: int, at: datetime) -> str | None:
    """Why not one more recording can be begun in this month; None where it can."""
    ceiling, included = given.recordings_ceiling, given.limits.recordings_per_month
    if ceiling is None or included is None or used < ceiling:
        return None
    bought = ceiling - included
    paid = f" and the {bought} that pay-as-you-go may add" if bought else ""
    return (
        f"The {given.plan} plan's {included} recordings a month{paid} are used up ({used} were "
        f"begun): the next can begin on {next_month(at):%Y-%m-%d %H:%M} UTC, or when an admin "
        "raises the limit."
    )


def storage_refusal(given: Entitlement, used: int, more: int) -> str | None:
    """Why `more` bytes cannot be stored beside the used ones; None where they can."""
    limit = given.limits.storage_gb
    if limit is None or used + more <= limit * GB:
        return None
    wanted = f"for {stored_gb(more)} GB more" if stored_gb(more) else "left"
    return (
        f"The {given.plan} plan's storage of {limit} GB has no room {wanted} ({stored_gb(used)} GB "
        "are used): it goes on when recordings are deleted for good, or when an admin raises the "
        "limit."
    )


def plan_change(old_order: int, new_order: int) -> ChangeType:
    """By `sort_order`; a plan of the same rank, such as a renewal, counts as an upgrade."""
    return ChangeType.PLAN_DOWNGRADE if new_order < old_order else ChangeType.PLAN_UPGRADE
