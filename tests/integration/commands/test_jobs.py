"""`leap jobs …` on a real database."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from leap_pipeline.commands.jobs import app
from leap_pipeline.db.engine import Database
from leap_pipeline.db.urls import plain
from leap_pipeline.domain.shapes.accounts import FiringCounts
from leap_pipeline.errors import AlreadyRunning, InputError, NotFound, QuotaExceeded
from leap_pipeline.services.firings import begin, finish
from tests.support.automation import Desk, make_desk

EMAIL = "owner@example.org"


@pytest.fixture
def desk(
    database: Database, database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Desk:
    monkeypatch.setenv("LEAP_DATABASE_URL", plain(database_url))
    monkeypatch.setenv("LEAP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "250")
    return make_desk(database, EMAIL)


def leap(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def said(*arguments: object) -> Any:
    return json.loads(leap(*arguments, "--json"))


def test_a_job_from_its_beginning_to_its_end(desk: Desk) -> None:
    told = leap("add", "nightly", "--user", EMAIL, "--cron", "0 2 * * mon-fri", "--timezone", "UTC")
    assert "“nightly” is scheduled: 0 2 * * mon-fri UTC, due next at" in told
    job = said("list")["jobs"][0]["id"]
    assert len(said("next", job, "-n", "7")["next"]) == 7
    assert leap("next", job).count("02:00:00 UTC") == 5
    assert "every 90 minutes" in leap("set", job, "--every", "90 minutes", "--description", "Often")
    row = desk.row(job)
    assert (row.interval_every, row.crontab_hour, row.description) == (90, None, "Often")
    assert "is switched off" in leap("disable", job)
    assert " off " in leap("list", "--user", EMAIL)
    due = datetime.fromisoformat(said("enable", job)["next"][0])
    assert (due - row.anchored_at).total_seconds() % 5400 == 0
    assert "is removed" in leap("remove", job)
    assert said("list") == {"jobs": []}


def test_a_firing_by_hand_waits_for_whoever_runs_it(desk: Desk) -> None:
    leap("add", "often", "--user", EMAIL, "--every", "1 hour", "--type", "process_recordings")
    job = desk.jobs()[0].id
    assert "begins when `leap up` runs" in leap("run", job, "--dry-run")
    with pytest.raises(AlreadyRunning):
        leap("run", job)
    firing = desk.firings()[0].id
    with desk.database.system() as session:
        begin(session, firing, "run")
        finish(session, firing, FiringCounts(planned=3), "Zoom is away.")
    shown = leap("history", job)
    assert "person, dry run" in shown
    assert "Zoom is away." in shown
    found = said("history", job)["firings"][0]
    assert (found["state"], found["counts"]["planned"]) == ("failed", 3)


def test_what_cannot_be_done_is_refused(desk: Desk) -> None:
    with pytest.raises(InputError, match="either"):
        leap("add", "x", "--user", EMAIL)
    with pytest.raises(InputError, match="either"):
        leap("add", "x", "--user", EMAIL, "--cron", "0 2 * * *", "--every", "1 hour")
    with pytest.raises(NotFound, match="leap jobs list"):
        leap("disable", 7)
    desk.plan("Plus")
    with pytest.raises(QuotaExceeded, match="12 h apart"):
        leap("add", "x", "--user", EMAIL, "--every", "1 hour")
    assert "is scheduled" in leap("add", "x", "--user", EMAIL, "--every", "1 hour", "--beyond-plan")
    job = desk.jobs()[0].id
    with pytest.raises(InputError, match="what is to be changed"):
        leap("set", job)
    with pytest.raises(InputError, match="crontab or at an interval"):
        leap("set", job, "--cron", "0 2 * * *", "--every", "1 hour")


def test_sources_templates_and_zones_can_be_taken_back(desk: Desk) -> None:
    def insert(into: str) -> int:
        return int(desk.sql(f"INSERT INTO {into} RETURNING id", user=desk.user_id)[0][0])

    source = insert("input_sources (user_id, name, source_type) VALUES (:user, 'Z', 'ZOOM')")
    rules = "(user_id, name, matching_rules) VALUES (:user, 'ML', '{}')"
    template = insert(f"recording_templates {rules}")
    given = ("--source", source, "--template", template, "--timezone", "Asia/Tashkent")
    leap("add", "x", "--user", EMAIL, "--cron", "0 2 * * *", *given)
    row = desk.jobs()[0]
    assert (row.source_ids, row.template_id, row.timezone) == ([source], template, "Asia/Tashkent")
    leap("set", row.id, "--all-sources", "--template", 0, "--timezone", "owner")
    row = desk.row(row.id)
    assert (row.source_ids, row.template_id, row.timezone) == ([], None, None)
