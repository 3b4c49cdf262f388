"""Stored Zoom credentials in a real database: renewed once by many, lost by no death."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.inbox import RateBucket
from leap_pipeline.db.models.users import User
from leap_pipeline.domain.credentials import Credential
from leap_pipeline.domain.shapes.sources import ZoomSource
from leap_pipeline.errors import InputError, TransientError, UserActionError
from leap_pipeline.security.vault import load_vault
from leap_pipeline.services.audit import AuditFilter, entries
from leap_pipeline.services.grants import StoredGrant
from leap_pipeline.services.users import add_user
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.settings import Settings
from leap_pipeline.sources.zoom.client import Who
from leap_pipeline.web.errors import CredentialRefused
from tests.support import postgres
from tests.support.at_once import race
from tests.support.postgres import TestServer
from tests.support.zoom.clock import wall_clock
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.faults import Fault
from tests.support.zoom.serve import serving
from tests.support.zoom_accounts import (
    GraceTokens,
    Renewal,
    Zoomed,
    cut,
    die_before_the_commit,
    renew,
    used_buckets,
)

WORKERS = 10


@pytest.fixture(scope="module")
def shared_database(postgres_server: TestServer) -> Iterator[Database]:
    with postgres_server.database() as url:
        opened = Database(postgres.urls_of(url), pooled=True)
        yield opened
        opened.dispose()


@pytest.fixture
def zoomed(shared_database: Database, tmp_path: Path) -> Zoomed:
    settings = Settings(home=tmp_path / "home")
    with shared_database.system() as session:
        session.execute(delete(User))
        session.execute(delete(RateBucket))
        user_id = add_user(session, "ada@example.org").id
    vault = load_vault(settings)
    return Zoomed(shared_database, settings, vault, user_id, FakeZoom(wall_clock))


def token(accounts: ZoomAccounts, zoomed: Zoomed, credential_id: int) -> str:
    client = accounts.client(zoomed.user_id, credential_id)
    return client._tokens.get().get_secret_value()


def is_alive(zoomed: Zoomed, credential_id: int) -> bool:
    """Can the grant be renewed once more, from what is stored?"""
    zoomed.end_access(credential_id)
    before = len(zoomed.renewals())
    zoomed.accounts().check(zoomed.user_id, credential_id)
    return zoomed.renewals()[before:] == [200]


def test_ten_processes_renew_a_grant_once(zoomed: Zoomed) -> None:
    number = zoomed.connected()
    before = zoomed.stored(number)
    with serving(zoomed.zoom) as served:
        settings = zoomed.settings.model_copy(update=served.settings())
        told = Renewal(settings, zoomed.user_id, number)
        assert race(zoomed.database, renew, [told] * WORKERS) == ["ok"] * WORKERS
    assert zoomed.renewals() == [200]
    after = zoomed.stored(number)
    assert after.previous_refresh_token == before.refresh_token
    assert after.refresh_token not in (None, before.refresh_token)
    assert after.access_token not in (None, before.access_token)
    assert is_alive(zoomed, number)


def test_threads_that_saw_a_token_refused_renew_it_once(zoomed: Zoomed) -> None:
    number = zoomed.connected(expires_at=None)
    refused = zoomed.stored(number).access_token
    assert refused is not None
    del zoomed.zoom.tokens.access[refused.get_secret_value()]  # 401 from here on
    zoomed.zoom.fail(Fault("slow", on=("token",), times=None, delay=0.3))
    several = [zoomed.accounts() for _ in range(3)]  # as in several processes
    with ThreadPoolExecutor(WORKERS) as pool:
        said = list(
            pool.map(lambda each: several[each % 3].check(zoomed.user_id, number), range(WORKERS))
        )
    assert len(set(said)) == 1
    assert zoomed.renewals() == [200]
    assert is_alive(zoomed, number)


def test_a_death_between_zooms_answer_and_the_commit_loses_no_grant(zoomed: Zoomed) -> None:
    zoomed.zoom.tokens = GraceTokens(zoomed.zoom.world)
    number = zoomed.connected()
    before = zoomed.stored(number)
    with serving(zoomed.zoom) as served:
        settings = zoomed.settings.model_copy(update=served.settings())
        told = Renewal(settings, zoomed.user_id, number)
        assert die_before_the_commit(zoomed.database, told) == -9
    assert zoomed.renewals() == [200]
    assert zoomed.stored(number) == before
    zoomed.accounts().check(zoomed.user_id, number)
    assert zoomed.renewals() == [200, 200]
    assert zoomed.row(number).is_active
    assert is_alive(zoomed, number)


def test_the_previous_token_is_tried_once_when_zoom_forgot_the_new_one(zoomed: Zoomed) -> None:
    zoomed.zoom.tokens = GraceTokens(zoomed.zoom.world)
    number = zoomed.connected()
    zoomed.accounts().check(zoomed.user_id, number)
    newest = zoomed.stored(number)
    assert newest.refresh_token is not None
    del zoomed.zoom.tokens.refresh[newest.refresh_token.get_secret_value()]
    zoomed.end_access(number)
    zoomed.accounts().check(zoomed.user_id, number)
    assert zoomed.renewals() == [200, 4734, 200]
    assert zoomed.row(number).is_active
    assert zoomed.stored(number).previous_refresh_token == newest.previous_refresh_token
    assert is_alive(zoomed, number)


def test_an_answer_that_was_lost_is_asked_for_again(zoomed: Zoomed) -> None:
    zoomed.zoom.tokens = GraceTokens(zoomed.zoom.world)
    zoomed.zoom.fail(Fault("lost", on=("token",), raises=httpx.ReadError, lost=True))
    number = zoomed.connected()
    zoomed.accounts().check(zoomed.user_id, number)
    assert len(zoomed.renewals()) == 2
    assert is_alive(zoomed, number)


def test_tokens_that_a_broken_transaction_did_not_store_are_stored_after_it(
    zoomed: Zoomed, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = zoomed.connected()
    write = StoredGrant._write
    written: list[Credential] = []

    def write_and_break(self: StoredGrant, session: Session, document: Credential) -> None:
        write(self, session, document)
        if not written:
            cut(zoomed.database, session.scalar(text("SELECT pg_backend_pid()")) or 0)
        written.append(document)

    monkeypatch.setattr(StoredGrant, "_write", write_and_break)
    zoomed.accounts().check(zoomed.user_id, number)
    assert len(written) == 2
    assert zoomed.renewals() == [200]
    assert zoomed.stored(number) == written[0]
    assert is_alive(zoomed, number)


def test_a_grant_that_was_revoked_is_to_be_connected_again(zoomed: Zoomed) -> None:
    number = zoomed.connected()
    zoomed.zoom.tokens.revoke(next(iter(zoomed.zoom.tokens.refresh.values())).family)
    accounts = zoomed.accounts()
    with pytest.raises(CredentialRefused, match=r"code 4741\): connect the account again"):
        accounts.check(zoomed.user_id, number)
    assert not zoomed.row(number).is_active
    with pytest.raises(UserActionError, match="is inactive: connect it again"):
        accounts.check(zoomed.user_id, number)
    assert zoomed.renewals() == [4741]
    with zoomed.database.system() as session:
        [entry] = entries(session, AuditFilter(action="credential.refused"))
    assert entry.after is not None
    assert entry.after["reason"].startswith("A later authorization")


def test_a_revoked_token_is_noticed_where_it_is_used(zoomed: Zoomed) -> None:
    number = zoomed.connected(expires_at=None)
    zoomed.zoom.tokens.revoke(next(iter(zoomed.zoom.tokens.refresh.values())).family)
    with pytest.raises(CredentialRefused, match="connect the account again"):
        zoomed.accounts().check(zoomed.user_id, number)
    assert not zoomed.row(number).is_active


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"client_secret": "not the secret"}, "code 4704"),
        ({"client_id": "unknown"}, "code 4702"),
        ({"client_id": None, "client_secret": None}, "set LEAP_ZOOM_CLIENT_ID"),
    ],
)
def test_a_wrong_app_costs_nobody_the_grant(
    zoomed: Zoomed, changes: dict[str, Any], words: str
) -> None:
    number = zoomed.connected(**changes)
    with pytest.raises(CredentialRefused, match=words):
        zoomed.accounts().check(zoomed.user_id, number)
    assert zoomed.row(number).is_active


def test_the_app_of_the_installation_serves_grants_that_name_none(zoomed: Zoomed) -> None:
    number = zoomed.connected(client_id=None, client_secret=None)
    own = Settings(zoom_client_id=zoomed.app.client_id, zoom_client_secret=zoomed.app.client_secret)
    accounts = zoomed.accounts(
        zoom_client_id=own.zoom_client_id, zoom_client_secret=own.zoom_client_secret
    )
    assert "its own user" in accounts.check(zoomed.user_id, number)
    assert zoomed.renewals() == [200]


def test_an_ended_token_that_nothing_renews_is_to_be_connected_again(zoomed: Zoomed) -> None:
    number = zoomed.connected(refresh_token=None)
    with pytest.raises(CredentialRefused, match="connect again"):
        zoomed.accounts().check(zoomed.user_id, number)
    assert not zoomed.row(number).is_active


def test_a_zoom_that_fails_changes_nothing(zoomed: Zoomed) -> None:
    number = zoomed.connected()
    before = zoomed.stored(number)
    slept: list[float] = []
    now = [zoomed.zoom.clock()]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += timedelta(seconds=seconds)

    http = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    accounts = ZoomAccounts(
        zoomed.database,
        zoomed.vault,
        zoomed.settings,
        http=http,
        clock=lambda: now[0],
        sleep=sleep,
    )
    with pytest.raises(TransientError, match="HTTP 503"):
        accounts.check(zoomed.user_id, number)
    assert 0 < sum(slept) <= 20  # the row is locked meanwhile
    assert zoomed.stored(number) == before
    assert zoomed.row(number).is_active


def test_logs_have_fingerprints_only(zoomed: Zoomed, caplog: pytest.LogCaptureFixture) -> None:
    number = zoomed.connected()
    before = zoomed.stored(number)
    with caplog.at_level("DEBUG"):
        zoomed.accounts().check(zoomed.user_id, number)
    after = zoomed.stored(number)
    assert f"renewed the tokens of credential {number}: refresh token " in caplog.text
    for each in (before, after):
        for secret in (each.access_token, each.refresh_token, each.client_secret):
            assert secret is not None
            assert secret.get_secret_value() not in caplog.text


def test_an_apps_token_is_asked_for_once_and_its_client_stays(zoomed: Zoomed) -> None:
    number = zoomed.server_to_server()
    accounts = zoomed.accounts()
    with ThreadPoolExecutor(4) as pool:
        tokens = set(pool.map(lambda _: token(accounts, zoomed, number), range(8)))
    assert len(tokens) == 1
    assert zoomed.renewals() == [200]
    first = accounts.client(zoomed.user_id, number)
    assert accounts.client(zoomed.user_id, number) is first
    other = zoomed.server_to_server(host="ada@example.org")
    assert accounts.client(zoomed.user_id, other) is not first
    assert zoomed.row(number).last_used_at is not None


def test_a_changed_credential_has_a_new_client(zoomed: Zoomed) -> None:
    number = zoomed.connected(expires_at=None)
    accounts = zoomed.accounts()
    first = accounts.client(zoomed.user_id, number)
    zoomed.end_access(number)  # as if a person had entered it anew
    assert accounts.client(zoomed.user_id, number) is not first


@pytest.mark.parametrize(
    ("config", "host", "who"),
    [
        ({}, None, Who.account()),
        ({}, "ada@example.org", Who.user("ada@example.org")),
        ({"user_id": "bob@example.org"}, None, Who.user("bob@example.org")),
        ({"user_id": "bob@example.org"}, "ada@example.org", Who.user("bob@example.org")),
    ],
)
def test_whose_recordings_a_source_reads(
    zoomed: Zoomed, config: dict[str, str], host: str | None, who: Who
) -> None:
    accounts = zoomed.accounts()
    changes = {"host": host} if host else {}
    app = accounts.credential(zoomed.user_id, zoomed.server_to_server(**changes))
    assert accounts.who(ZoomSource(**config), app) == who
    person = accounts.credential(zoomed.user_id, zoomed.connected())
    assert accounts.who(ZoomSource(), person) == Who.user("me")


def test_what_a_credential_can_see(zoomed: Zoomed) -> None:
    owner = zoomed.zoom.owner(zoomed.account)
    for host in (owner, zoomed.person, zoomed.person):
        zoomed.zoom.add_file(zoomed.zoom.add_meeting(host))
    accounts = zoomed.accounts()

    def check(credential_id: int) -> str:
        return accounts.check(zoomed.user_id, credential_id)

    assert check(zoomed.server_to_server()) == (
        "Zoom lets it read the recordings of all people of its account; 3 of today (UTC)."
    )
    assert check(zoomed.server_to_server(host=zoomed.person.email)) == (
        f"Zoom lets it read the recordings of {zoomed.person.email}; 2 of today (UTC)."
    )
    assert check(zoomed.connected()) == (
        "Zoom lets it read the recordings of its own user; 2 of today (UTC)."
    )
    assert zoomed.zoom.ledger.refused() == []


def test_credentials_of_an_account_share_its_rate(zoomed: Zoomed) -> None:
    accounts = zoomed.accounts()
    accounts.check(zoomed.user_id, zoomed.server_to_server())
    accounts.check(zoomed.user_id, zoomed.server_to_server(host=zoomed.person.email))
    assert used_buckets(zoomed.database) == {f"zoom:{zoomed.account.id}:medium"}
    number = zoomed.connected()
    accounts.check(zoomed.user_id, number)
    assert f"zoom:credential-{number}:medium" in used_buckets(zoomed.database)


def test_what_is_no_usable_zoom_account_is_refused(zoomed: Zoomed) -> None:
    accounts = zoomed.accounts()
    other = zoomed.add({"api_key": "canary-0123456789"}, "deepseek")
    with pytest.raises(InputError, match="is no Zoom account"):
        accounts.client(zoomed.user_id, other)
    with pytest.raises(InputError, match="no credential 2147"):
        accounts.client(zoomed.user_id, 2147)
    with zoomed.database.system() as session:
        stranger = add_user(session, "eve@example.org").id
    with pytest.raises(InputError, match="no credential"):
        accounts.client(stranger, zoomed.server_to_server())
