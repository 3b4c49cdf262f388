"""Users, their subscriptions and what they used. Pure: a row there is the values of a row here."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from leap_pipeline.adoption.documents import fitted
from leap_pipeline.adoption.outcome import Leave, Notes, Row
from leap_pipeline.domain.permissions import Permission, Role
from leap_pipeline.domain.quotas import GB, ChangeType, plan_change

# The formats that `security.passwords` accepts; no hash begins with “!”, so nothing matches it.
PASSWORD_FORMATS = ("$2a$", "$2b$", "$2y$", "$argon2", "$pbkdf2-sha256$", "pbkdf2_sha256$")
NO_PASSWORD = "!"  # noqa: S105
Values = dict[str, Any]


def user(row: Row, slug: int, taken_addresses: set[str], notes: Notes) -> Values:
    """A user; `taken_addresses`, in lower case, are those that there are already."""
    values = {
        name: row[name]
        for name in (
            "id",
            "full_name",
            "is_active",
            "is_verified",
            "created_at",
            "updated_at",
            "last_login_at",
            *Permission,
        )
    }
    email = _address(row["email"], taken_addresses, notes)
    if email != row["email"].lower():
        values["is_active"] = False
    taken_addresses.add(email)
    if slug != row["user_slug"]:
        notes.say("another storage folder", f"number {row['user_slug']} was taken, now {slug}")
    return values | {
        "user_slug": slug,
        "email": email,
        "hashed_password": _password(row["hashed_password"], notes),
        "role": _role(row["role"], notes),
        "timezone": timezone(row["timezone"], notes),
    }


def timezone(name: str | None, notes: Notes) -> str:
    if name in zoneinfo.available_timezones():
        return str(name)
    notes.say("time zone is UTC", f"“{name}” is none")
    return "UTC"


def _address(email: str, taken: set[str], notes: Notes) -> str:
    lower = email.strip().lower()
    if lower != email:
        notes.say("address in lower case", "any case logs in")
    if lower not in taken:
        return lower
    name, _, host = lower.partition("@")
    number = next(each for each in range(2, 10_000) if f"{name}+{each}@{host}" not in taken)
    found = f"{name}+{number}@{host}"
    notes.say("switched off under another address", f"{lower} is taken, so it is {found}")
    return found


def _password(hashed: str, notes: Notes) -> str:
    if hashed.startswith(PASSWORD_FORMATS):
        return hashed
    notes.say("no password", "its hash is of a format that nobody reads: set a new one")
    return NO_PASSWORD


def _role(role: str, notes: Notes) -> str:
    if role in tuple(Role):
        return role
    notes.say("role is user", f"“{role}” is none")
    return Role.USER


@dataclass(frozen=True)
class Plan:
    """A plan there, and the one that stands for it here."""

    new_id: int
    name: str
    sort_order: int


PLAN_NUMBERS = (
    "included_recordings_per_month",
    "included_storage_gb",
    "max_concurrent_tasks",
    "max_automation_jobs",
    "min_automation_interval_hours",
    "price_monthly",
    "price_yearly",
    "overage_price_per_unit",
    "overage_unit_type",
)


def merged_plan(row: Row, ours: Mapping[str, Any], notes: Notes) -> None:
    """Say what a plan of the same name does otherwise here."""
    for name in PLAN_NUMBERS:
        there, here = row[name], ours[name]
        if there != here:
            notes.say(f"{name} is that of LEAP's plan", f"{_said(here)}, was {_said(there)}")


def new_plan(row: Row, notes: Notes) -> Values:
    """A plan that LEAP has none for: not offered, and kept by who has it."""
    notes.say("not offered", "LEAP has no plan of this name; who has it keeps it")
    same = ("name", "display_name", "description", "sort_order", "created_at", "updated_at")
    return {name: row[name] for name in (*same, *PLAN_NUMBERS)} | {"is_active": False}


def _said(value: object) -> str:
    return "no limit" if value is None else str(value)


def subscription(
    row: Row, plans: Mapping[int, Plan], users: frozenset[str], notes: Notes
) -> Values:
    same = [name for name in row if name.startswith(("custom_", "pay_as_you_go_"))]
    times = ("starts_at", "expires_at", "created_at", "updated_at")
    values = {name: row[name] for name in (*same, *times, "user_id", "notes")}
    for name in ("created_by", "modified_by"):
        values[name] = _author(row[name], users, name, notes)
    return values | {"plan_id": plans[row["plan_id"]].new_id}


def _author(user_id: str | None, users: frozenset[str], column: str, notes: Notes) -> str | None:
    if user_id is None or user_id in users:
        return user_id
    notes.say(f"{column} is empty", "that user is not here")
    return None


def usage(rows: list[Row], notes: Notes) -> Values:
    """One month's use; of several rows the counts are added, of storage the most counts."""
    first = rows[0]
    if len(rows) > 1:
        keys = ", ".join(str(row["id"]) for row in rows)
        notes.say("one row a month", f"rows {keys}: counts added, the most of storage")
    return {
        "user_id": first["user_id"],
        "period": period(first["period"]),
        "recordings_count": sum(row["recordings_count"] for row in rows),
        "storage_used_gb": _gigabytes(max(row["storage_bytes"] for row in rows)),
        "last_updated_at": max(row["updated_at"] for row in rows),
    }


def period(number: int) -> str:
    """202602 is "202602"; raises Leave for what is no month."""
    if not (190_001 <= number <= 999_912 and 1 <= number % 100 <= 12):
        msg = f"{number} is no month"
        raise Leave(msg)
    return f"{number:06d}"


def _gigabytes(size: int) -> Decimal:
    return (Decimal(size) / GB).quantize(Decimal("0.01"))


def quota_change(
    row: Row, plans: Mapping[int, Plan], users: frozenset[str], notes: Notes
) -> Values:
    """A line of the history; the old platform had the plans in columns and the rest in one JSON."""
    old, new = plans.get(row["old_plan_id"] or 0), plans.get(row["new_plan_id"] or 0)
    values: tuple[Values | None, Values | None]
    if new is not None:
        before = old.sort_order if old is not None else 0
        kind = str(plan_change(before, new.sort_order))
        values = ({"plan": old.name} if old else None, {"plan": new.name})
    else:
        kind = str(ChangeType.CUSTOM_QUOTA_OVERRIDE)
        values = _overrides(row["changes"])
    if kind != row["change_type"]:
        notes.say("change_type", f"{row['change_type']} is {kind}")
    reasons = [row["notes"], _reason(row["changes"], notes, plan=new is not None)]
    return {
        "user_id": row["user_id"],
        "admin_user_id": _author(row["changed_by"], users, "admin_user_id", notes),
        "change_type": kind,
        "old_value": fitted("quota_change_history", "old_value", values[0], notes, kind=kind),
        "new_value": fitted("quota_change_history", "new_value", values[1], notes, kind=kind),
        "reason": "; ".join(each for each in reasons if each) or None,
        "created_at": row["created_at"],
    }


def _overrides(changes: Any) -> tuple[Values | None, Values | None]:
    """`{"custom_max_storage_gb": {"old": 5, "new": 500}}` is a value before and one after."""
    pairs = {
        name: said
        for name, said in (changes.items() if isinstance(changes, Mapping) else ())
        if isinstance(said, Mapping) and {"old", "new"} & set(said)
    }
    before = {name: said.get("old") for name, said in pairs.items()}
    return before or None, {name: said.get("new") for name, said in pairs.items()} or None


def _reason(changes: Any, notes: Notes, *, plan: bool) -> str | None:
    if not isinstance(changes, Mapping):
        return None
    for key, value in changes.items():
        has_place = not plan and isinstance(value, Mapping)
        if key != "reason" and not has_place:
            notes.say(f"`changes.{key}` was left out", "LEAP has no place for it")
    reason = changes.get("reason")
    return reason if isinstance(reason, str) else None
