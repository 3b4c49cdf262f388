"""A generated life, lived: its account in a real database, its polls with what goes wrong in them.

Without sockets: requests go to the fake in this process, and waiting moves the life's own clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import StaticPool, create_engine, func, select, update
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.recordings import Recording, SourceMetadata
from leap_pipeline.db.models.templates import InputSource
from leap_pipeline.db.models.users import User, UserCredential
from leap_pipeline.db.urls import DatabaseUrls
from leap_pipeline.domain.credentials import ZoomServerToServer, ZoomUser
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.errors import LeapError
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.polling import poll_due
from leap_pipeline.services.users import NO_PASSWORD
from leap_pipeline.services.zoom_accounts import ZoomAccounts
from leap_pipeline.services.zoom_sync import sync_source
from leap_pipeline.settings import Settings
from leap_pipeline.sources.zoom.client import ZoomClient
from tests.support.zoom import faults
from tests.support.zoom.lives import Life, Mishap, Poll, make_life
from tests.support.zoom.truth import Difference, Row, differences

SLOW = timedelta(minutes=16)  # longer than a page token lives
RIGHTS = Rights()


class Killed(BaseException):
    """The process is gone: nothing that it would still have done happens."""


class MortalDatabase(Database):
    """Ends the process before or after the commit of a transaction that was chosen."""

    def __init__(self, urls: DatabaseUrls) -> None:
        super().__init__(urls, pooled=True)
        # One connection with its prepared statements: nobody else uses it, and the server stays.
        self._engine.dispose()
        self._engine = create_engine(urls.application, poolclass=StaticPool)
        self.count = 0
        self.dies: Mishap | None = None

    def arm(self, mishap: Mishap | None) -> None:
        self.count, self.dies = 0, mishap

    @contextmanager
    def _transaction(self, role: str, user_id: str) -> Iterator[Session]:
        self.count += 1
        here = self.dies is not None and self.count == self.dies.number
        with super()._transaction(role, user_id) as session:
            yield session
            if here and self.dies is not None and self.dies.kind == "killed before commit":
                raise Killed
        if here and self.dies is not None:
            raise Killed


class UngatedAccounts(ZoomAccounts):
    """Without the shared gate, which goes by the database's clock: that one cannot be moved.

    What never changes is opened once, for speed.
    """

    _opened: ZoomServerToServer | None = None

    def credential(self, user_id: str, credential_id: int) -> ZoomServerToServer | ZoomUser:
        if self._opened is not None:
            return self._opened
        found = super().credential(user_id, credential_id)
        if isinstance(found, ZoomServerToServer):
            self._opened = found
        return found

    def _made(
        self, user_id: str, credential_id: int, found: ZoomServerToServer | ZoomUser
    ) -> ZoomClient:
        tokens = self._tokens(user_id, credential_id, found)
        return ZoomClient(
            self._http,
            tokens,
            api_url=self._settings.zoom_api_url,
            clock=self._clock,
            sleep=self._sleep,
        )


@dataclass
class Road:
    """The way to Zoom, on which a request may be the last, be slow, or meet another worker."""

    life: Life
    count: int = 0
    mishap: Mishap | None = None
    meanwhile: Callable[[], None] = lambda: None

    def arm(self, mishap: Mishap | None) -> None:
        self.count, self.mishap = 0, mishap

    def handle(self, request: httpx.Request) -> httpx.Response:
        # Tokens are asked for under a lock, which another worker of this same thread cannot share.
        if request.url.path.endswith("/token"):
            return self.life.fake.handle(request)
        self.count += 1
        mishap, self.mishap = self.mishap, None
        if mishap is None or self.count < mishap.number:
            self.mishap = mishap
        elif mishap.kind == "killed before request":
            raise Killed
        elif mishap.kind == "slow reader":
            self.life.clock.advance(SLOW)
        elif mishap.kind == "second worker":
            self.meanwhile()
        return self.life.fake.handle(request)


@dataclass
class Lived:
    """What a life came to; `refused` are requests that broke the contract."""

    seed: int
    differences: list[Difference]
    rows: int
    polls: int
    errors: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)


class Living:
    """One life in a database that it shares with others; each has a user of its own."""

    def __init__(self, life: Life, database: MortalDatabase, vault: Vault, settings: Settings):
        self.life, self.database, self.settings = life, database, settings
        self.road = Road(life, meanwhile=self._second)
        self.http = httpx.Client(transport=httpx.MockTransport(self.road.handle))
        self.accounts = self._accounts(vault)
        self.vault = vault
        self.user_id, self.source_id, self.credential_id = self._stored()
        self.seen: set[int] = set()
        self.errors: dict[str, int] = {}

    def live(self) -> Lived:
        """All polls, then the comparison; the source is switched off at the end."""
        try:
            for number, poll in enumerate(self.life.polls):
                self._poll(poll)
                if number % 4 == 3:
                    self.seen |= {row.id for row in self.rows()}
            rows = self.rows()
        finally:
            self.database.arm(None)
            self._switch_off()
            self.http.close()
        found = differences(
            self.life, rows, seen=self.seen, history_days=self.settings.history_days
        )
        refused = [
            f"{one.method} {one.path} {dict(one.params)}"
            for one in self.life.fake.ledger.refused()
            if one.route != "token"
        ]
        polls = len(self.life.polls)
        return Lived(self.life.seed, found, len(rows), polls, self.errors, refused)

    def rows(self) -> list[Row]:
        statement = (
            select(
                Recording.id,
                SourceMetadata.source_key,
                Recording.display_name,
                Recording.status,
                Recording.download_status,
                Recording.skip_reason,
                func.coalesce(Recording.blank_record, False),
                Recording.start_time,
                Recording.duration,
                Recording.video_file_size,
                func.coalesce(Recording.delete_state, "active"),
                SourceMetadata.meta,
            )
            .join(SourceMetadata, SourceMetadata.recording_id == Recording.id)
            .where(Recording.user_id == self.user_id)
        )
        with self.database.tenant(self.user_id) as session:
            return [Row(*tuple(row)) for row in session.execute(statement)]

    def _poll(self, poll: Poll) -> None:
        clock = self.life.clock
        clock.set(max(poll.at, clock()))
        mishap = poll.mishaps[0] if poll.mishaps else None
        self._arm(mishap)
        try:
            if mishap is None:
                self._all_due()
            else:
                self._sync()
        except Killed:
            self._count("Killed")
        except LeapError as error:
            self._count(type(error).__name__)
        finally:
            self._arm(None)
        if self.life.reads == "oauth":
            self._connect_again()

    def _connect_again(self) -> None:
        """What a person does when the grant has ended: the answer to a refresh was lost, say."""
        with self.database.tenant(self.user_id) as session:
            stored = Credentials(session, self.user_id, self.vault)
            editor = Editor(SYSTEM, RIGHTS)
            if not stored.view(self.credential_id).is_active:
                self._count("connected again")
                stored.update(self.credential_id, editor, data=self._credential())

    def _arm(self, mishap: Mishap | None) -> None:
        kind = "" if mishap is None else mishap.kind
        self.database.arm(mishap if kind.endswith("commit") else None)
        self.road.arm(None if kind.endswith("commit") else mishap)
        fake = self.life.fake
        fake.faults.clear()
        if mishap is None:
            return
        after, times = mishap.number - 1, 1 + mishap.number % 3
        listing = ("user", "account")
        planned = {
            "503": faults.server_error(times=times, after=after),
            "429": faults.storm(*listing, form="reset", times=times, after=after),
            "lost answer": faults.lost(times=times, after=after),
            "pages die": faults.refusal(*listing, status=400, code=300, after=after),
        }
        if kind in planned:
            fault = planned[kind]
            if kind == "pages die":
                fault.when = lambda request: "next_page_token" in request.url.params
            fake.fail(fault)

    def _sync(self) -> None:
        now = self.life.clock()
        sync_source(self.database, self.accounts, self.source_id, now=now, settings=self.settings)

    def _all_due(self) -> None:
        deadline = time.monotonic() + 60
        now = self.life.clock()
        poll_due(self.database, self.accounts, now=now, settings=self.settings, deadline=deadline)

    def _second(self) -> None:
        """Another worker syncs the same source, all of it, in the middle of this one."""
        self._sync()

    def _count(self, name: str) -> None:
        self.errors[name] = self.errors.get(name, 0) + 1

    def _switch_off(self) -> None:
        with self.database.tenant(self.user_id) as session:
            session.execute(
                update(InputSource)
                .where(InputSource.id == self.source_id)
                .values(is_active=False, next_poll_at=None)
            )

    def _accounts(self, vault: Vault) -> ZoomAccounts:
        clock = self.life.clock
        return UngatedAccounts(
            self.database, vault, self.settings, http=self.http, clock=clock, sleep=clock.sleep
        )

    def _stored(self) -> tuple[str, int, int]:
        """The user with the credential and the source."""
        life = self.life
        with self.database.system() as session:
            user = User(email=f"life{life.seed}@example.org", hashed_password=NO_PASSWORD)
            session.add(user)
            session.flush()
            user_id = user.id
        config: dict[str, object] = {}
        if life.sync_from is not None:
            config["sync_from_date"] = life.sync_from.isoformat()
        if life.reads == "user":
            config["user_id"] = life.hosts[0].email
        with self.database.tenant(user_id) as session:
            stored = UserCredential(
                user_id=user_id,
                platform="zoom",
                account_name="Zoom",
                encrypted_data=self.vault.encrypt(self._credential()),
            )
            session.add(stored)
            session.flush()
            source = InputSource(
                user_id=user_id,
                name="Zoom",
                source_type="ZOOM",
                credential_id=stored.id,
                config=config,
                created_at=self.life.polls[0].at,
            )
            session.add(source)
            session.flush()
            return user_id, source.id, stored.id

    def _credential(self) -> dict[str, object]:
        life, app = self.life, self.life.app
        client: dict[str, object] = {
            "client_id": app.client_id,
            "client_secret": app.client_secret,
        }
        if life.reads == "oauth":
            grant = life.fake.grant(app, life.hosts[0])
            tokens = {name: grant[name] for name in ("access_token", "refresh_token")}
            expires_at = (life.clock() + timedelta(hours=1)).isoformat()
            return {**client, **tokens, "expires_at": expires_at}
        host = {"host": life.hosts[0].email} if life.reads == "host" else {}
        return {**client, **host, "account_id": life.account.id}


def live_all(database: MortalDatabase, settings: Settings, seeds: Iterable[int]) -> Iterator[Lived]:
    """Each seed's life in turn, all in one database."""
    vault = load_vault(settings)
    for seed in seeds:
        yield Living(make_life(seed), database, vault, settings).live()


def lives_settings(home: Path) -> Settings:
    """What lives are lived with: one thread polls, so that a seed always goes the same way."""
    return Settings(
        home=home, encryption_keys=SecretStr(Fernet.generate_key().decode()), poll_workers=1
    )
