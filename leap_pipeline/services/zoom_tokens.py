"""A person's Zoom grant, whose refresh token is another one after each renewal.

Two renewals at once, or one whose outcome is not stored, would lose the grant. So the row is locked
before Zoom is asked, and both tokens are written before it is let go; whoever waited for it finds
the new ones. The token that was replaced stays for one more try: should a worker die between Zoom's
answer and the commit, the stored one is the replaced one already.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import SecretStr
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.users import UserCredential
from leap_pipeline.domain.credentials import ZoomUser, reveal, secrets_of
from leap_pipeline.errors import InputError, TransientError
from leap_pipeline.redaction import remember
from leap_pipeline.security.tokens import fingerprint
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Credentials, keep_keys
from leap_pipeline.sources.zoom.oauth import App, Grant, TokenEndpoint
from leap_pipeline.web.errors import CredentialRefused
from leap_pipeline.web.tokens import Held, SharedToken

# Longer than a renewal takes, so that whoever waits finds its outcome.
LOCK_WAIT = text("SET LOCAL lock_timeout = '90s'")
SAVES = 5
SHOWN = 12

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Renewal:
    """What Zoom gave, and the document that it replaces."""

    before: ZoomUser
    after: ZoomUser


class UserToken(SharedToken):
    """The access token of a stored grant, for one process; others share it through the row."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        endpoint: TokenEndpoint,
        user_id: str,
        credential_id: int,
        app: App | None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`app` is the installation's, for grants that name none."""
        super().__init__(clock)
        self._database = database
        self._vault = vault
        self._endpoint = endpoint
        self._user_id = user_id
        self._credential_id = credential_id
        self._app = app
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

    def _locked(self, session: Session) -> ZoomUser:
        """The document as nobody else can change it before this transaction ends."""
        session.execute(LOCK_WAIT)
        session.execute(
            select(UserCredential.id)
            .where(UserCredential.id == self._credential_id)
            .with_for_update(key_share=True)
        )
        found = self._credentials(session).open(self._credential_id)
        if not isinstance(found, ZoomUser):
            msg = f"Credential {self._credential_id} is another kind of account now: run it again."
            raise InputError(msg)
        return found

    def _renewed(self, stored: ZoomUser) -> _Renewal:
        used, grant = self._granted(stored, self._app_of(stored))
        rotated = grant.refresh_token
        logger.info(
            "Zoom renewed the tokens of credential %s: refresh token %s, before it %s",
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

    def _granted(self, stored: ZoomUser, app: App) -> tuple[SecretStr, Grant]:
        """New tokens, and the refresh token that brought them."""
        if stored.refresh_token is None:
            msg = "Zoom's access token has ended, and there is none to renew it by: connect again."
            raise CredentialRefused(msg, gone=True)
        try:
            return stored.refresh_token, self._endpoint.refresh(app, stored.refresh_token)
        except CredentialRefused as refused:
            previous = stored.previous_refresh_token
            if not refused.gone or previous is None:
                raise
            try:
                return previous, self._endpoint.refresh(app, previous)
            except CredentialRefused:
                raise refused from None

    def _app_of(self, stored: ZoomUser) -> App:
        if stored.client_id is not None and stored.client_secret is not None:
            return App(stored.client_id, stored.client_secret)
        if self._app is None:
            msg = (
                "The Zoom account was connected through LEAP's own app, which is not set: set "
                "LEAP_ZOOM_CLIENT_ID and LEAP_ZOOM_CLIENT_SECRET."
            )
            raise CredentialRefused(msg)
        return self._app

    def _write(self, session: Session, document: ZoomUser) -> None:
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
        """Store what the broken transaction did not: Zoom knows nothing else any more."""
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


def _is_usable(stored: ZoomUser, refused: SecretStr | None, now: datetime) -> bool:
    token = stored.access_token
    return token is not None and token != refused and not stored.has_expired(now)


def _held(stored: ZoomUser) -> Held:
    assert stored.access_token is not None  # noqa: S101 - both callers have seen to it
    return Held(stored.access_token, stored.expires_at)


def _shown(token: SecretStr | None) -> str:
    return fingerprint(token.get_secret_value())[:SHOWN] if token is not None else "unchanged"
