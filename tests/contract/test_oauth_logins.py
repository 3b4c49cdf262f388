"""Logging in at platforms, against a certified OAuth server which wants PKCE."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, text, update

from leap_pipeline.db.models.publishing import OAuthState
from leap_pipeline.db.models.templates import OutputPreset
from leap_pipeline.domain.credentials import VKId, VKToken, YouTube, ZoomUser, reveal
from leap_pipeline.domain.permissions import Rights
from leap_pipeline.errors import InputError, UserActionError
from leap_pipeline.oauth.pkce import new_verifier
from leap_pipeline.oauth.platform import App, Returned
from leap_pipeline.oauth.returned import returned_from
from leap_pipeline.services.audit import AuditFilter, entries
from leap_pipeline.services.credential_rows import Uses
from leap_pipeline.services.credentials import Credentials
from leap_pipeline.services.oauth_platforms import Login, OAuthPlatforms
from leap_pipeline.services.users import add_user
from leap_pipeline.web.errors import CredentialRefused
from tests.support.oidc import DEVICE, IDS, Connecting, changed

CODES = (Login.ZOOM, Login.YOUTUBE, Login.VK_ID)
WHO = {Login.ZOOM: "ada@example.org", Login.YOUTUBE: "UC-ada", Login.VK_ID: "1001"}
FORCE = "https://www.googleapis.com/auth/youtube.force-ssl"
PASTED = "vk1.a.canary-of-a-pasted-token"


def states(connecting: Connecting) -> int:
    with connecting.database.system() as session:
        return session.scalar(text("SELECT count(*) FROM oauth_states")) or 0


def refused(connecting: Connecting, login: Login, address: str, words: str, **by: Any) -> None:
    """Coming back so is refused with one sentence, and nothing is stored."""
    with pytest.raises(UserActionError, match=words) as caught:
        connecting.connections.finish(connecting.visitor(**by), login, returned_from(address))
    assert re.fullmatch(r"[^\n]+\.", str(caught.value))
    assert connecting.count() == 0


@pytest.mark.parametrize("login", CODES)
def test_a_person_connects_an_account(connecting: Connecting, login: Login) -> None:
    view = connecting.connect(login)
    stored = connecting.stored(view.id)
    assert (view.platform, view.is_active) == (login.platform, True)
    assert stored.account == WHO[login]
    assert stored.client_id == IDS[login]
    assert stored.client_secret is None
    assert isinstance(stored, {"zoom": ZoomUser, "youtube": YouTube, "vk-id": VKId}[login])
    assert connecting.takes(stored.access_token)
    assert stored.refresh_token is not None
    assert states(connecting) == 0
    if isinstance(stored, VKId):
        assert stored.device_id == DEVICE


def test_an_account_is_named_after_itself_or_as_the_person_says(connecting: Connecting) -> None:
    assert connecting.connect(Login.YOUTUBE).account_name == "Channel of ada"
    connecting.oidc.control(account="bob")
    assert connecting.connect(Login.YOUTUBE, account_name="Physics").account_name == "Physics"


@pytest.mark.parametrize("login", CODES)
def test_connecting_again_keeps_the_number(connecting: Connecting, login: Login) -> None:
    first = connecting.connect(login, account_name="mine")
    before = connecting.stored(first.id)
    with connecting.database.system() as session:
        session.execute(text("UPDATE user_credentials SET is_active = FALSE"))
    again = connecting.connect(login, credential_id=first.id)
    assert (again.id, again.account_name, again.is_active) == (first.id, "mine", True)
    assert connecting.stored(first.id).access_token != before.access_token
    # Nobody has an account twice who forgets that it is there.
    assert connecting.connect(login).id == first.id
    assert connecting.count() == 1


def test_an_account_whose_key_is_gone_is_connected_again(connecting: Connecting) -> None:
    first = connecting.connect(Login.YOUTUBE)
    with connecting.database.system() as session:
        session.execute(text("UPDATE user_credentials SET encrypted_data = 'gAAAA-lost'"))
    assert connecting.connect(Login.YOUTUBE, credential_id=first.id).id == first.id
    assert connecting.stored(first.id).account == "UC-ada"


def test_another_person_does_not_take_an_accounts_place(connecting: Connecting) -> None:
    first = connecting.connect(Login.YOUTUBE)
    before = connecting.row(first.id).encrypted_data
    connecting.oidc.control(account="bob")
    with pytest.raises(UserActionError, match="another account than “Channel of bob”"):
        connecting.connect(Login.YOUTUBE, credential_id=first.id)
    assert connecting.row(first.id).encrypted_data == before


def test_a_new_grant_keeps_what_is_the_persons_own(connecting: Connecting) -> None:
    first = connecting.connect(Login.ZOOM)
    own = {"client_secret": SecretStr("secret-of-zoom"), "webhook_secret": SecretStr("canary-hook")}
    connecting.put(first.id, connecting.stored(first.id).model_copy(update=own))
    connecting.connections = connecting.made(zoom_client_id=None, zoom_client_secret=None)
    connecting.connect(Login.ZOOM, credential_id=first.id)
    stored = connecting.stored(first.id)
    assert stored.client_secret.get_secret_value() == "secret-of-zoom"
    assert stored.webhook_secret.get_secret_value() == "canary-hook"


def test_the_log_tells_who_connected_and_no_secret(connecting: Connecting) -> None:
    view = connecting.connect(Login.YOUTUBE)
    with connecting.database.system() as session:
        told = AuditFilter(action="credential.create", owner_id=connecting.user_id)
        [entry] = entries(session, told)
    assert (entry.actor, entry.subject_id) == ("ada@example.org", str(view.id))
    secret = connecting.stored(view.id).refresh_token.get_secret_value()
    assert secret not in f"{entry.before} {entry.after}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "a" * 43}, "was used already, has expired or never began"),
        ({"state": None}, "names no login"),
        ({"code": None}, "has no code"),
        ({"code": "a" * 43}, "no longer takes the grant"),
        ({"iss": "https://accounts.example.org"}, "from somebody else than Google"),
        ({"code": None, "error": "access_denied"}, "Nothing was allowed at Google"),
        ({"code": None, "error": "server_error"}, "did not let anybody log in"),
    ],
)
def test_a_wrong_answer_stores_nothing(
    connecting: Connecting, change: dict[str, str | None], words: str
) -> None:
    address = connecting.came_back(Login.YOUTUBE)
    refused(connecting, Login.YOUTUBE, changed(address, **change), words)
    left = 0 if change.get("state", "kept") == "kept" else 1
    assert states(connecting) == left  # whoever comes with a state uses it up


def test_an_answer_is_good_once(connecting: Connecting) -> None:
    address = connecting.came_back(Login.YOUTUBE)
    view = connecting.connections.finish(
        connecting.visitor(), Login.YOUTUBE, returned_from(address)
    )
    before = connecting.row(view.id).encrypted_data
    with pytest.raises(UserActionError, match="was used already"):
        connecting.connections.finish(connecting.visitor(), Login.YOUTUBE, returned_from(address))
    assert connecting.row(view.id).encrypted_data == before


def test_another_browser_cannot_end_a_login(connecting: Connecting) -> None:
    address = connecting.came_back(Login.YOUTUBE)
    refused(connecting, Login.YOUTUBE, address, "another browser", browser="somebody else's")
    refused(connecting, Login.YOUTUBE, address, "was used already")


def test_another_user_cannot_end_a_login(connecting: Connecting) -> None:
    with connecting.database.system() as session:
        bob = add_user(session, "bob@example.org").id
    address = connecting.came_back(Login.YOUTUBE)
    refused(connecting, Login.YOUTUBE, address, "Somebody else began", user_id=bob)


def test_another_platform_cannot_end_a_login(connecting: Connecting) -> None:
    address = connecting.came_back(Login.YOUTUBE)
    refused(connecting, Login.ZOOM, address, "begun at another platform")


def test_a_login_expires(connecting: Connecting) -> None:
    address = connecting.came_back(Login.YOUTUBE)
    with connecting.database.system() as session:
        session.execute(update(OAuthState).values(expires_at=func.now()))
    refused(connecting, Login.YOUTUBE, address, "longer than 10 minutes")


def test_an_address_of_leap_that_changed_ends_a_login(connecting: Connecting) -> None:
    address = connecting.came_back(Login.YOUTUBE)
    connecting.connections = connecting.made(public_url="https://moved.example.edu")
    refused(connecting, Login.YOUTUBE, address, "LEAP's own address has changed")


@pytest.mark.parametrize("login", CODES)
def test_who_says_no_connects_nothing(connecting: Connecting, login: Login) -> None:
    connecting.oidc.control(deny=True)
    refused(connecting, login, connecting.came_back(login), "Nothing was allowed")


@pytest.mark.parametrize(
    ("login", "scope"),
    [(Login.YOUTUBE, FORCE), (Login.VK_ID, "video"), (Login.ZOOM, "user:read:user")],
)
def test_a_right_that_is_missing_connects_nothing(
    connecting: Connecting, login: Login, scope: str
) -> None:
    connecting.oidc.control(without=[scope])
    address = connecting.came_back(login)
    refused(connecting, login, address, rf"did not grant the right {re.escape(scope)}: connect")


@pytest.mark.parametrize("code", [15, 1051])
def test_an_app_that_vk_has_not_given_the_right_connects_nothing(
    connecting: Connecting, code: int
) -> None:
    connecting.oidc.control(probe=code)
    address = connecting.came_back(Login.VK_ID)
    refused(connecting, Login.VK_ID, address, rf"Not permitted: .*\(error {code}\)")


def test_an_account_without_a_channel_is_not_connected(connecting: Connecting) -> None:
    connecting.oidc.control(account="nobody")
    refused(connecting, Login.YOUTUBE, connecting.came_back(Login.YOUTUBE), "no YouTube channel")


@pytest.mark.parametrize("login", CODES)
def test_the_server_itself_refuses_another_verifier_and_another_address(
    connecting: Connecting, login: Login
) -> None:
    platform = OAuthPlatforms(connecting.oidc.http, connecting.settings).of(login)
    app = App(IDS[login], SecretStr(f"secret-of-{IDS[login]}"))
    for elsewhere in ("", "/elsewhere"):
        returned = returned_from(connecting.came_back(login))
        address = connecting.connections.redirect_uri(login) + elsewhere
        with pytest.raises(CredentialRefused, match="connect the account again"):
            platform.exchange(app, returned, address, new_verifier())


def test_a_login_needs_the_permission_the_app_and_an_account_of_its_kind(
    connecting: Connecting,
) -> None:
    nothing = connecting.visitor(rights=Rights(permissions=frozenset()))
    with pytest.raises(UserActionError, match="You may not manage credentials"):
        connecting.connections.start(nothing, Login.ZOOM)
    with pytest.raises(UserActionError, match="You may not manage credentials"):
        connecting.connections.finish(nothing, Login.ZOOM, Returned())
    with pytest.raises(CredentialRefused, match="set LEAP_GOOGLE_CLIENT_ID and LEAP_GOOGLE_CLIENT"):
        connecting.made(google_client_id=None).start(connecting.visitor(), Login.YOUTUBE)
    zoom = connecting.connect(Login.ZOOM)
    with pytest.raises(InputError, match="is another kind of account"):
        connecting.connections.start(connecting.visitor(), Login.YOUTUBE, credential_id=zoom.id)
    with connecting.database.system() as session:
        bob = add_user(session, "bob@example.org").id
    with pytest.raises(InputError, match="There is no credential"):
        connecting.connections.start(
            connecting.visitor(user_id=bob), Login.ZOOM, credential_id=zoom.id
        )
    with pytest.raises(InputError, match="name has 1 to 255 characters"):
        connecting.connections.start(connecting.visitor(), Login.ZOOM, account_name="a\0b")


def implicit(connecting: Connecting, **changes: str | None) -> str:
    """What VK would send a browser back to, for a token that the server knows."""
    address = connecting.connections.start(connecting.visitor(), Login.VK_IMPLICIT)
    query = returned_from(address.replace("response_type", "x"))
    fields = {"access_token": PASTED, "expires_in": "0", "state": query.state, **changes}
    place = connecting.connections.redirect_uri(Login.VK_IMPLICIT)
    return changed(f"{place}?x=1", x=None, **fields).replace("?", "#")


def rights(*names: str) -> dict[str, Any]:
    return {PASTED: {"account": "Ada", "number": 1001, "scopes": list(names)}}


def test_vks_implicit_flow_brings_a_token(connecting: Connecting) -> None:
    connecting.oidc.control(tokens=rights("video", "groups"))
    view = connecting.connections.finish(
        connecting.visitor(), Login.VK_IMPLICIT, returned_from(implicit(connecting))
    )
    stored = connecting.stored(view.id)
    assert isinstance(stored, VKToken)
    assert (stored.user_id, stored.scopes, stored.client_id) == ("1001", ("video", "groups"), "vk")
    assert stored.expires_at is None
    assert stored.access_token.get_secret_value() == PASTED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "b" * 43}, "was used already, has expired or never began"),
        ({"access_token": None}, "has no token"),
        ({"access_token": None, "error": "access_denied"}, "Nothing was allowed at VK"),
        ({"access_token": "vk1.a.unknown-to-vk"}, "VK does not take the token"),
    ],
)
def test_a_wrong_fragment_stores_nothing(
    connecting: Connecting, changes: dict[str, str | None], words: str
) -> None:
    refused(connecting, Login.VK_IMPLICIT, implicit(connecting, **changes), words)


def test_a_pasted_token_is_looked_at_and_stored(connecting: Connecting) -> None:
    visitor = connecting.visitor()
    paste: Callable[[str], Any] = lambda token: connecting.connections.paste(visitor, token)  # noqa: E731
    connecting.oidc.control(tokens=rights("groups"))
    with pytest.raises(UserActionError, match="did not grant the right video"):
        paste(PASTED)
    with pytest.raises(InputError, match="no token of VK"):
        paste("two words")
    assert connecting.count() == 0
    connecting.oidc.control(tokens=rights("video"))
    view = paste(f"  {PASTED}\n")
    assert (view.account_name, connecting.stored(view.id).user_id) == ("Ada", "1001")


@pytest.mark.parametrize("login", CODES)
def test_a_grant_is_ended_at_the_platform_too(connecting: Connecting, login: Login) -> None:
    view = connecting.connect(login)
    token = connecting.tokens(view.id).renew(connecting.stored(view.id).access_token)
    assert connecting.takes(token)
    done = connecting.connections.disconnect(connecting.visitor(), view.id)
    assert (done.account.id, done.uses, done.ended) == (view.id, Uses(), True)
    assert not connecting.takes(token)
    assert connecting.count() == 0
    with connecting.database.system() as session:
        (told, *_) = entries(session, AuditFilter(owner_id=connecting.user_id))
    assert (told.action, told.subject_id) == ("credential.delete", str(view.id))
    with pytest.raises(InputError, match="There is no credential"):
        connecting.connections.disconnect(connecting.visitor(), view.id)
    assert connecting.connect(login).is_active


@pytest.mark.parametrize("login", CODES)
def test_a_grant_that_has_ended_already_is_no_error(connecting: Connecting, login: Login) -> None:
    view = connecting.connect(login)
    stored = connecting.stored(view.id)
    connecting.connections.disconnect(connecting.visitor(), view.id)
    with connecting.database.tenant(connecting.user_id) as session:
        store = Credentials(session, connecting.user_id, connecting.vault)
        again = store.create(view.platform, reveal(stored), connecting.visitor().editor)
    assert connecting.connections.disconnect(connecting.visitor(), again.id).ended
    assert connecting.count() == 0


def test_an_account_in_use_is_not_disconnected_by_accident(connecting: Connecting) -> None:
    view = connecting.connect(Login.YOUTUBE)
    with connecting.database.tenant(connecting.user_id) as session:
        for name in ("Lectures", "Seminars"):
            session.add(
                OutputPreset(
                    user_id=connecting.user_id,
                    name=name,
                    platform="YOUTUBE",
                    credential_id=view.id,
                )
            )
    token = connecting.stored(view.id).access_token
    with pytest.raises(
        UserActionError, match="is used by the presets “Lectures”, “Seminars”: give"
    ):
        connecting.connections.disconnect(connecting.visitor(), view.id)
    assert connecting.takes(token)
    nobody = connecting.visitor(rights=Rights(permissions=frozenset()))
    with pytest.raises(UserActionError, match="can_manage_credentials"):
        connecting.connections.disconnect(nobody, view.id, force=True)
    done = connecting.connections.disconnect(connecting.visitor(), view.id, force=True)
    assert (done.uses.presets, done.ended) == (("Lectures", "Seminars"), True)
    assert connecting.count() == 0


def test_a_platform_that_cannot_be_told_keeps_the_account_unless_forced(
    connecting: Connecting,
) -> None:
    view = connecting.connect(Login.ZOOM)
    connections = connecting.made(zoom_client_id=None)
    with pytest.raises(UserActionError, match="LEAP_ZOOM_CLIENT_ID"):
        connections.disconnect(connecting.visitor(), view.id)
    assert connecting.count() == 1
    assert not connections.disconnect(connecting.visitor(), view.id, force=True).ended
    assert connecting.count() == 0


def test_a_pasted_token_is_only_removed_here(connecting: Connecting) -> None:
    connecting.oidc.control(tokens=rights("video"))
    view = connecting.connections.paste(connecting.visitor(), PASTED)
    assert not connecting.connections.disconnect(connecting.visitor(), view.id).ended
    assert connecting.count() == 0


def test_an_account_with_an_app_of_its_own_stays_what_it_is(connecting: Connecting) -> None:
    first = connecting.connect(Login.YOUTUBE)
    own = {"client_id": "mine", "client_secret": SecretStr("canary-of-my-own-app")}
    connecting.put(first.id, connecting.stored(first.id).model_copy(update=own))
    before = connecting.row(first.id).encrypted_data
    second = connecting.connect(Login.YOUTUBE)
    assert second.id != first.id
    assert connecting.row(first.id).encrypted_data == before
