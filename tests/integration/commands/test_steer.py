"""`leap cancel`, `hold`, `release`, `skip` and `unskip` on a real database."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from leap_pipeline.cli import app
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.urls import plain
from leap_pipeline.domain.planner import Asset
from leap_pipeline.errors import InputError, UserActionError
from tests.support.bench import Bench, make_bench


@pytest.fixture
def bench(
    database: Database, database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    monkeypatch.setenv("LEAP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LEAP_DATABASE_URL", plain(database_url))
    return make_bench(database, tmp_path / "storage")


def leap(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_hold_and_release(bench: Bench) -> None:
    number = bench.recording()
    said = leap("hold", number, "--reason", "the dean wants to see it first")
    assert said.startswith(f"Recording {number} is held (pause, hold ")
    leap("hold", number, "--reason", "no VK", "--kind", "approval", "--target", "vk")
    with pytest.raises(UserActionError, match="a pause: the dean wants to see it first"):
        leap("run", number)
    with pytest.raises(InputError, match="on YOUTUBE has no such hold to release"):
        leap("release", number, "--target", "youtube")
    assert leap("release", number, "--kind", "pause") == (
        "Released: pause, the dean wants to see it first\n"
    )
    assert leap("release", number) == "Released: approval on VK, no VK\n"
    with pytest.raises(InputError, match="has no such hold"):
        leap("release", number)
    with bench.database.system() as session:
        entries = session.execute(
            select(AuditEntry.actor, AuditEntry.action).order_by(AuditEntry.id)
        )
        steps = [(actor, action) for actor, action in entries if action.startswith("recording.")]
    assert steps == [("command line", f"recording.{each}") for each in ["hold", "hold"]] + [
        ("command line", f"recording.{each}") for each in ["release", "release"]
    ]


def test_cancel(bench: Bench) -> None:
    number = bench.recording()
    assert leap("cancel", number) == f"Recording {number}: nothing was running.\n"
    work = bench.start(number)
    work.begin(Asset.RAW_VIDEO)
    assert leap("cancel", number) == f"Recording {number}: cancelled run {work.run_id}.\n"
    work.close()
    assert bench.picture(number).status == "INITIALIZED"


def test_skip_and_unskip(bench: Bench) -> None:
    number = bench.recording()
    partition = f"{bench.slug:06}-{number}"
    assert leap("skip", partition, "--reason", "a rehearsal") == (
        f"Recording {number} is skipped: a rehearsal\n"
    )
    assert bench.picture(number).status == "SKIPPED"
    assert leap("unskip", number) == f"Recording {number} is wanted again.\n"
    assert leap("unskip", number) == f"Recording {number} was not skipped.\n"
    assert bench.picture(number).status == "INITIALIZED"


@pytest.mark.parametrize(
    "command", [["cancel"], ["hold", "--reason", "x"], ["release"], ["skip", "--reason", "x"]]
)
def test_an_unknown_recording_is_refused(bench: Bench, command: list[str]) -> None:
    with pytest.raises(InputError, match="There is no recording 4711"):
        leap(*command, 4711)
