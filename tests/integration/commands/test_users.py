"""`leap user …` on a real database."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from leap_pipeline.commands import users
from leap_pipeline.commands.users import app
from leap_pipeline.db.urls import plain
from leap_pipeline.domain.permissions import Permission
from leap_pipeline.errors import InputError, UserActionError
from tests.support.accounts import ADA, PASSWORD, cheap_logins


@pytest.fixture(autouse=True)
def home(database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAP_DATABASE_URL", plain(database_url))
    monkeypatch.setenv("LEAP_HOME", str(tmp_path / "home"))


def leap_user(*arguments: str, typed: str = "") -> str:
    result = CliRunner().invoke(app, arguments, input=typed)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def as_json(*arguments: str, typed: str = "") -> Any:
    return json.loads(leap_user(*arguments, "--json", typed=typed))


def test_a_life_of_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    with cheap_logins(monkeypatch):
        admin = as_json("create-admin", "Boss@example.org", typed=f"{PASSWORD}\n")
        assert (admin["email"], admin["role"]) == ("boss@example.org", "admin")
        with pytest.raises(UserActionError, match="is the last active admin"):
            leap_user("disable", "boss@example.org")
        assert leap_user("add", ADA, "--name", "Ada [bold]").startswith(f"{ADA} is user 2 (")
        assert leap_user("set-role", ADA, "admin") == f"{ADA} has the role admin.\n"
        assert leap_user("set-role", "boss@example.org", "user").endswith("has the role user.\n")

        lacking = f"{ADA} lacks can_export_data, can_upload.\n"
        assert leap_user("revoke", ADA, "can_upload", "can_export_data") == lacking
        assert leap_user("grant", ADA, *Permission) == f"{ADA} lacks no permission.\n"

        assert not as_json("disable", "boss@example.org")["is_active"]
        assert as_json("enable", "boss@example.org")["is_active"]
        said = leap_user("password", ADA, typed=f"{PASSWORD}\n")
        assert said == f"{ADA} has a new password.\n"
        with pytest.raises(InputError, match="shorter than 10"):
            leap_user("password", ADA, typed="")

    listed = as_json("list")["users"]
    assert [(user["user_slug"], user["role"]) for user in listed] == [(1, "user"), (2, "admin")]
    assert "password" not in json.dumps(listed)
    shown = leap_user("list")
    assert "Ada [bold]" in shown
    assert "never" in shown


def test_whom_nobody_knows() -> None:
    with pytest.raises(InputError, match=r"There is no user nobody@example\.org"):
        leap_user("disable", "nobody@example.org")


def test_at_a_terminal_a_password_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter([PASSWORD, PASSWORD, PASSWORD, "something else"])
    monkeypatch.setattr(users, "getpass", lambda _prompt: next(typed))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    assert users._password() == PASSWORD
    with pytest.raises(InputError, match="The two passwords differ"):
        users._password()
