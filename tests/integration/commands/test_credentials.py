"""`leap credentials …` and what `leap doctor` says of the keys, on a real database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlalchemy import select, text
from sqlalchemy.engine import URL
from typer.testing import CliRunner

from leap_pipeline.commands import doctor
from leap_pipeline.commands.connect import disconnect as disconnecting
from leap_pipeline.commands.credentials import app
from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.db.urls import plain
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.security.keys import FILE, KeyFile, new_key
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import load_settings
from leap_pipeline.supervisor.status import SupervisorStatus

ADA = "ada@example.org"
own = typer.Typer()
own.command()(disconnecting)
ZOOM = {"account_id": "acc", "client_id": "app", "client_secret": "canary-0123456789-abcdef"}


@pytest.fixture(autouse=True)
def keys(
    database: Database, database_url: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> KeyFile:
    monkeypatch.setenv("LEAP_DATABASE_URL", plain(database_url))
    monkeypatch.setenv("LEAP_HOME", str(tmp_path))
    with database.system() as session:
        add_user(session, ADA)
    return KeyFile(tmp_path / FILE)


def leap(*arguments: str, typed: str = "") -> str:
    result = CliRunner().invoke(app, arguments, input=typed)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def as_json(*arguments: str, typed: str = "") -> Any:
    return json.loads(leap(*arguments, "--json", typed=typed))


def finding() -> tuple[str, str]:
    look = dict(doctor.LOOKS)["encryption keys"]
    found = look(load_settings())
    return found.found, found.mend


def test_a_life_of_an_account(keys: KeyFile) -> None:
    typed = json.dumps(ZOOM)
    said = leap("add", "zoom", "--user", ADA, typed=typed)
    assert said == "The zoom account “acc” is stored as 1.\n"
    named = as_json("add", "zoom", "--user", ADA, "--name", "second", typed=typed)
    assert (named["id"], named["account_name"]) == (2, "second")
    with pytest.raises(InputError, match="“acc” already"):
        leap("add", "zoom", "--user", ADA, typed=typed)
    listed = as_json("list", "--user", ADA)["credentials"]
    assert listed == as_json("list")["credentials"]
    assert [(each["user"], each["account_name"]) for each in listed] == [
        (ADA, "acc"), (ADA, "second")
    ]  # fmt: skip
    assert listed[0]["details"]["client_secret"] == "…cdef"

    (first,) = keys.read()
    done = as_json("rotate")
    assert (done["made_key"], done["reencrypted"], done["keys"]) == (True, 2, 2)
    done = as_json("rotate", "--retire")
    assert (done["retired"], done["keys"]) == (1, 1)
    assert first not in keys.read()
    assert "Secrets encrypted anew: 2 of 2." in leap("rotate")
    assert f"Older keys taken out of {keys.path}: 1." in leap("rotate", "--retire")

    assert leap("remove", "1") == "The zoom account “acc” is removed.\n"
    with pytest.raises(InputError, match="no credential 1"):
        leap("remove", "1")
    assert [each["id"] for each in as_json("list")["credentials"]] == [2]


def test_an_account_is_disconnected(database: Database) -> None:
    made = as_json("add", "zoom", "--user", ADA, typed=json.dumps(ZOOM))
    with database.system() as session:
        owner = session.scalars(select(UserCredential.user_id)).one()
    with database.tenant(owner) as session:
        session.add(
            InputSource(
                user_id=owner,
                name="Faculty",
                source_type="ZOOM",
                credential_id=made["id"],
            )
        )

    def disconnect(*arguments: str) -> str:
        result = CliRunner().invoke(own, [str(made["id"]), *arguments])
        if result.exception is not None:
            raise result.exception
        return result.stdout

    with pytest.raises(UserActionError, match="account “acc” is used by the source “Faculty”"):
        disconnect()
    assert disconnect("--force") == (
        "The zoom account “acc” is removed; at zoom nothing changed, so end what was granted in "
        "the settings there. Until now it was used by the source “Faculty”.\n"
    )
    with database.system() as session:
        assert session.scalars(select(InputSource.credential_id)).one() is None
    with pytest.raises(InputError, match=f"no credential {made['id']}: `leap credentials list`"):
        disconnect()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("", r"no JSON \(line 1, column 1\)"),
        ("{'a': 1}", r"no JSON \(line 1, column 2\)"),
        ("[1]", "no JSON object"),
        ('{"account_id": "acc"}', r"credential\.client_id` is missing"),
    ],
)
def test_a_wrong_document_is_one_sentence(typed: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        leap("add", "zoom", "--user", ADA, typed=typed)
    assert as_json("list")["credentials"] == []


def test_the_environment_has_keys_of_its_own(
    keys: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (leap("new-key").strip() for _ in range(2))
    monkeypatch.setenv("LEAP_ENCRYPTION_KEYS", old)
    leap("add", "zoom", "--user", ADA, typed=json.dumps(ZOOM))
    assert finding()[1] == ""
    with pytest.raises(UserActionError, match="new-key"):
        leap("rotate")
    monkeypatch.setenv("LEAP_ENCRYPTION_KEYS", f"{new},{old}")
    assert "1 credentials need an older key" in finding()[1]
    assert "Take all but the first key out of LEAP_ENCRYPTION_KEYS" in leap("rotate")
    monkeypatch.setenv("LEAP_ENCRYPTION_KEYS", new)
    assert as_json("list")["credentials"][0]["details"]["client_id"] == "app"
    assert not keys.path.exists()


def test_doctor_says_what_is_lost_with_the_key(keys: KeyFile) -> None:
    assert finding() == (f"no {keys.path} yet", "")
    assert not keys.path.exists()
    leap("add", "zoom", "--user", ADA, typed=json.dumps(ZOOM))
    found, mend = finding()
    assert (found.startswith(str(keys.path)), mend) == (True, "")
    assert "who loses it loses every stored credential" in found

    keys.path.chmod(0o644)
    assert "chmod 600" in finding()[1]
    keys.path.chmod(0o600)
    keys.write((new_key(),))
    assert finding()[1].startswith("1 of 1 credentials cannot be decrypted (1): put back the key")
    keys.path.unlink()
    assert finding()[1].startswith("1 stored credentials cannot be read without it")
    assert not keys.path.exists()


def test_doctor_says_for_whom_webhooks_are_set_up(
    keys: KeyFile, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = dict(doctor.LOOKS)["webhooks"]
    assert look(load_settings()).found.startswith("not set up")
    assert not keys.path.exists()
    for name, secret in (
        ("with", {"webhook_secret": "canary-0123456789-webhook"}),
        ("without", {}),
    ):
        typed = json.dumps(ZOOM | secret)
        leap("add", "zoom", "--user", ADA, "--name", name, typed=typed)
    assert look(load_settings()).found.startswith("Zoom, apps of users: 1;")
    monkeypatch.setenv("LEAP_ZOOM_WEBHOOK_SECRET", "canary-0123456789-own")
    with database.system() as session:
        session.execute(
            text(
                "INSERT INTO webhook_inbox (provider, event, digest, due_at)"
                " VALUES ('zoom', 'recording.completed', 'd', now() - interval '11 minutes')"
            )
        )
    found = look(load_settings())
    assert found.found.startswith("Zoom, LEAP's own app, apps of users: 1;")
    assert found.mend == ""  # LEAP is down, which is said elsewhere
    monkeypatch.setattr(doctor, "read_status", lambda _settings: SupervisorStatus(running=True))
    assert look(load_settings()).mend.startswith("1 events wait for over 10 minutes")
    assert "canary" not in str(look(load_settings()))
