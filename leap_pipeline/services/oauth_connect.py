"""Connecting accounts: a person logs in at a platform, and LEAP stores what it may do for them.

    address = connections.start(visitor, Login.YOUTUBE)      # send the browser there
    view = connections.finish(visitor, Login.YOUTUBE, returned)

Nothing is stored before all is right: the state, the tokens, the rights, whose account it is. An
account that is connected again keeps its number, so that sources and presets go on using it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leap_pipeline.db.engine import Database
from leap_pipeline.domain.credentials import Credential, Tokens, VKId, VKToken, YouTube, ZoomUser
from leap_pipeline.domain.permissions import Permission, Rights, require
from leap_pipeline.errors import InputError, MustWaitError, TransientError, UserActionError
from leap_pipeline.oauth.pkce import challenge_of
from leap_pipeline.oauth.platform import App, Flow, Grant, Returned
from leap_pipeline.oauth.reading import as_token
from leap_pipeline.redaction import remember
from leap_pipeline.security.vault import Vault
from leap_pipeline.services.audit import Actor
from leap_pipeline.services.credential_rows import CredentialView, Uses, used_by_others
from leap_pipeline.services.credentials import Credentials, Editor, checked_name
from leap_pipeline.services.grants import StoredGrant
from leap_pipeline.services.oauth_documents import Connected, document_of, has_own_app, is_same
from leap_pipeline.services.oauth_platforms import Login, OAuthPlatforms
from leap_pipeline.services.oauth_states import OAuthStates, Whose
from leap_pipeline.web.errors import CredentialRefused

CALLBACK = "/oauth/{login}/callback"
LONGEST_SAID = 60
_KINDS: Mapping[Login, tuple[type[Credential], ...]] = {
    Login.ZOOM: (ZoomUser,),
    Login.YOUTUBE: (YouTube,),
    Login.VK_ID: (VKId, VKToken),
    Login.VK_IMPLICIT: (VKId, VKToken),
}


@dataclass(frozen=True)
class Visitor:
    """Who is logged in to LEAP, in which browser session; `browser` is a secret of that session."""

    user_id: str
    rights: Rights
    browser: str = field(repr=False)
    actor: Actor

    @property
    def editor(self) -> Editor:
        return Editor(self.actor, self.rights)


@dataclass(frozen=True)
class Disconnected:
    """An account that is in LEAP no more, and what used it.

    `ended` says that the platform ended the grant too. Otherwise nothing changed there: what was
    granted to a pasted token, or a key, the person takes back in the platform's own settings.
    """

    account: CredentialView
    uses: Uses
    ended: bool


class Connections:
    """Begins and ends logins. Safe to share between threads."""

    def __init__(
        self, database: Database, vault: Vault, platforms: OAuthPlatforms, public_url: str
    ) -> None:
        """`public_url` is where the browser reaches LEAP, without a path's last slash."""
        self._database = database
        self._vault = vault
        self._platforms = platforms
        self._public_url = public_url.rstrip("/")
        self._states = OAuthStates(database, vault)

    @property
    def public_url(self) -> str:
        return self._public_url

    def redirect_uri(self, login: Login) -> str:
        """The fixed address that the app at the platform must name."""
        return self._public_url + CALLBACK.format(login=login)

    def start(
        self,
        visitor: Visitor,
        login: Login,
        *,
        credential_id: int | None = None,
        account_name: str | None = None,
    ) -> str:
        """The address where the person logs in; `credential_id` is the account to connect again.

        Raises InputError for an account that is not there or of another kind, UserActionError
        without the permission or LEAP's app there.
        """
        require(visitor.rights, Permission.MANAGE_CREDENTIALS)
        name = checked_name(account_name) if account_name is not None else None
        stored = self._stored(visitor, login, credential_id)
        app = self._app(login, stored)
        state, begun = self._states.begin(
            self._whose(visitor, login), credential_id=credential_id, account_name=name
        )
        platform = self._platforms.of(login)
        challenge = challenge_of(begun.verifier)
        return platform.address(app, self.redirect_uri(login), state, challenge)

    def finish(self, visitor: Visitor, login: Login, returned: Returned) -> CredentialView:
        """Store the account of a login that came back.

        Raises UserActionError, CredentialRefused, TransientError and MustWaitError; then nothing is
        stored, and the login has to begin again.
        """
        require(visitor.rights, Permission.MANAGE_CREDENTIALS)
        begun = self._states.end(self._whose(visitor, login), returned.state)
        for secret in (returned.code, returned.access_token):
            if secret is not None:
                remember(secret.get_secret_value())
        platform = self._platforms.of(login)
        if returned.issuer is not None and returned.issuer.rstrip("/") != platform.issuer:
            msg = f"The answer comes from somebody else than {platform.service}: connect again."
            raise UserActionError(msg)
        if returned.error is not None:
            raise _denied(platform.service, returned.error)
        if platform.flow is Flow.CODE and returned.code is None:
            msg = f"{platform.service}'s answer has no code: connect again."
            raise UserActionError(msg)
        stored = self._stored(visitor, login, begun.credential_id)
        app = self._app(login, stored)
        given = platform.exchange(app, returned, self.redirect_uri(login), begun.verifier)
        found = self._checked(login, app, given)
        return self._store(visitor, found, begun.credential_id, begun.account_name)

    def paste(
        self,
        visitor: Visitor,
        token: str,
        *,
        credential_id: int | None = None,
        account_name: str | None = None,
    ) -> CredentialView:
        """Store a VK token that the person got elsewhere and pasted; raises as `finish` does."""
        require(visitor.rights, Permission.MANAGE_CREDENTIALS)
        login = Login.VK_IMPLICIT
        self._stored(visitor, login, credential_id)
        pasted = as_token(token.strip())
        if pasted is None or " " in pasted.get_secret_value():
            msg = "This is no token of VK: paste the token alone, without what stands around it."
            raise InputError(msg)
        found = self._checked(login, None, Grant(pasted, None))
        return self._store(visitor, found, credential_id, account_name)

    def disconnect(
        self,
        visitor: Visitor,
        credential_id: int,
        *,
        force: bool = False,
        expected: Uses | None = None,
    ) -> Disconnected:
        """End the grant at the platform, and remove the account here.

        `expected` is what the person was shown to use it, and agreed to lose: that is no reason to
        refuse then, anything else raises StaleChange, and `force` is about the platform alone.
        Raises UserActionError without the permission; where presets or sources use the account, or
        the platform cannot be told, raises as `finish` does, unless `force`. Killed in between it
        is said again: a grant that has ended is no error.
        """
        require(visitor.rights, Permission.MANAGE_CREDENTIALS)
        with self._database.tenant(visitor.user_id) as session:
            store = self._of(visitor, session)
            view, stored = store.view(credential_id), store.stored(credential_id)
            uses = store.uses(credential_id)
        if expected is not None and uses != expected:
            raise used_by_others(view.title)
        if uses and expected is None and not force:
            msg = (
                f"{view.title} is used by {uses}: give them another account first, or force it, "
                "which deletes the presets and leaves the sources without an account."
            )
            raise UserActionError(msg)
        ended = False
        if view.is_active and isinstance(stored, Tokens):
            ended = self._end(visitor.user_id, credential_id, stored, force=force)
        with self._database.tenant(visitor.user_id) as session:
            self._of(visitor, session).delete(
                credential_id,
                visitor.editor,
                with_presets=force or expected is not None,
                expected=expected,
            )
        return Disconnected(view, uses, ended)

    def _end(self, user_id: str, credential_id: int, stored: Tokens, *, force: bool) -> bool:
        login, platform = self._platforms.of_credential(stored)
        source = StoredGrant(self._database, self._vault, self._platforms, user_id, credential_id)
        try:
            # Zoom and VK ID take none but an access token that is good now.
            platform.revoke(self._platforms.app_of(stored, login), source.get())
        except (CredentialRefused, TransientError, MustWaitError) as failed:
            if isinstance(failed, CredentialRefused) and failed.gone:
                return True
            if not force:
                raise
            return False
        return True

    def _whose(self, visitor: Visitor, login: Login) -> Whose:
        flow = self._platforms.of(login).flow
        return Whose(visitor.user_id, visitor.browser, login, flow, self.redirect_uri(login))

    def _app(self, login: Login, stored: Credential | None) -> App:
        """LEAP's own app now, unless the account brings one with its secret."""
        return self._platforms.app_of(stored if has_own_app(stored) else None, login)

    def _stored(
        self, visitor: Visitor, login: Login, credential_id: int | None
    ) -> Credential | None:
        """The account to connect again; None for a new one, or one that cannot be read."""
        if credential_id is None:
            return None
        with self._database.tenant(visitor.user_id) as session:
            store = self._of(visitor, session)
            view = store.view(credential_id)
            stored = store.stored(credential_id)
        fits = stored is None or isinstance(stored, _KINDS[login])
        if view.platform != login.platform or not fits:
            msg = f"{view.title} is another kind of account: connect this one as a new account."
            raise InputError(msg)
        return stored

    def _checked(self, login: Login, app: App | None, given: Grant) -> Connected:
        platform = self._platforms.of(login)
        asked = app or App("")
        grant = platform.granted(asked, given)
        missing = platform.missing(grant.scopes)
        if missing:
            names = ", ".join(missing)
            msg = (
                f"{platform.service} did not grant the right {names}: connect again and allow it; "
                "if it is not offered, give it to the app there first."
            )
            raise UserActionError(msg)
        return Connected(login, app, grant, platform.identify(asked, grant))

    def _store(
        self,
        visitor: Visitor,
        found: Connected,
        credential_id: int | None,
        account_name: str | None,
    ) -> CredentialView:
        with self._database.tenant(visitor.user_id) as session:
            store = self._of(visitor, session)
            number = credential_id or _known(store, found)
            before = store.stored(number) if number is not None else None
            if before is not None and not is_same(before, found):
                raise _another(found, store.view(number or 0))
            document = document_of(found, before)
            if number is not None:
                return store.update(
                    number, visitor.editor, data=document, account_name=account_name
                )
            name = account_name or _free_name(store, found)
            return store.create(found.login.platform, document, visitor.editor, account_name=name)

    def _of(self, visitor: Visitor, session: Any) -> Credentials:
        return Credentials(session, visitor.user_id, self._vault)


def _known(store: Credentials, found: Connected) -> int | None:
    """The same account, connected before: it is renewed, and nobody has it twice.

    One with an app of its owner's stays what it is: it has a quota of its own.
    """
    for view in store.views(found.login.platform):
        stored = store.stored(view.id)
        fits = isinstance(stored, _KINDS[found.login]) and not has_own_app(stored)
        if fits and stored is not None and stored.account and is_same(stored, found):
            return view.id
    return None


def _free_name(store: Credentials, found: Connected) -> str:
    taken = {view.account_name for view in store.views(found.login.platform)}
    return found.identity.id if found.identity.name in taken else found.identity.name


def _another(found: Connected, view: CredentialView) -> UserActionError:
    msg = (
        f"{view.title} is another account than “{found.identity.name}”, who has just logged in: "
        "log in there as the same one, or connect this one as a new account."
    )
    return UserActionError(msg)


def _denied(service: str, error: str) -> UserActionError:
    if error in ("access_denied", "user_denied", "consent_required"):
        msg = (
            f"Nothing was allowed at {service}, so nothing is connected: connect again to allow it."
        )
        return UserActionError(msg)
    shown = "".join(each for each in error if each.isprintable())[:LONGEST_SAID]
    msg = f"{service} did not let anybody log in (“{shown}”): see that the app there is right."
    return UserActionError(msg)
