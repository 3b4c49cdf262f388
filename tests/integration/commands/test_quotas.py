"""`leap quota` and `leap plan` on a real database."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from leap_pipeline import cli
from leap_pipeline.db.engine import Database
from leap_pipeline.errors import InputError
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings

EMAIL = "ada@example.org"


@pytest.fixture(autouse=True)
def user(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAP_HOME", str(settings.home))
    monkeypatch.setenv("LEAP_DATABASE_URL", str(settings.database_url))
    with database.system() as session:
        add_user(session, EMAIL)


def leap(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def as_json(*arguments: str) -> Any:
    return json.loads(leap(*arguments, "--json"))


def test_a_plan_limits_and_pay_as_you_go_are_set_and_shown() -> None:
    assigned = as_json("plan", "assign", EMAIL, "plus", "--expires", "2099-01-01", "--reason", "x")
    assert assigned["limits"] == {
        "recordings_per_month": 50,
        "storage_gb": 25,
        "concurrent_tasks": 2,
        "automation_jobs": 3,
        "min_interval_hours": 12,
    }
    options = ["--recordings", "0", "--storage-gb", "7", "--pay-as-you-go", "--monthly-limit", "5"]
    found = as_json("quota", "set", EMAIL, *options)
    assert (found["limits"]["recordings_per_month"], found["limits"]["storage_gb"]) == (0, 7)
    assert found["pay_as_you_go"] == {"price": "0.2000", "monthly_limit": "5.00"}
    assert found["used"]["cost"] == "0.00"
    back = as_json("quota", "set", EMAIL, "--recordings", "plan", "--no-pay-as-you-go")
    assert (back["limits"]["recordings_per_month"], back["pay_as_you_go"]) == (50, None)
    shown = as_json("quota", "show", EMAIL)
    assert [each["change_type"] for each in shown["changes"]] == [
        "pay_as_you_go_change",
        "custom_quota_override",
        "pay_as_you_go_change",
        "custom_quota_override",
        "plan_upgrade",
    ]
    assert shown["changes"][-1]["reason"] == "x"
    assert "storage        0.00 GB of 7\n" in leap("quota", "show", EMAIL)


def test_all_plans_are_listed_and_who_is_offered_which() -> None:
    plans = {each["name"]: each for each in as_json("plan", "list")["plans"]}
    assert [name for name, plan in plans.items() if plan["offered"]] == ["Free", "Plus", "Pro"]
    assert plans["Enterprise"]["limits"]["recordings_per_month"] is None
    assert (
        "Enterprise (not offered): $0.00 a month; concurrent tasks 10, min interval hours 1\n"
    ) in leap("plan", "list")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["quota", "show", "nobody@example.org"], "no user nobody@example.org"),
        (["quota", "set", EMAIL], "Nothing to set"),
        (["quota", "set", EMAIL, "--recordings", "many"], "“many” cannot be the limit"),
        (["quota", "set", EMAIL, "--recordings", "-1"], "-1 cannot be the limit"),
        (["quota", "set", EMAIL, "--pay-as-you-go"], "needs both"),
        (["quota", "set", EMAIL, "--monthly-limit", "5"], "needs both"),
        (
            ["quota", "set", EMAIL, "--pay-as-you-go", "--monthly-limit", "nan"],
            "no amount of dollars",
        ),
        (
            ["quota", "set", EMAIL, "--pay-as-you-go", "--monthly-limit", "5"],
            "Free plan sells no recordings",
        ),
        (["plan", "assign", EMAIL, "Gold"], "there are Free, Plus, Pro, Enterprise"),
        (["plan", "assign", EMAIL, "Plus", "--expires", "2020-01-01"], "cannot end at"),
    ],
)
def test_what_cannot_be_set_is_refused_in_a_sentence(arguments: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        leap(*arguments)
