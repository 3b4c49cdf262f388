"""A person's grant at a platform, whose tokens are renewed once for all who need them.

At Zoom and VK the refresh token is another one after each renewal: two renewals at once, or one
whose outcome is not stored, would lose the grant. So the row is locked before the platform is
asked, and both tokens are written before it is let go; whoever waited for it finds the new ones.
The token that was replaced stays for one more try: should a worker die between the answer and the
commit, the stored one is the replaced one already. Google's refresh token stays the same, and a
VK token that was pasted cannot be renewed at all: refused, it is to be connected again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import SecretStr
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.domain.credentials import Credential, Tokens, VKId, VKToken, reveal, secrets_of
from leap_pipeline.errors import InputError, TransientError
from leap_pipeline.oauth.platform import Grant, OAuthPlatform
from leap_pipeline.redaction import remember
from leap_pipeline.security.tokens import fingerprint
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Credentials, keep_keys
from leap_pipeline.services.oauth_platforms import Login, OAuthPlatforms
from leap_pipeline.settings import Settings
from leap_pipeline.web.errors import CredentialRefused
from leap_pipeline.web.tokens import Held, SharedToken, TokenSource

# Longer than a renewal takes, so that whoever waits finds its outcome.
LOCK_WAIT = text("SET LOCAL lock_timeout = '90s'")
# Others wait meanwhile, for the row of the grant.
PATIENCE = timedelta(seconds=20)
SAVES = 5
SHOWN = 12

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Renewal:
    """What the platform gave, and the document that it replaces."""

    before: Tokens
    after: Tokens


def token_source(
    database: Database,
    vault: Vault,
    settings: Settings,
    user_id: str,
    credential_id: int,
    *,
    http: httpx.Client,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> TokenSource:
    """The access token of a stored person's account at Zoom, YouTube or VK.

    Nothing is read before it is asked for. Its `get` and `renew` raise InputError where there is no
    such credential or it is no person's grant, UserActionError where it is inactive,
    CredentialRefused where the platform does not take it (it is inactive then, if for good).
    `http` stays the caller's to close.
    """
    platforms = OAuthPlatforms(http, settings, patience=PATIENCE, clock=clock, sleep=sleep)
    return StoredGrant(database, vault, platforms, user_id, credential_id, clock=clock, sleep=sleep)


class StoredGrant(SharedToken):
    """The access token of a stored grant, for one process; others share it through the row."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        platforms: OAuthPlatforms,
        user_id: str,
        credential_id: int,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`platforms` answer within a fraction of the time for which the row may be locked."""
        super().__init__(clock)
        self._database = database
        self._vault = vault
        self._platforms = platforms
        self._user_id = user_id
        self._credential_id = credential_id
        self._sleep = sleep

    def _fetch(self, refused: SecretStr | None) -> Held:
        renewal: _Renewal | None = None
        ended: CredentialRefused | None = None
        try:
            with self._database.tenant(self._user_id) as session:
                stored = self._locked(session)
                if _is_usable(stored, refused, self._clock()):
                    return _held(stored)
                try:
                    renewal = self._renewed(stored)
                    self._write(session, renewal.after)
                except CredentialRefused as error:
                    if not error.gone:
                        raise
                    ended = error
                    self._credentials(session).mark_inactive(
                        self._credential_id, stored, str(error), SYSTEM
                    )
        except TransientError:
            if renewal is None:
                raise
            self._save(renewal)
        if ended is not None:
            raise ended
        assert renewal is not None  # noqa: S101 - neither held, nor ended, nor raised
        return _held(renewal.after)

    def _locked(self, session: Session) -> Tokens | VKToken:
        """The document as nobody else can change it before this transaction ends."""
        session.execute(LOCK_WAIT)
        session.execute(
            select(UserCredential.id)
            .where(UserCredential.id == self._credential_id)
            .with_for_update(key_share=True)
        )
        found = self._credentials(session).open(self._credential_id)
        if not isinstance(found, Tokens | VKToken):
            msg = f"Credential {self._credential_id} is another kind of account now: run it again."
            raise InputError(msg)
        return found

    def _renewed(self, stored: Tokens | VKToken) -> _Renewal:
        login, platform = self._platforms.of_credential(stored)
        if not isinstance(stored, Tokens):
            said = f"{platform.service} no longer takes the token"
            msg = f"{said}, and nothing renews it: connect the account again."
            raise CredentialRefused(msg, gone=True)
        used, grant = self._granted(stored, login, platform)
        rotated = grant.refresh_token if grant.refresh_token != used else None
        logger.info(
            "%s renewed the tokens of credential %s: refresh token %s, before it %s",
            platform.service,
            self._credential_id,
            _shown(rotated),
            _shown(used),
        )
        changed = {
            "access_token": grant.access_token,
            "refresh_token": rotated or used,
            "previous_refresh_token": used if rotated is not None else None,
            "expires_at": grant.fresh_until,
            "scopes": grant.scopes or stored.scopes,
        }
        return _Renewal(stored, stored.model_copy(update=changed))

    def _granted(
        self, stored: Tokens, login: Login, platform: OAuthPlatform
    ) -> tuple[SecretStr, Grant]:
        """New tokens, and the refresh token that brought them."""
        if stored.refresh_token is None:
            msg = (
                f"{platform.service}'s access token has ended, and there is none to renew it by: "
                "connect again."
            )
            raise CredentialRefused(msg, gone=True)
        app = self._platforms.app_of(stored, login)
        device = stored.device_id if isinstance(stored, VKId) else None
        try:
            return stored.refresh_token, platform.refresh(app, stored.refresh_token, device)
        except CredentialRefused as refused:
            previous = stored.previous_refresh_token
            if not refused.gone or previous is None:
                raise
            try:
                return previous, platform.refresh(app, previous, device)
            except CredentialRefused:
                raise refused from None

    def _write(self, session: Session, document: Credential) -> None:
        remember(*secrets_of(document))
        keep_keys(session)
        session.execute(
            update(UserCredential)
            .where(
                UserCredential.id == self._credential_id, UserCredential.user_id == self._user_id
            )
            .values(encrypted_data=self._vault.encrypt(reveal(document)))
        )

    def _save(self, renewal: _Renewal) -> None:
        """Store what the broken transaction did not: the platform knows nothing else any more."""
        for number in range(1, SAVES + 1):
            try:
                with self._database.tenant(self._user_id) as session:
                    # A commit may have worked though its answer was lost; a person may have
                    # connected the account anew.
                    if self._locked(session) == renewal.before:
                        self._write(session, renewal.after)
                return
            except TransientError:
                if number == SAVES:
                    raise
                self._sleep(number)

    def _credentials(self, session: Session) -> Credentials:
        return Credentials(session, self._user_id, self._vault)


def _is_usable(stored: Tokens | VKToken, refused: SecretStr | None, now: datetime) -> bool:
    token = stored.access_token
    if token is None or token == refused:
        return False
    return stored.expires_at is None or now < stored.expires_at


def _held(stored: Tokens | VKToken) -> Held:
    assert stored.access_token is not None  # noqa: S101 - both callers have seen to it
    return Held(stored.access_token, stored.expires_at)


def _shown(token: SecretStr | None) -> str:
    return fingerprint(token.get_secret_value())[:SHOWN] if token is not None else "unchanged"
