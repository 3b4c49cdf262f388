"""The border of `leap`: exit codes, and one sentence an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from leap_pipeline import cli
from leap_pipeline.commands import db
from leap_pipeline.settings import child_environment


def leap(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "leap_pipeline", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=child_environment(environment),
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "No such command 'nope'"),
        (["run"], "Missing argument 'recording'"),
        (["run", "1", "--force", "nope"], "'nope' is not one of"),
        (["status", "--nope"], "No such option: --nope"),
        (["db", "nope"], "No such command 'nope'"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_code_2(arguments: list[str], said: str) -> None:
    done = leap(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("leap: ")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_group_without_its_command_shows_its_help() -> None:
    done = leap("db")
    assert (done.returncode, done.stderr) == (2, "")
    assert "recreate" in done.stdout


def test_a_setting_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    done = leap("status", LEAP_HOME=str(tmp_path), LEAP_DAGSTER_PORT="abc")
    assert done.returncode == 1
    assert done.stderr.startswith("leap: LEAP_DAGSTER_PORT cannot be 'abc'")
    assert done.stderr.count("\n") == 1


def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    home = tmp_path / "file"
    home.touch()
    done = leap("demo", LEAP_HOME=str(home))
    assert (done.returncode, done.stderr) == (
        1,
        f"leap: {home} cannot be made (File exists): set LEAP_HOME to another folder.\n",
    )


def test_ctrl_c_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    history = next(
        each
        for each in db.app.registered_commands
        if each.callback is not None and each.callback.__name__ == "history"
    )
    monkeypatch.setattr(history, "name", "history")  # else named after its callback
    monkeypatch.setattr(history, "callback", interrupted)
    monkeypatch.setattr(sys, "argv", ["leap", "db", "history"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 130
