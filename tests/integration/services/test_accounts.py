"""Accounts as a page lists them, and documents that are changed in part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leap_pipeline.db.models.templates import InputSource, OutputPreset
from leap_pipeline.domain.account_health import Health
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.accounts import Account, accounts_of
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credential_rows import Uses
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from tests.support.bench import Bench

PERSON = Editor(SYSTEM, Rights())
WITHOUT = frozenset(Permission) - {Permission.MANAGE_CREDENTIALS}
SECRET = "canary-0123456789-abcdef"
ZOOM = {"account_id": "acc", "client_id": "app", "client_secret": SECRET, "host": "a@example.edu"}
NOW = datetime.now(UTC)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return load_vault(Settings(home=tmp_path))


def create(bench: Bench, vault: Vault, platform: str, data: Any, name: str) -> int:
    with bench.database.tenant(bench.user_id) as session:
        store = Credentials(session, bench.user_id, vault)
        return store.create(platform, data, PERSON, account_name=name).id


def listed(bench: Bench, vault: Vault) -> dict[str, Account]:
    found = accounts_of(bench.database, vault, bench.user_id, NOW)
    return {account.view.account_name or "": account for account in found}


def test_each_account_says_how_it_is_and_what_uses_it(bench: Bench, vault: Vault) -> None:
    zoom = create(bench, vault, "zoom", ZOOM, "school")
    grant = {"access_token": SECRET, "refresh_token": SECRET}
    youtube = create(bench, vault, "youtube", grant, "channel")
    off = create(bench, vault, "deepseek", {"api_key": SECRET}, "off")
    ends = (NOW + timedelta(days=1)).isoformat()
    create(bench, vault, "vk", {"access_token": SECRET, "expires_at": ends}, "group")
    with bench.database.tenant(bench.user_id) as session:
        store = Credentials(session, bench.user_id, vault)
        store.switch(off, PERSON, active=False)
        tried = store.stored(youtube)
        assert tried is not None
        store.mark_inactive(youtube, tried, "The grant was revoked.", SYSTEM)
        mine = {"user_id": bench.user_id}
        session.add(InputSource(name="Lab", source_type="ZOOM", credential_id=zoom, **mine))
        for name in ("B", "A"):
            session.add(OutputPreset(name=name, platform="YOUTUBE", credential_id=youtube, **mine))
    found = listed(bench, vault)
    assert {name: account.health for name, account in found.items()} == {
        "school": Health.ACTIVE,
        "channel": Health.REFUSED,
        "off": Health.OFF,
        "group": Health.EXPIRES_SOON,
    }
    assert found["school"].uses == Uses(sources=("Lab",))
    assert found["channel"].uses == Uses(presets=("A", "B"))
    assert not found["off"].uses
    refusal = found["channel"].refusal
    assert refusal is not None
    assert refusal.reason == "The grant was revoked."
    assert found["off"].refusal is None
    # Who switches a refused account on and off by hand is the last to have decided.
    with bench.database.tenant(bench.user_id) as session:
        store = Credentials(session, bench.user_id, vault)
        store.switch(youtube, PERSON, active=True)
        store.switch(youtube, PERSON, active=False)
    assert listed(bench, vault)["channel"].health is Health.OFF


def test_the_accounts_of_others_are_not_there(bench: Bench, vault: Vault) -> None:
    create(bench, vault, "zoom", ZOOM, "school")
    with bench.database.system() as session:
        other = add_user(session, "other@example.org").id
    assert accounts_of(bench.database, vault, other, NOW) == []


def test_a_secret_that_is_not_typed_is_kept(bench: Bench, vault: Vault) -> None:
    number = create(bench, vault, "zoom", {**ZOOM, "webhook_secret": SECRET}, "school")
    with bench.database.tenant(bench.user_id) as session:
        store = Credentials(session, bench.user_id, vault)
        store.switch(number, PERSON, active=False)
        view = store.amend(number, PERSON, {"client_id": "other", "host": None})
        found: Any = store.open(number)
        assert view.is_active
        assert (found.client_id, found.host) == ("other", None)
        assert found.client_secret.get_secret_value() == SECRET
        assert found.webhook_secret.get_secret_value() == SECRET
        with pytest.raises(InputError, match="account_id"):
            store.amend(number, PERSON, {"account_id": None})
        with pytest.raises(UserActionError, match="may not manage credentials"):
            store.amend(number, Editor(SYSTEM, Rights(permissions=WITHOUT)), {"client_id": "mine"})
    with bench.database.system() as session:
        other = add_user(session, "other@example.org").id
    with bench.database.tenant(other) as session, pytest.raises(InputError, match="no credential"):
        Credentials(session, other, vault).amend(number, PERSON, {"client_id": "theirs"})
