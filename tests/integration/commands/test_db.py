"""`leap db …` on a real database."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from leap_pipeline.commands.db import app
from leap_pipeline.db import migrate
from leap_pipeline.db.row_security import gaps
from leap_pipeline.db.urls import connect, plain
from leap_pipeline.errors import UserActionError
from tests.support import rows
from tests.support.postgres import urls_of


@pytest.fixture
def url(database_url: URL, monkeypatch: pytest.MonkeyPatch) -> URL:
    monkeypatch.setenv("LEAP_DATABASE_URL", plain(database_url))
    return database_url


def leap_db(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def as_json(*arguments: str) -> Any:
    return json.loads(leap_db(*arguments, "--json"))


HEAD = migrate.head()


def test_up_and_down(url: URL) -> None:
    previous = migrate.history()[-1].previous
    assert leap_db("current") == f"{HEAD} (head)\n"
    assert leap_db("downgrade") == f"{previous} (head is {HEAD})\n"
    assert leap_db("downgrade", "010") == f"010 (head is {HEAD})\n"
    assert as_json("downgrade", "-2") == {"revision": "008", "head": HEAD, "is_head": False}
    assert leap_db("upgrade", "009") == f"009 (head is {HEAD})\n"
    assert as_json("upgrade")["is_head"]
    assert [one["revision"] for one in as_json("history")] == [one.id for one in migrate.history()]


def test_downgrade_deletes_rows_only_with_yes(url: URL) -> None:
    with migrate.connected(url) as connection:
        rows.insert(connection, rows.STATEMENTS, rows.BEYOND)
    with pytest.raises(UserActionError, match="--yes"):
        leap_db("downgrade", "010")
    assert leap_db("downgrade", "010", "--yes") == f"010 (head is {HEAD})\n"


def test_url_opens_the_database(url: URL) -> None:
    address = leap_db("url").strip()
    assert (address, as_json("url")) == (plain(url), {"url": plain(url)})
    assert address.startswith("postgresql://")


def test_walls_that_fell_are_told_and_put_up_again(url: URL) -> None:
    with connect(url) as connection:
        connection.execute("DROP POLICY leap_app_select ON recordings")
        connection.execute("ALTER TABLE users DISABLE ROW LEVEL SECURITY")
        connection.execute("GRANT ALL ON login_attempts TO leap_app")
        assert gaps(connection) == [
            "users has no row security that holds for its owner too",
            "recordings lacks the policies leap_app_select",
        ]
        assert leap_db("protect").endswith("tables are protected\n")
        assert gaps(connection) == []
        right = "SELECT has_table_privilege('leap_app', 'login_attempts', 'SELECT')"
        assert connection.execute(right).fetchone() == (False,)
        connection.execute("CREATE TABLE stray (id INT)")
        with pytest.raises(UserActionError, match="stray is a table without tenancy"):
            leap_db("protect")


def test_recreate_asks_and_then_leaves_nothing(url: URL) -> None:
    with migrate.connected(url) as connection:
        rows.insert(connection, rows.STATEMENTS)
    with pytest.raises(UserActionError, match="--yes"):
        leap_db("recreate")
    with connect(url) as still_connected:
        dropped = as_json("recreate", "--yes")
        assert dropped == {"dropped": [url.database], "revision": HEAD}
        assert still_connected.info.dbname == url.database
    with connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
    assert migrate.is_current(urls_of(url))
    assert as_json("recreate", "--yes")["dropped"] == [url.database, f"{url.database}_dagster"]
