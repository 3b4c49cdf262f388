"""`leap quota youtube` on a real database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leap_pipeline import cli
from leap_pipeline.db.engine import Database
from leap_pipeline.publishing.youtube.quota import QuotaCall
from leap_pipeline.security.keys import ensure_keys
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.youtube_quota import YouTubeQuota
from leap_pipeline.settings import Settings
from tests.support.bench import make_bench
from tests.support.published import CLIENT, Shelf

PROJECT = "407408718192"
NOON = datetime(2026, 11, 23, 20, tzinfo=UTC)  # 12:00 Pacific


def leap(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, arguments)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_what_is_left_and_when_the_rest_fits(
    settings: Settings, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAP_HOME", str(settings.home))
    monkeypatch.setenv("LEAP_DATABASE_URL", str(settings.database_url))
    monkeypatch.setenv("LEAP_GOOGLE_CLIENT_ID", CLIENT)
    settings.home.mkdir(exist_ok=True)
    ensure_keys(settings)
    assert leap("quota", "youtube").startswith("No YouTube account is connected")

    monkeypatch.setattr("leap_pipeline.commands.youtube_quota.datetime", _Fixed(NOON))
    vault = load_vault(settings)
    shelf = Shelf(make_bench(database, tmp_path / "storage"), vault)
    shelf.target(shelf.account())
    shelf.account(client_id="an-app", project_id="lectures")
    lectures = f"{shelf.bench.user_id}:lectures"
    mine = YouTubeQuota(database, vault, PROJECT, clock=lambda: NOON)
    mine.spend(QuotaCall.VIDEO_INSERT)
    mine.refused(QuotaCall.CAPTIONS_INSERT)

    shown = json.loads(leap("quota", "youtube", "--json"))["projects"]
    found = {each["project"]: each for each in shown}
    assert set(found) == {PROJECT, lectures}
    assert found[lectures]["waits"] == {}
    assert found[PROJECT]["buckets"]["inserts"] == {
        "limit": 100,
        "spent": 1,
        "left": 99,
        "closed_until": None,
    }
    assert found[PROJECT]["buckets"]["units"]["left"] == 0
    assert found[PROJECT]["waits"]["video"] == {"count": 1, "days": {"2026-11-23": 1}}

    lines = leap("quota", "youtube").splitlines()
    assert lines[0].startswith(f"project {PROJECT}, 2026-11-23 in California; all comes back at ")
    assert lines[1] == "inserts        1 of 100 spent, 99 left"
    assert "0 of 10000 spent; YouTube gives no more until" in lines[2]
    assert lines[3] == "video          1 to do: 1 today"
    assert "captions       1 to do: 1 on 2026-11-24" in lines


class _Fixed:
    """A clock that stands still, where the module asks for the time."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self, _zone: object) -> datetime:
        return self._now
