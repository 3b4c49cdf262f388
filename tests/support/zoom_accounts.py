"""A tenant's Zoom credentials beside a fake Zoom, and workers that renew them at once or die."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
from sqlalchemy import select, text
from sqlalchemy.orm import Session, configure_mappers

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.db.urls import DatabaseUrls
from leap_pipeline.domain.credentials import Credential, ZoomUser, parse_credential
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.grants import StoredGrant
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.settings import Settings
from tests.support.zoom.fake import FakeZoom
from tests.support.zoom.tokens import Grant, Tokens
from tests.support.zoom.world import Account, App, User

configure_mappers()  # once here, and not in every process that is forked from here
PERSON = Editor(SYSTEM, Rights())
PATIENCE = 60


@dataclass
class GraceTokens(Tokens):
    """A token endpoint that takes the replaced refresh token until the new one is used."""

    last: dict[str, str] = field(default_factory=dict)

    def _refresh(self, app: App, form: Mapping[str, str], now: datetime) -> dict[str, object]:
        token = form.get("refresh_token", "")
        replaced: Grant | None = self.rotated.get(token)
        if replaced is not None and self.last[replaced.family] == token:
            self.refresh[token] = self.rotated.pop(token)
        answer = super()._refresh(app, form, now)
        self.last[self.rotated[token].family] = token
        return answer


@dataclass
class Zoomed:
    """A user of LEAP, a Zoom, and one account there; `settings` lead to it."""

    database: Database
    settings: Settings
    vault: Vault
    user_id: str
    zoom: FakeZoom
    account: Account = field(init=False)
    app: App = field(init=False)
    person: User = field(init=False)

    def __post_init__(self) -> None:
        self.account = self.zoom.add_account()
        self.app = self.zoom.add_app()
        self.person = self.zoom.add_user(self.account)

    def accounts(self, http: httpx.Client | None = None, **changed: Any) -> ZoomAccounts:
        return ZoomAccounts(
            self.database,
            self.vault,
            self.settings.model_copy(update=changed),
            http=http or self.zoom.client(),
            clock=self.zoom.clock,
            sleep=self.zoom.sleep,
        )

    def add(self, data: Mapping[str, Any], platform: str = "zoom") -> int:
        with self.database.tenant(self.user_id) as session:
            mine = Credentials(session, self.user_id, self.vault)
            name = f"account {len(mine.views()) + 1}"
            return mine.create(platform, data, PERSON, account_name=name).id

    def server_to_server(self, **changes: Any) -> int:
        app = self.account.app
        document = {
            "account_id": self.account.id,
            "client_id": app.client_id,
            "client_secret": app.client_secret,
        }
        return self.add({**document, **changes})

    def connected(self, **changes: Any) -> int:
        """A person's grant whose access token has just ended."""
        given = self.zoom.grant(self.app, self.person)
        document = {
            "access_token": given["access_token"],
            "refresh_token": given["refresh_token"],
            "expires_at": (self.zoom.clock() - timedelta(seconds=1)).isoformat(),
            "client_id": self.app.client_id,
            "client_secret": self.app.client_secret,
        }
        merged = {**document, **changes}
        return self.add({key: value for key, value in merged.items() if value is not None})

    def row(self, credential_id: int) -> UserCredential:
        with self.database.system() as session:
            return session.scalars(
                select(UserCredential).where(UserCredential.id == credential_id)
            ).one()

    def stored(self, credential_id: int) -> ZoomUser:
        data = self.vault.decrypt(self.row(credential_id).encrypted_data)
        found = parse_credential("zoom", data)
        assert isinstance(found, ZoomUser)
        return found

    def end_access(self, credential_id: int) -> None:
        """The stored access token has ended a second ago."""
        with self.database.tenant(self.user_id) as session:
            mine = Credentials(session, self.user_id, self.vault)
            data = self.vault.decrypt(self.row(credential_id).encrypted_data)
            data["expires_at"] = (self.zoom.clock() - timedelta(seconds=1)).isoformat()
            mine.update(credential_id, PERSON, data=data)

    def renewals(self) -> list[int]:
        """The answers of the token endpoint: 200, or Zoom's code."""
        return [each.code or each.status for each in self.zoom.ledger.of("token")]


@dataclass(frozen=True)
class Renewal:
    """What a worker is told."""

    settings: Settings
    user_id: str
    credential_id: int


def renew(database: Database, told: Renewal) -> None:
    """Ask for today with an access token that has ended."""
    vault = load_vault(told.settings)
    with ZoomAccounts(database, vault, told.settings) as accounts:
        accounts.check(told.user_id, told.credential_id)


def _renew_and_die(urls: DatabaseUrls, told: Renewal) -> None:
    def die(self: StoredGrant, session: Session, document: Credential) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    StoredGrant._write = die  # type: ignore[method-assign]
    renew(Database(urls), told)


def die_before_the_commit(database: Database, told: Renewal) -> int | None:
    """A worker that Zoom gave new tokens and that could not store them; how it ended."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    worker = context.Process(target=_renew_and_die, args=(database.urls, told))
    worker.start()
    worker.join(PATIENCE)
    return worker.exitcode


def cut(database: Database, pid: int) -> None:
    """The server ends a connection."""
    with database.lock_connection() as connection:
        connection.execute("SELECT pg_terminate_backend(%s)", (pid,))


def used_buckets(database: Database) -> set[str]:
    with database.system() as session:
        return set(session.scalars(text("SELECT key FROM rate_buckets")))
