"""npm's oidc-provider in the place of every platform, a browser for it, and workers that renew."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session, configure_mappers

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.db.urls import DatabaseUrls
from leap_pipeline.domain.credentials import Credential, parse_credential, reveal
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.oauth.returned import returned_from
from leap_pipeline.security.vault import Vault, load_vault
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.credential_rows import CredentialView
from leap_pipeline.services.credentials import Credentials
from leap_pipeline.services.grants import StoredGrant, token_source
from leap_pipeline.services.oauth_connect import Connections, Visitor
from leap_pipeline.services.oauth_platforms import Login, OAuthPlatforms
from leap_pipeline.settings import Settings

configure_mappers()  # once here, and not in every process that is forked from here
NODE_FOLDER = Path(__file__).resolve().parents[1] / "contract" / "node"
SCRIPT = NODE_FOLDER / "oidc.mjs"
PUBLIC = "https://leap.example.edu"
DEVICE = "device-1"
VK = "https://oauth.vk.com"
IDS: Mapping[Login, str] = {
    Login.YOUTUBE: "google",
    Login.ZOOM: "zoom",
    Login.VK_ID: "vk",
    Login.VK_IMPLICIT: "vk",
}
MOST_STEPS = 12
PATIENCE = 60


def why_not() -> str | None:
    """Why the server cannot run here."""
    if shutil.which("node") is None:
        return "node is not installed: apt-get install nodejs npm"
    if not (NODE_FOLDER / "node_modules" / "oidc-provider").is_dir():
        return "oidc-provider is not installed: npm ci --prefix tests/contract/node"
    return None


@dataclass(frozen=True)
class Oidc:
    """A running server."""

    url: str
    http: httpx.Client = field(repr=False)

    def settings(self, home: Path) -> Settings:
        """Every platform is this server."""
        return Settings(
            home=home,
            public_url=PUBLIC,
            google_client_id="google",
            google_client_secret=SecretStr("secret-of-google"),
            google_auth_url=f"{self.url}/o/oauth2/v2/auth",
            google_token_url=f"{self.url}/google",
            youtube_api_url=self.url,
            zoom_client_id="zoom",
            zoom_client_secret=SecretStr("secret-of-zoom"),
            zoom_oauth_url=f"{self.url}/oauth",
            zoom_api_url=f"{self.url}/v2",
            vk_client_id="vk",
            vk_id_url=self.url,
            vk_api_url=f"{self.url}/method",
        )

    def control(self, **said: Any) -> None:
        """Who logs in next (`account`), and what that person allows (`deny`, `without`)."""
        known = {"account": "ada", "deny": False, "without": [], "tokens": {}, "probe": 0}
        document = known | said
        self.http.post(f"{self.url}/control", json=document).raise_for_status()

    def ledger(self) -> Counter[tuple[str, str | None, str | None]]:
        """How often what happened: (what, client, kind of grant)."""
        read = self.http.get(f"{self.url}/ledger").raise_for_status().json()
        return Counter((each["what"], each.get("client"), each.get("grant")) for each in read)

    def browse(self, address: str, back: str = PUBLIC) -> str:
        """Log in and agree as `control` said; the address below `back` to which that leads."""
        with httpx.Client(timeout=PATIENCE) as browser:
            for _ in range(MOST_STEPS):
                response = browser.get(address)
                if response.next_request is None:
                    msg = f"{response.status_code} at {address}: {response.text[:300]}"
                    raise AssertionError(msg)
                address = str(response.next_request.url)
                if address.startswith(back):
                    device = "/vk-id/" in address
                    return f"{address}&device_id={DEVICE}" if device else address
        msg = f"the browser goes around in circles at {address}"
        raise AssertionError(msg)


@contextmanager
def running(*, seconds: int = 2, public: str = PUBLIC) -> Iterator[Oidc]:
    """The server with access tokens that live so long, until the block ends.

    It sends browsers back to `public`.
    """
    command = ["node", str(SCRIPT), str(seconds), public]
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=NODE_FOLDER
    )
    try:
        assert child.stdout is not None
        while (line := child.stdout.readline()) and not line.startswith("ready "):
            pass  # it says first what is unsafe outside of tests
        with httpx.Client(timeout=PATIENCE) as http:
            yield Oidc(f"http://127.0.0.1:{int(line.split()[1])}", http)
    finally:
        child.terminate()
        child.wait(timeout=30)
        if child.stdout is not None:
            child.stdout.close()


@dataclass
class Connecting:
    """A user of LEAP beside the platforms."""

    database: Database
    settings: Settings
    user_id: str
    oidc: Oidc
    browser: str = "the session of Ada's browser"

    def __post_init__(self) -> None:
        self.vault: Vault = load_vault(self.settings)
        self.connections = self.made()

    def made(self, **changed: Any) -> Connections:
        settings = self.settings.model_copy(update=changed)
        platforms = OAuthPlatforms(self.oidc.http, settings)
        return Connections(self.database, self.vault, platforms, settings.public_url)

    def visitor(self, **changed: Any) -> Visitor:
        known = {"user_id": self.user_id, "rights": Rights(), "browser": self.browser}
        return Visitor(**{**known, "actor": Actor(self.user_id, "ada@example.org"), **changed})

    def came_back(self, login: Login, **start: Any) -> str:
        """The address to which a person comes back who has just logged in."""
        return self.oidc.browse(self.connections.start(self.visitor(), login, **start))

    def connect(self, login: Login, **start: Any) -> CredentialView:
        address = self.came_back(login, **start)
        return self.connections.finish(self.visitor(), login, returned_from(address))

    def row(self, credential_id: int) -> UserCredential:
        with self.database.system() as session:
            return session.scalars(
                select(UserCredential).where(UserCredential.id == credential_id)
            ).one()

    def stored(self, credential_id: int) -> Any:
        row = self.row(credential_id)
        return parse_credential(row.platform, self.vault.decrypt(row.encrypted_data))

    def put(self, credential_id: int, credential: Credential) -> None:
        """Store another document in its place."""
        with self.database.tenant(self.user_id) as session:
            store = Credentials(session, self.user_id, self.vault)
            store.update(credential_id, self.visitor().editor, data=reveal(credential))

    def count(self) -> int:
        with self.database.system() as session:
            return len(session.scalars(select(UserCredential.id)).all())

    def tokens(self, credential_id: int) -> Any:
        return token_source(
            self.database,
            self.vault,
            self.settings,
            self.user_id,
            credential_id,
            http=self.oidc.http,
        )

    def takes(self, token: SecretStr) -> bool:
        return takes(self.oidc.http, self.oidc.url, token)


def takes(http: httpx.Client, url: str, token: SecretStr) -> bool:
    """Whether the server takes an access token now."""
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"}
    return http.get(f"{url}/v2/users/me", headers=headers).status_code == httpx.codes.OK


def changed(address: str, **fields: str | None) -> str:
    """An address with other values in its query; None takes one out."""
    parts = urlsplit(address)
    query = {**dict(parse_qsl(parts.query)), **fields}
    left = {name: value for name, value in query.items() if value is not None}
    return parts._replace(query=urlencode(left)).geturl()


@dataclass(frozen=True)
class Work:
    """What a worker that renews is told: for so many seconds use the token, renew when refused."""

    settings: Settings
    url: str
    user_id: str
    credential_id: int
    seconds: float


def use(database: Database, work: Work) -> None:
    """A worker: asks with the token all the time, and renews it as every client does."""
    with httpx.Client(timeout=PATIENCE) as http:
        source = token_source(
            database,
            load_vault(work.settings),
            work.settings,
            work.user_id,
            work.credential_id,
            http=http,
        )
        ends = time.monotonic() + work.seconds
        while time.monotonic() < ends:
            token = source.get()
            if not takes(http, work.url, token):
                source.renew(token)
            time.sleep(0.05)


def _renew_and_die(urls: DatabaseUrls, work: Work) -> None:
    def die(self: StoredGrant, session: Session, document: Credential) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    StoredGrant._write = die  # type: ignore[method-assign]
    with httpx.Client(timeout=PATIENCE) as http:
        vault = load_vault(work.settings)
        database = Database(urls)
        source = token_source(
            database, vault, work.settings, work.user_id, work.credential_id, http=http
        )
        source.renew(source.get())


def die_before_the_commit(database: Database, work: Work) -> int | None:
    """A worker that was given new tokens and could not store them; how it ended."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    worker = context.Process(target=_renew_and_die, args=(database.urls, work))
    worker.start()
    worker.join(PATIENCE)
    return worker.exitcode
