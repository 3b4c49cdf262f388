"""Zoom accounts of all tenants, as clients that are ready to ask.

accounts = ZoomAccounts(database, vault, settings)
client, credential = accounts.open(user_id, source.credential_id)
who = accounts.who(config, credential)
for meeting in client.recordings(window, who):
    ...
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import httpx

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.credentials import Credential, ZoomServerToServer, ZoomUser
from leap_pipeline.domain.shapes.sources import ZoomSource
from leap_pipeline.errors import InputError
from leap_pipeline.oauth.platform import App
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.credentials import Credentials
from leap_pipeline.services.grants import PATIENCE as TOKEN_PATIENCE
from leap_pipeline.services.grants import StoredGrant
from leap_pipeline.services.oauth_platforms import OAuthPlatforms
from leap_pipeline.services.rate_limits import SharedGate
from leap_pipeline.settings import Settings
from leap_pipeline.sources.zoom.client import Who, Window, ZoomClient
from leap_pipeline.sources.zoom.oauth import TokenEndpoint, account_of
from leap_pipeline.sources.zoom.tokens import ServerToServerToken
from leap_pipeline.web.calls import TIMEOUT
from leap_pipeline.web.tokens import TokenSource

ZoomCredential = ZoomServerToServer | ZoomUser

LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=16)
COUNTED = 300


class ZoomAccounts:
    """Clients for stored credentials. Safe to share between threads; close it at the end."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        settings: Settings,
        *,
        http: httpx.Client | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`http` stays the caller's to close."""
        self._database = database
        self._vault = vault
        self._settings = settings
        self._own_http = http is None
        self._http = http or httpx.Client(timeout=TIMEOUT, limits=LIMITS)
        self._clock = clock
        self._sleep = sleep
        self._endpoint = TokenEndpoint(
            self._http,
            oauth_url=settings.zoom_oauth_url,
            patience=TOKEN_PATIENCE,
            clock=clock,
            sleep=sleep,
        )
        self._platforms = OAuthPlatforms(
            self._http, settings, patience=TOKEN_PATIENCE, clock=clock, sleep=sleep
        )
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, int], tuple[ZoomCredential, ZoomClient]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._own_http:
            self._http.close()

    def credential(self, user_id: str, credential_id: int) -> ZoomCredential:
        """What is stored; marks it as used, at most once a minute.

        Raises InputError where there is none or it is none of Zoom's, UserActionError where it is
        inactive, Undecryptable where its key is gone.
        """
        with self._database.tenant(user_id) as session:
            found = Credentials(session, user_id, self._vault).open(credential_id)
        if not isinstance(found, ZoomServerToServer | ZoomUser):
            msg = f"Credential {credential_id} is no Zoom account: give the source one that is."
            raise InputError(msg)
        return found

    def client(self, user_id: str, credential_id: int) -> ZoomClient:
        """The client of a credential, the same one as long as what is stored stays the same.

        Raises as `credential` does; nothing is asked of Zoom yet.
        """
        return self.open(user_id, credential_id)[0]

    def open(self, user_id: str, credential_id: int) -> tuple[ZoomClient, ZoomCredential]:
        """The client, and what is stored of its credential, in one reading."""
        found = self.credential(user_id, credential_id)
        with self._lock:
            known = self._clients.get((user_id, credential_id))
            if known is not None and known[0] == found:
                return known[1], found
            client = self._made(user_id, credential_id, found)
            self._clients[user_id, credential_id] = (found, client)
            return client, found

    @staticmethod
    def who(config: ZoomSource, credential: Credential) -> Who:
        """Whose recordings a source reads: the person that it names, or what the credential is of.

        A Server-to-Server app without a host sees the whole account.
        """
        if config.user_id != "me":
            return Who.user(config.user_id)
        if isinstance(credential, ZoomServerToServer):
            return Who.user(credential.host) if credential.host else Who.account()
        return Who.user()

    def check(self, user_id: str, credential_id: int) -> str:
        """Ask Zoom for today; says in one sentence what the credential can see.

        Raises what Zoom makes of it, as a sentence that says what to do.
        """
        client, credential = self.open(user_id, credential_id)
        who = self.who(ZoomSource(), credential)
        today = self._clock().astimezone(UTC).date()
        seen: set[str] = set()
        for meeting in client.recordings(Window(today, today), who):
            seen.add(meeting.uuid)
            if len(seen) == COUNTED:
                break
        whose = "all people of its account" if who.kind == "accounts" else _whose(who)
        number = f"at least {COUNTED}" if len(seen) == COUNTED else str(len(seen))
        return f"Zoom lets it read the recordings of {whose}; {number} of today (UTC)."

    def _made(self, user_id: str, credential_id: int, found: ZoomCredential) -> ZoomClient:
        account = found.account_id if isinstance(found, ZoomServerToServer) else None
        account = account or account_of(getattr(found, "access_token", None))
        key = f"zoom:{account or f'credential-{credential_id}'}"
        gate = SharedGate(
            self._database,
            key,
            self._settings.zoom_rate_plan,
            sleep=self._sleep,
            clock=self._clock,
        )
        return ZoomClient(
            self._http,
            self._tokens(user_id, credential_id, found),
            gate=gate,
            api_url=self._settings.zoom_api_url,
            clock=self._clock,
            sleep=self._sleep,
        )

    def _tokens(self, user_id: str, credential_id: int, found: ZoomCredential) -> TokenSource:
        if isinstance(found, ZoomServerToServer):
            app = App(found.client_id, found.client_secret)
            return ServerToServerToken(self._endpoint, app, found.account_id, clock=self._clock)
        return StoredGrant(
            self._database,
            self._vault,
            self._platforms,
            user_id,
            credential_id,
            clock=self._clock,
            sleep=self._sleep,
        )


def _whose(who: Who) -> str:
    return "its own user" if who.id == "me" else who.id
