"""Logins at platforms that have begun: rows that are good once, for 10 minutes, in one browser.

Whoever learns a state cannot use it: only its hash is stored, it belongs to one user's browser
session, and it is gone as soon as anybody comes with it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from pydantic import SecretStr
from sqlalchemy import delete, func, insert

from leap_pipeline.db.engine import Database
from leap_pipeline.db.models.publishing import OAuthState
from leap_pipeline.errors import UserActionError
from leap_pipeline.oauth.pkce import new_verifier
from leap_pipeline.redaction import remember
from leap_pipeline.security.tokens import fingerprint, new_token
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.credentials import keep_keys
from leap_pipeline.services.oauth_platforms import Login

VALID_FOR = timedelta(minutes=10)
VERIFIER = "code_verifier"
AGAIN = "begin connecting the account again"


@dataclass(frozen=True)
class Whose:
    """Who began a login and how; whoever ends it must be the same."""

    user_id: str
    browser: str = field(repr=False)
    """The secret of the browser's session; only its hash is stored."""
    login: Login
    flow: str
    redirect_uri: str


@dataclass(frozen=True)
class Begun:
    """A login that has begun; the account to connect again, or the name of a new one."""

    verifier: SecretStr
    credential_id: int | None = None
    account_name: str | None = None


@dataclass(frozen=True)
class OAuthStates:
    """The rows, each call in a transaction of its own: a state that was used stays used."""

    database: Database
    vault: Vault

    def begin(
        self, whose: Whose, *, credential_id: int | None = None, account_name: str | None = None
    ) -> tuple[str, Begun]:
        """A new state of 43 characters, which nothing but the browser keeps."""
        state = new_token()
        remember(state)
        begun = Begun(new_verifier(), credential_id, account_name)
        with self.database.system() as session:
            keep_keys(session)
            session.execute(delete(OAuthState).where(OAuthState.expires_at <= func.now()))
            session.execute(
                insert(OAuthState).values(
                    state_hash=fingerprint(state),
                    user_id=whose.user_id,
                    platform=whose.login.platform,
                    flow=whose.flow,
                    redirect_uri=whose.redirect_uri,
                    browser_hash=fingerprint(whose.browser),
                    verifier=self.vault.encrypt({VERIFIER: begun.verifier.get_secret_value()}),
                    credential_id=credential_id,
                    account_name=account_name,
                    expires_at=func.now() + VALID_FOR,
                )
            )
        return state, begun

    def end(self, whose: Whose, state: str | None) -> Begun:
        """What was begun with this state, which is of no use from now on, to whomever.

        Raises UserActionError, one sentence for each reason why it is not good here.
        """
        if not state:
            msg = f"The platform's answer names no login: {AGAIN}."
            raise UserActionError(msg)
        table = OAuthState.__table__.c
        with self.database.system() as session:
            row = session.execute(
                delete(OAuthState)
                .where(OAuthState.state_hash == fingerprint(state))
                .returning(*table, (table.expires_at > func.now()).label("lives"))
            ).first()
        if row is None:
            msg = f"This login was used already, has expired or never began: {AGAIN}."
            raise UserActionError(msg)
        wrong = _wrong(
            expired=not row.lives,
            user=row.user_id != whose.user_id,
            browser=row.browser_hash != fingerprint(whose.browser),
            platform=(row.platform, row.flow) != (whose.login.platform, whose.flow),
            address=row.redirect_uri != whose.redirect_uri,
        )
        if wrong is not None:
            msg = f"{wrong}: {AGAIN}."
            raise UserActionError(msg)
        verifier = SecretStr(str(self.vault.decrypt(row.verifier)[VERIFIER]))
        return Begun(verifier, row.credential_id, row.account_name)


def _wrong(
    *, expired: bool, user: bool, browser: bool, platform: bool, address: bool
) -> str | None:
    if user:
        return "Somebody else began this login"
    if browser:
        return "This login was begun in another browser session"
    if platform:
        return "This login was begun at another platform"
    if expired:
        return "This login took longer than 10 minutes and has expired"
    if address:
        return "LEAP's own address has changed since this login began"
    return None
