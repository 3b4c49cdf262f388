"""`leap source …` on a real database, against a Zoom over a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from leap_pipeline.commands.credentials import app as credentials
from leap_pipeline.commands.sources import app
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import plain
from leap_pipeline.errors import InputError, NotFound
from leap_pipeline.services.users import add_user
from tests.support.zoom.clock import wall_clock
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.serve import serving

ADA = "ada@example.org"


@pytest.fixture
def zoom(
    database: Database, database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeZoom]:
    fake = FakeZoom(wall_clock)
    with serving(fake) as served:
        monkeypatch.setenv("LEAP_DATABASE_URL", plain(database_url))
        monkeypatch.setenv("LEAP_HOME", str(tmp_path))
        monkeypatch.setenv("LEAP_ZOOM_API_URL", served.api)
        monkeypatch.setenv("LEAP_ZOOM_OAUTH_URL", served.oauth)
        with database.system() as session:
            add_user(session, ADA)
        yield fake


def leap(*arguments: object, group: Any = app, typed: str = "") -> str:
    result = CliRunner().invoke(group, [str(each) for each in arguments], input=typed)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.stdout


def as_json(*arguments: object) -> Any:
    return json.loads(leap(*arguments, "--json"))


def test_a_life_of_a_source(zoom: FakeZoom) -> None:
    account = zoom.add_account()
    start = datetime.now(UTC) - timedelta(hours=3)
    for topic, minutes in (("Algebra", 90), ("Hello?", 3)):
        host = zoom.owner(account)
        zoom.add_recording(host, topic=topic, start=start, duration=minutes)
    app_of = account.app
    secret = {
        "account_id": app_of.account_id,
        "client_id": app_of.client_id,
        "client_secret": app_of.client_secret,
    }
    leap("add", "zoom", "--user", ADA, group=credentials, typed=json.dumps(secret))
    with pytest.raises(InputError, match="poll_interval_minute"):
        leap("add", "School", "--user", ADA, "--credential", 1, "--config", '{"poll_every": 5}')
    with pytest.raises(InputError, match="no JSON"):
        leap("add", "School", "--user", ADA, "--credential", 1, "--config", "{")
    config = '{"skip_unmatched": true}'
    added = as_json("add", "School", "--user", ADA, "--credential", 1, "--config", config)
    number = added["id"]
    assert "read the recordings of all people of its account" in leap("test", number)
    foreseen = as_json("sync", number, "--dry-run")
    assert foreseen == {**foreseen, "found": 2, "new": 2, "blank": 1, "dry_run": True}
    (listed,) = as_json("list")["sources"]
    assert (listed["last_sync_at"], listed["last_result"]) == (None, None)
    said = leap("sync", number)
    assert said.startswith("Found 2: 2 new, 0 updated; 0 have a template, 2 have none, 1 blank")
    (listed,) = as_json("list", "--user", ADA)["sources"]
    assert (listed["failures"], listed["last_result"]["found"]) == (0, 2)
    account.app.client_secret = "another one now"
    assert as_json("test", number)["works"] is False
    assert app_of.client_id not in leap("list")


def test_what_is_no_source(zoom: FakeZoom) -> None:
    assert zoom.ledger.entries == []
    for command in ("sync", "test"):
        with pytest.raises(NotFound, match="no source 7"):
            leap(command, 7)
