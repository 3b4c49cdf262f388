"""`leap templates …` on a real database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from leap_pipeline.commands.templates import app
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording
from leap_pipeline.db.models.templates import RecordingTemplate
from leap_pipeline.db.urls import plain
from leap_pipeline.errors import InputError, NotFound, UserActionError
from leap_pipeline.services.users import add_user


@pytest.fixture
def user(
    database: Database, database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> str:
    monkeypatch.setenv("LEAP_DATABASE_URL", plain(database_url))
    monkeypatch.setenv("LEAP_HOME", str(tmp_path / "home"))
    with database.system() as session:
        return add_user(session, "owner@example.org").id


def leap(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(each) for each in arguments])
    if result.exception is not None:
        raise result.exception
    return result.stdout


def insert(database: Database, *rows: Any) -> list[int]:
    with database.tenant(rows[0].user_id) as session:
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


def recording(user_id: str, name: str, **columns: Any) -> Recording:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return Recording(user_id=user_id, display_name=name, start_time=start, duration=1, **columns)


def template(user_id: str, name: str, rules: Any, **columns: Any) -> RecordingTemplate:
    return RecordingTemplate(user_id=user_id, name=name, matching_rules=rules, **columns)


def test_explain_names_the_winner_its_rule_and_why_not_the_others(
    database: Database, user: str
) -> None:
    seminars, lectures, everything = insert(
        database,
        template(user, "Seminars", {"keywords": ["семинар"], "patterns": ["("]}),
        template(user, "Lectures", {"patterns": ["^лекция \\d"]}),
        template(user, "Everything", {"patterns": [""], "keywords": ["лекция"]}),
    )
    (number,) = insert(database, recording(user, "Лекция 7"))
    unread = "`matching_rules.patterns[0]` cannot be searched: at character 1, “(” is not closed"
    assert leap("explain", number) == (
        f"“Лекция 7” goes to {lectures} “Lectures”.\n"
        f"    {seminars} “Seminars”: nothing hits of its keywords, patterns ({unread})\n"
        f"  → {lectures} “Lectures”: patterns[0] “^лекция \\d” hits “Лекция 7”\n"
        f"    {everything} “Everything”: keywords[0] “лекция” hits “Лекция”, but the older template"
        f" “Lectures” ({lectures}) wins\n"
        f"{seminars} “Seminars” has a rule that cannot be read: {unread}\n"
        "It has no template now, and keeps that until a rematch or a person changes it.\n"
    )
    document = json.loads(leap("explain", f"000001-{number}", "--json"))
    assert (document["winner"], document["template_id"]) == (lectures, None)
    verdict = document["explanation"]["verdicts"][1]
    assert (verdict["outcome"], verdict["hits"][0]["end"]) == ("wins", 8)


def test_explain_of_a_recording_that_no_template_takes(database: Database, user: str) -> None:
    (number,) = insert(database, recording(user, "Лекция 7"))
    assert leap("explain", number) == "“Лекция 7” goes to none.\n"
    with pytest.raises(InputError, match="There is no recording 999"):
        leap("explain", 999)


def test_rematch_and_its_dry_run_tell_the_same(database: Database, user: str) -> None:
    (lectures,) = insert(database, template(user, "Lectures", {"keywords": ["лекция"]}))
    names = [recording(user, f"Лекция {number}") for number in range(1, 24)]
    own = {"template_id": lectures, "is_mapped": True}
    ids = insert(database, *names, recording(user, "Семинар", **own), recording(user, "Матан"))
    told = leap("rematch", lectures, "--dry-run")
    assert told.startswith("“Lectures”: 23 would be mapped, 1 would be unmapped, 0 kept; 0 have")
    assert f"  + {ids[19]}  Лекция 20\n  + … 3 more\n  - {ids[23]}  Семинар\n" in told
    foreseen = json.loads(leap("rematch", lectures, "--dry-run", "--json"))
    with database.tenant(user) as session:
        assert session.scalars(select(Recording.id).where(Recording.is_mapped.is_(True))).all() == [
            ids[23]
        ]
    done = json.loads(leap("rematch", lectures, "--json"))
    assert done == {**foreseen, "dry_run": False}
    assert (done["mapped"], done["unmapped"], done["unmatched"]) == (ids[:23], [ids[23]], 1)
    assert leap("rematch", lectures) == (
        "“Lectures”: 0 mapped, 0 unmapped, 23 kept; 0 have another template, "
        "0 wait for an older one, 2 have none.\n"
    )


def test_a_template_that_cannot_be_rematched_is_a_sentence(database: Database, user: str) -> None:
    (draft,) = insert(database, template(user, "Later", {}, is_draft=True))
    for option in ("--dry-run", "--json"):
        with pytest.raises(UserActionError, match="“Later” is a draft and takes nothing"):
            leap("rematch", draft, option)
    with pytest.raises(NotFound, match="There is no template 999"):
        leap("rematch", 999)
