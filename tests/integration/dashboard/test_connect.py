"""The page before a login at a platform, and the way there behind the gate."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import SecretStr

from dashboard.routes.connect import form_policy
from leap_pipeline.domain.permissions import Permission, Rights
from leap_pipeline.services.audit import SYSTEM
from leap_pipeline.services.credentials import Credentials, Editor
from leap_pipeline.services.oauth_platforms import Login
from leap_pipeline.settings import Settings
from tests.support.accounts import ADA
from tests.support.console import Desk

BOB = "bob@example.org"
GRANT = {"access_token": "token-of-the-account", "refresh_token": "to-renew-the-account"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """LEAP has an app at Google and at VK, and none at Zoom."""
    changed = {
        "public_url": "http://testserver",
        "google_client_id": "google",
        "google_client_secret": SecretStr("secret-of-google"),
        "vk_client_id": "vk",
    }
    return settings.model_copy(update=changed)


def add(desk: Desk, email: str, platform: str, data: dict[str, Any], name: str) -> int:
    user_id = desk.id_of(email)
    with desk.database.tenant(user_id) as session:
        store = Credentials(session, user_id, desk.console.vault)
        return store.create(platform, data, Editor(SYSTEM, Rights()), account_name=name).id


def test_the_button_leads_to_the_platform_and_nowhere_else(desk: Desk) -> None:
    desk.add(ADA)
    client = desk.client(ADA)
    page = client.get("/connect/youtube")
    assert page.status_code == 200
    assert 'action="/oauth/youtube/start"' in page.text
    policy = page.headers["content-security-policy"]
    assert "form-action 'self' https://accounts.google.com https://*.accounts.google.com" in policy
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    gone = client.post("/oauth/youtube/start", data={"account_name": "Physics"})
    assert gone.status_code == 303
    assert gone.headers["location"].startswith("https://accounts.google.com/o/oauth2/v2/auth?")
    back = client.get("/oauth/youtube/callback?state=stolen&code=code")
    assert (back.status_code, "used already" in back.text) == (409, True)
    assert 'href="/connections"' in back.text


def test_an_account_is_connected_again_and_no_strangers(desk: Desk) -> None:
    desk.add(ADA)
    desk.add(BOB)
    mine = add(desk, ADA, "youtube", GRANT, "<b>Physics</b>")
    theirs = add(desk, BOB, "youtube", GRANT, "Bob's")
    client = desk.client(ADA)
    page = client.get(f"/connect/youtube?credential={mine}")
    assert f'name="credential_id" value="{mine}"' in page.text
    assert "&lt;b&gt;Physics&lt;/b&gt;" in page.text
    assert "<b>Physics" not in page.text
    for wrong in (theirs, 999_999, "7x", "-1", ""):
        answer = client.get(f"/connect/youtube?credential={wrong}")
        assert (answer.status_code, "Bob" in answer.text) == (400, False), wrong
    other = client.get(f"/connect/zoom?credential={mine}")
    assert (other.status_code, "is no account of zoom" in other.text) == (400, True)
    begun = client.post("/oauth/youtube/start", data={"credential_id": str(theirs)})
    assert begun.status_code == 400


def test_what_cannot_be_connected_says_why(desk: Desk) -> None:
    desk.add(ADA)
    client = desk.client(ADA)
    zoom = client.get("/connect/zoom")
    assert "LEAP has no app of its own there yet" in zoom.text
    assert "<form" not in zoom.text
    assert client.get("/connect/facebook").status_code == 404
    token = client.get("/connect/vk-implicit").text
    assert 'action="/oauth/vk/token"' in token
    assert 'type="password"' in token


def test_it_needs_a_login_and_the_permission(desk: Desk) -> None:
    desk.add(ADA, without=[Permission.MANAGE_CREDENTIALS])
    assert desk.client().get("/connect/youtube").status_code == 401
    assert desk.client().post("/oauth/youtube/start").status_code == 401
    client = desk.client(ADA)
    page = client.get("/connect/youtube")
    assert (page.status_code, "You may not manage credentials" in page.text) == (403, True)
    begun = client.post("/oauth/youtube/start")
    assert (begun.status_code, "You may not manage credentials" in begun.text) == (403, True)
    pasted = client.post("/oauth/vk/token", data={"token": "vk1.a.token"})
    assert pasted.status_code == 403


def test_another_site_begins_nothing(desk: Desk) -> None:
    desk.add(ADA)
    client = desk.client(ADA)
    evil = {"Origin": "https://evil.example.org"}
    assert client.post("/oauth/youtube/start", headers=evil).status_code == 403


@pytest.mark.parametrize(
    ("login", "changed", "allowed"),
    [
        (Login.ZOOM, {}, "'self' https://zoom.us https://*.zoom.us"),
        (
            Login.VK_ID,
            {},
            "'self' https://id.vk.com https://id.vk.ru https://oauth.vk.com https://oauth.vk.ru",
        ),
        (
            Login.YOUTUBE,
            {"google_auth_url": "http://127.0.0.1:9000/o/oauth2/v2/auth"},
            "'self' http://127.0.0.1:9000",
        ),
    ],
)
def test_a_policy_names_the_platform(login: Login, changed: Any, allowed: str) -> None:
    policy = form_policy(login, Settings(**changed))
    assert policy.endswith(f"form-action {allowed}")
