"""`leap quota` and `leap plan`: what users may use, what they used, and what they have."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from leap_pipeline.commands.context import open_platform, print_json, say
from leap_pipeline.commands.steer import HERE
from leap_pipeline.commands.youtube_quota import youtube
from leap_pipeline.db.models.subscriptions import QuotaChange, SubscriptionPlan
from leap_pipeline.errors import InputError
from leap_pipeline.services.quotas import COLUMNS, Usage, history, usage_of
from leap_pipeline.services.subscriptions import (
    Change,
    assign_plan,
    changes,
    plans,
    set_overrides,
    set_pay_as_you_go,
)
from leap_pipeline.services.users import find_user

quota_app = typer.Typer(no_args_is_help=True, help="What users may use, and what they used.")
plan_app = typer.Typer(no_args_is_help=True, help="The plans, and who has which.")

User = Annotated[str, typer.Argument(help="E-mail address.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str | None, typer.Option(help="Why; it is kept in the history.")]
Notes = Annotated[str | None, typer.Option(help="Replaces the notes on the subscription.")]
Limit = Annotated[str | None, typer.Option(help="A number (0 = none), or `plan` for the plan's.")]
Day = Annotated[datetime | None, typer.Option(help="In UTC.")]

AS_THE_PLAN, NO_CEILING = "plan", "none"


@quota_app.callback()
def quota() -> None:
    """What users may use, and what they used."""


quota_app.command()(youtube)


@plan_app.callback()
def plan() -> None:
    """The plans, and who has which."""


@quota_app.command()
def show(user: User, *, as_json: Json = False) -> None:
    """Show a user's month against the limits, the months before, and the changes."""
    platform = open_platform()
    with platform.database.system() as session:
        user_id = find_user(session, user, active=False).id
        usage = usage_of(session, user_id, datetime.now(UTC))
        months = history(session, user_id)
        changed = changes(session, user_id)
    if as_json:
        document = {"user": user, **_document(usage)}
        document["history"] = [asdict(month) for month in months]
        document["changes"] = [_change(each) for each in changed]
        print_json(document)
        return
    for line in _lines(usage):
        say(line)


@quota_app.command("set")
def set_limits(
    user: User,
    *,
    recordings: Limit = None,
    storage_gb: Limit = None,
    concurrent_tasks: Limit = None,
    automation_jobs: Limit = None,
    min_interval_hours: Limit = None,
    pay_as_you_go: Annotated[bool | None, typer.Option(help="Recordings past the limit.")] = None,
    monthly_limit: Annotated[
        str | None, typer.Option(help="Dollars for them a month, or `none` for no ceiling.")
    ] = None,
    reason: Reason = None,
    notes: Notes = None,
    as_json: Json = False,
) -> None:
    """Give a user limits of their own, or pay-as-you-go."""
    said = {
        "recordings_per_month": recordings,
        "storage_gb": storage_gb,
        "concurrent_tasks": concurrent_tasks,
        "automation_jobs": automation_jobs,
        "min_interval_hours": min_interval_hours,
    }
    limits = {name: _limit(name, value) for name, value in said.items() if value is not None}
    if (pay_as_you_go is None) != (monthly_limit is None) and pay_as_you_go is not False:
        msg = "Pay-as-you-go needs both: --pay-as-you-go and --monthly-limit (dollars, or none)."
        raise InputError(msg)
    if not limits and pay_as_you_go is None:
        msg = "Nothing to set: name a limit, or --pay-as-you-go."
        raise InputError(msg)
    platform = open_platform()
    change = Change(HERE, datetime.now(UTC), reason, notes)
    with platform.database.system() as session:
        user_id = find_user(session, user, active=False).id
        if limits:
            set_overrides(session, user_id, limits, change=change)
        if pay_as_you_go is not None:
            money = _dollars(monthly_limit)
            set_pay_as_you_go(
                session, user_id, enabled=pay_as_you_go, monthly_limit=money, change=change
            )
        usage = usage_of(session, user_id, change.at)
    _tell(user, usage, as_json=as_json)


@plan_app.command("list")
def list_plans(*, as_json: Json = False) -> None:
    """List the plans; one that is not offered stays with who has it and can be assigned."""
    platform = open_platform()
    with platform.database.system() as session:
        found = [_plan(each) for each in plans(session)]
    if as_json:
        print_json({"plans": found})
        return
    for each in found:
        limits = ", ".join(
            f"{name.replace('_', ' ')} {value}"
            for name, value in each["limits"].items()
            if value is not None
        )
        offered = "" if each["offered"] else " (not offered)"
        say(f"{each['name']}{offered}: ${each['price_monthly']} a month; {limits or 'no limits'}")


@plan_app.command()
def assign(
    user: User,
    name: Annotated[str, typer.Argument(help="Of `leap plan list`.")],
    *,
    starts: Day = None,
    expires: Day = None,
    reason: Reason = None,
    notes: Notes = None,
    as_json: Json = False,
) -> None:
    """Give a user a plan, from now or from a day on, for ever or to a day."""
    platform = open_platform()
    change = Change(HERE, datetime.now(UTC), reason, notes)
    with platform.database.system() as session:
        user_id = find_user(session, user, active=False).id
        assign_plan(
            session,
            user_id,
            name,
            change=change,
            starts_at=_utc(starts),
            expires_at=_utc(expires),
        )
        usage = usage_of(session, user_id, change.at)
    _tell(user, usage, as_json=as_json)


def _limit(name: str, text: str) -> int | None:
    if text == AS_THE_PLAN:
        return None
    try:
        return int(text)
    except ValueError:
        msg = f"“{text}” cannot be the limit {name}: give a number, or `{AS_THE_PLAN}`."
        raise InputError(msg) from None


def _dollars(text: str | None) -> Decimal | None:
    if text is None or text == NO_CEILING:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite():
        msg = f"“{text}” is no amount of dollars: give one such as 5.00, or `{NO_CEILING}`."
        raise InputError(msg)
    return found


def _utc(day: datetime | None) -> datetime | None:
    return None if day is None else day.replace(tzinfo=UTC)


def _tell(user: str, usage: Usage, *, as_json: bool) -> None:
    if as_json:
        print_json({"user": user, **_document(usage)})
        return
    for line in _lines(usage):
        say(line)


def _document(usage: Usage) -> dict[str, Any]:
    given = usage.entitlement
    return {
        "plan": given.plan,
        "limits": asdict(given.limits),
        "pay_as_you_go": None if given.pay_as_you_go is None else asdict(given.pay_as_you_go),
        "used": asdict(usage.month),
        "recordings_forecast": usage.recordings_forecast,
        "resets_at": usage.resets_at.isoformat(),
    }


def _lines(usage: Usage) -> list[str]:
    given, month = usage.entitlement, usage.month
    limits = given.limits
    bought = given.pay_as_you_go
    paid = "off"
    if bought is not None:
        ceiling = "no ceiling" if bought.monthly_limit is None else f"${bought.monthly_limit}"
        paid = f"${bought.price} a recording, {ceiling} a month"
    recordings = f"{month.recordings} of {_shown(limits.recordings_per_month)}"
    jobs = f"{_shown(limits.automation_jobs)} jobs"
    hours = "any interval"
    if limits.min_interval_hours is not None:
        hours = f"{limits.min_interval_hours} hours apart or more"
    return [
        f"{given.plan} plan, {month.period}; counts begin anew at {usage.resets_at:%Y-%m-%d} UTC",
        f"recordings     {recordings} (at this pace {usage.recordings_forecast})",
        f"storage        {month.storage_gb} GB of {_shown(limits.storage_gb)}",
        f"task runs      {month.tasks}, {_shown(limits.concurrent_tasks)} at once",
        f"automation     {month.automation_runs} runs; {jobs}, {hours}",
        f"pay as you go  {paid}; {month.overage} recordings for ${month.cost}",
    ]


def _shown(limit: int | None) -> str:
    return "unlimited" if limit is None else str(limit)


def _plan(plan: SubscriptionPlan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "display_name": plan.display_name,
        "description": plan.description,
        "offered": plan.is_active,
        "limits": {field: getattr(plan, column) for field, (column, _) in COLUMNS.items()},
        "price_monthly": plan.price_monthly,
        "price_yearly": plan.price_yearly,
        "overage_price_per_unit": plan.overage_price_per_unit,
        "overage_unit_type": plan.overage_unit_type,
    }


def _change(change: QuotaChange) -> dict[str, Any]:
    return {
        "at": change.created_at.isoformat() if change.created_at else None,
        "change_type": change.change_type,
        "old_value": change.old_value,
        "new_value": change.new_value,
        "by": change.admin_user_id,
        "reason": change.reason,
    }
