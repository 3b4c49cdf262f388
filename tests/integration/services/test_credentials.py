"""Accounts of a tenant in a real database: stored sealed, opened, replaced, never shown."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from leap_pipeline.db.models.audit import AuditEntry
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.domain.credentials import ApiKey, CredentialPlatform, ZoomServerToServer
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.errors import InputError, Undecryptable, UserActionError
from leap_pipeline.security.keys import FILE, KeyFile, new_key
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.audit import SYSTEM, Actor, AuditFilter, entries
from leap_pipeline.services.credential_rows import CredentialView
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.users import add_user
from leap_pipeline.settings import Settings
from tests.support.bench import Bench

CANARY = "canary-0123456789-abcdef"
ZOOM = {"account_id": "acc", "client_id": "app", "client_secret": CANARY, "host": "a@example.edu"}
PERSON = Editor(Actor("01J", "person@example.org", "192.0.2.7"), Rights())
EVERYTHING_ELSE = frozenset(Permission) - {Permission.MANAGE_CREDENTIALS}
NOBODY = Editor(Actor("01K", "nobody@example.org"), Rights(permissions=EVERYTHING_ELSE))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return load_vault(Settings(home=tmp_path))


def stored(bench: Bench, credential_id: int) -> UserCredential:
    with bench.database.system() as session:
        return session.scalars(
            select(UserCredential).where(UserCredential.id == credential_id)
        ).one()


def create(bench: Bench, vault: Vault, platform: str, data: Any, **given: Any) -> CredentialView:
    with bench.database.tenant(bench.user_id) as session:
        return Credentials(session, bench.user_id, vault).create(platform, data, PERSON, **given)


def test_an_account_is_stored_sealed_and_opened_typed(bench: Bench, vault: Vault) -> None:
    made = create(bench, vault, "zoom", ZOOM)
    assert (made.platform, made.account_name, made.is_active) == ("zoom", "a@example.edu", True)
    assert made.details == {**ZOOM, "client_secret": "…cdef"}
    assert made.last_used_at is None
    assert CANARY not in stored(bench, made.id).encrypted_data
    with bench.database.tenant(bench.user_id) as session:
        opened = Credentials(session, bench.user_id, vault).open(made.id)
    assert isinstance(opened, ZoomServerToServer)
    assert opened.client_secret.get_secret_value() == CANARY


def test_opening_marks_the_use_once_a_minute(bench: Bench, vault: Vault) -> None:
    made = create(bench, vault, "deepseek", {"api_key": CANARY})

    def use() -> Any:
        with bench.database.tenant(bench.user_id) as session:
            Credentials(session, bench.user_id, vault).open(made.id)
        return stored(bench, made.id).last_used_at

    first = use()
    assert first is not None
    assert use() == first
    with bench.database.system() as session:
        ago = first.replace(year=first.year - 1)
        session.execute(update(UserCredential).values(last_used_at=ago))
    assert use() > first


def test_many_who_open_at_once_wait_for_nobody(bench: Bench, vault: Vault) -> None:
    made = create(bench, vault, "deepseek", {"api_key": CANARY})
    with bench.database.tenant(bench.user_id) as first:
        Credentials(first, bench.user_id, vault).open(made.id)  # and holds the row's lock

        def use(_: int) -> Any:
            with bench.database.tenant(bench.user_id) as session:
                session.connection().exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
                return Credentials(session, bench.user_id, vault).open(made.id)

        with ThreadPoolExecutor(4) as pool:
            assert len(set(map(repr, pool.map(use, range(8))))) == 1


def test_several_accounts_of_a_platform_and_no_two_of_a_name(bench: Bench, vault: Vault) -> None:
    unnamed = create(bench, vault, "fireworks", {"api_key": CANARY})
    assert unnamed.account_name == "main"
    create(bench, vault, "fireworks", {"api_key": CANARY}, account_name=" second ")
    with pytest.raises(InputError, match="There is a fireworks account “main” already"):
        create(bench, vault, "fireworks", {"api_key": CANARY})
    create(bench, vault, "deepseek", {"api_key": CANARY})
    with bench.database.tenant(bench.user_id) as session:
        mine = Credentials(session, bench.user_id, vault)
        assert [(each.platform, each.account_name) for each in mine.views()] == [
            ("deepseek", "main"),
            ("fireworks", "main"),
            ("fireworks", "second"),
        ]
        assert len(mine.views(CredentialPlatform.FIREWORKS)) == 2
        with pytest.raises(InputError, match="“second” already"):
            mine.update(unnamed.id, PERSON, account_name="second")
        assert mine.update(unnamed.id, PERSON, account_name="first").account_name == "first"


@pytest.mark.parametrize("name", ["  ", "a\nb", "x" * 256])
def test_a_name_that_cannot_be_shown_is_refused(bench: Bench, vault: Vault, name: str) -> None:
    with pytest.raises(InputError, match="1 to 255 characters"):
        create(bench, vault, "deepseek", {"api_key": CANARY}, account_name=name)


def test_a_replaced_document_connects_an_account_again(bench: Bench, vault: Vault) -> None:
    made = create(bench, vault, "deepseek", {"api_key": CANARY})
    with bench.database.tenant(bench.user_id) as session:
        mine = Credentials(session, bench.user_id, vault)
        tried = mine.open(made.id)
        assert mine.mark_inactive(made.id, tried, f"401 for api_key={CANARY}", SYSTEM)
        assert not mine.mark_inactive(made.id, tried, "401 again", SYSTEM)
        with pytest.raises(UserActionError, match="“main” is inactive: connect it again"):
            mine.open(made.id)
        with pytest.raises(InputError, match=r"credential\.api_key"):
            mine.update(made.id, PERSON, data={})
        assert not mine.view(made.id).is_active
        assert mine.update(made.id, PERSON, data={"api_key": "another-key"}).is_active
        assert not mine.mark_inactive(made.id, tried, "401 of the old key", SYSTEM)
        opened = mine.open(made.id)
    assert isinstance(opened, ApiKey)
    assert opened.api_key.get_secret_value() == "another-key"


def test_an_account_is_switched_off_and_on(bench: Bench, vault: Vault) -> None:
    made = create(bench, vault, "deepseek", {"api_key": CANARY})
    with bench.database.tenant(bench.user_id) as session:
        mine = Credentials(session, bench.user_id, vault)
        assert not mine.switch(made.id, PERSON, active=False).is_active
        with pytest.raises(UserActionError, match="inactive"):
            mine.open(made.id)
        assert mine.switch(made.id, PERSON, active=True).is_active
        mine.open(made.id)


def test_an_account_that_presets_need_is_not_deleted_by_accident(
    bench: Bench, vault: Vault
) -> None:
    made = create(bench, vault, "youtube", {"refresh_token": CANARY})
    with bench.database.tenant(bench.user_id) as session:
        session.add(
            OutputPreset(
                user_id=bench.user_id, name="Channel", platform="YOUTUBE", credential_id=made.id
            )
        )
    with bench.database.tenant(bench.user_id) as session:
        mine = Credentials(session, bench.user_id, vault)
        with pytest.raises(UserActionError, match="for the presets “Channel”"):
            mine.delete(made.id, PERSON)
        assert mine.views()
        mine.delete(made.id, PERSON, with_presets=True)
        assert not mine.views()
        with pytest.raises(InputError, match="There is no credential"):
            mine.delete(made.id, PERSON)


def test_a_missing_permission_refuses_every_change_and_no_use(bench: Bench, vault: Vault) -> None:
    made = create(bench, vault, "deepseek", {"api_key": CANARY})
    with bench.database.tenant(bench.user_id) as session:
        mine = Credentials(session, bench.user_id, vault)
        for change in (
            lambda: mine.create("deepseek", {"api_key": CANARY}, NOBODY, account_name="x"),
            lambda: mine.update(made.id, NOBODY, account_name="x"),
            lambda: mine.switch(made.id, NOBODY, active=False),
            lambda: mine.delete(made.id, NOBODY),
        ):
            with pytest.raises(UserActionError, match="can_manage_credentials"):
                change()
        assert mine.open(made.id)
        assert [each.account_name for each in mine.views()] == ["main"]


def test_another_tenants_account_is_as_if_not_there(bench: Bench, vault: Vault) -> None:
    made = create(bench, vault, "deepseek", {"api_key": CANARY})
    with bench.database.system() as session:
        other = add_user(session, "other@example.org").id
    # Also in the system's role, which the second wall lets through: the filter is the store's own.
    for opened in (bench.database.tenant(other), bench.database.system()):
        with opened as session:
            theirs = Credentials(session, other, vault)
            assert theirs.views() == []
            looks: tuple[Callable[[Credentials], object], ...] = (
                lambda found: found.open(made.id),
                lambda found: found.view(made.id),
                lambda found: found.update(made.id, PERSON, data={"api_key": "x"}),
                lambda found: found.delete(made.id, PERSON),
            )
            for look in looks:
                with pytest.raises(InputError, match=f"There is no credential {made.id}"):
                    look(theirs)
    assert stored(bench, made.id).is_active


def test_an_account_whose_key_is_lost_is_listed_and_can_be_entered_again(
    bench: Bench, vault: Vault, tmp_path: Path
) -> None:
    made = create(bench, vault, "deepseek", {"api_key": CANARY})
    KeyFile(tmp_path / FILE).write((new_key(),))
    other = load_vault(Settings(home=tmp_path))
    with bench.database.tenant(bench.user_id) as session:
        mine = Credentials(session, bench.user_id, other)
        assert mine.view(made.id).details is None
        with pytest.raises(Undecryptable, match="The deepseek account “main” cannot be read"):
            mine.open(made.id)
        assert mine.update(made.id, PERSON, data={"api_key": CANARY}).details == {
            "api_key": "…cdef"
        }
        assert mine.open(made.id)


def test_a_row_without_a_name_or_of_an_older_shape_is_read(bench: Bench, vault: Vault) -> None:
    with bench.database.tenant(bench.user_id) as session:
        token = vault.encrypt({**ZOOM, "account": "b@example.edu"} | {"host": None})
        row = UserCredential(user_id=bench.user_id, platform="zoom", encrypted_data=token)
        session.add(row)
        session.flush()
        mine = Credentials(session, bench.user_id, vault)
        assert mine.open(row.id).account == "b@example.edu"
        assert mine.view(row.id).title == "The zoom account without a name"


def test_a_row_that_fits_no_model_is_named(bench: Bench, vault: Vault) -> None:
    made = create(bench, vault, "youtube", {"refresh_token": CANARY})
    with bench.database.tenant(bench.user_id) as session:
        wrong = vault.encrypt({"api_key": CANARY})
        session.execute(update(UserCredential).values(encrypted_data=wrong))
        mine = Credentials(session, bench.user_id, vault)
        with pytest.raises(InputError, match=r"account “main” cannot be used.*credential\.api_key"):
            mine.open(made.id)
        assert mine.view(made.id).details is None


def test_the_audit_log_tells_everything_but_the_secret(bench: Bench, vault: Vault) -> None:
    made = create(bench, vault, "deepseek", {"api_key": CANARY})
    with bench.database.tenant(bench.user_id) as session:
        mine = Credentials(session, bench.user_id, vault)
        mine.update(made.id, PERSON, data={"api_key": f"{CANARY}2"}, account_name="other")
        mine.switch(made.id, PERSON, active=False)
        mine.switch(made.id, PERSON, active=True)
        mine.mark_inactive(made.id, mine.open(made.id), f"refused {CANARY}2", SYSTEM)
        mine.delete(made.id, PERSON)
    with bench.database.system() as session:
        found = entries(session, AuditFilter(owner_id=bench.user_id, action="credential"))
        told = [(each.action, each.actor) for each in reversed(found)]
        rows = session.execute(select(AuditEntry.__table__)).all()
    assert told == [
        ("credential.create", "person@example.org"),
        ("credential.update", "person@example.org"),
        ("credential.deactivate", "person@example.org"),
        ("credential.activate", "person@example.org"),
        ("credential.refused", "system"),
        ("credential.delete", "person@example.org"),
    ]
    assert {each.subject_id for each in found} == {str(made.id)}
    assert "canary" not in repr(rows)
