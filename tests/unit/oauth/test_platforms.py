"""Where people are sent, what is asked for, and every way in which a platform says no."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from leap_pipeline.errors import LeapError, TransientError, UserActionError
from leap_pipeline.oauth.google import GoogleOAuth
from leap_pipeline.oauth.pkce import challenge_of, new_verifier
from leap_pipeline.oauth.platform import App, Grant, OAuthPlatform, Returned
from leap_pipeline.oauth.vk_id import VKIdOAuth
from leap_pipeline.oauth.vk_implicit import VKImplicitOAuth
from leap_pipeline.redaction import redact
from leap_pipeline.sources.zoom.login import ZoomOAuth
from leap_pipeline.web.errors import CredentialRefused
from tests.support.zoom.clock import START, Clock
from tests.support.zoom_calls import Answering, Script

APP = App("app", SecretStr("canary-app-secret"))
BACK = "https://leap.example.edu/oauth/x/callback"
STATE = "s" * 43
VERIFIER = SecretStr("v" * 86)
TOKEN = SecretStr("canary-refresh")
GIVEN = {"access_token": "canary-access", "refresh_token": "canary-new", "expires_in": 3600}
# RFC 7636, appendix B.
RFC_VERIFIER = SecretStr("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
RFC_CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
UPLOAD = "https://www.googleapis.com/auth/youtube.upload"
FORCE = "https://www.googleapis.com/auth/youtube.force-ssl"

KINDS: dict[str, type[Any]] = {
    "google": GoogleOAuth,
    "vk-id": VKIdOAuth,
    "vk-implicit": VKImplicitOAuth,
    "zoom": ZoomOAuth,
}


def made(kind: str, *answers: Answering) -> tuple[OAuthPlatform, Script, Clock]:
    script, clock = Script(*answers), Clock()
    return KINDS[kind](script.http(), clock=clock, sleep=clock.sleep), script, clock


def given(**changes: Any) -> httpx.Response:
    return httpx.Response(200, json={**GIVEN, **changes})


def form(request: httpx.Request) -> dict[str, str]:
    return dict(parse_qsl(request.content.decode(), keep_blank_values=True))


def test_pkce_is_as_the_rfc_says() -> None:
    assert challenge_of(RFC_VERIFIER) == RFC_CHALLENGE
    verifier = new_verifier().get_secret_value()
    assert re.fullmatch(r"[A-Za-z0-9_-]{43,128}", verifier)
    assert verifier != new_verifier().get_secret_value()
    assert verifier not in redact(f"sent {verifier}")


@pytest.mark.parametrize(
    ("kind", "place", "more"),
    [
        (
            "google",
            "https://accounts.google.com/o/oauth2/v2/auth",
            {"access_type": "offline", "prompt": "consent", "scope": f"{UPLOAD} {FORCE}"},
        ),
        ("vk-id", "https://id.vk.com/authorize", {"scope": "video groups wall"}),
        ("zoom", "https://zoom.us/oauth/authorize", {}),
    ],
)
def test_people_are_sent_with_pkce(kind: str, place: str, more: dict[str, str]) -> None:
    platform, _, _ = made(kind)
    address = urlsplit(platform.address(APP, BACK, STATE, "challenge"))
    assert f"{address.scheme}://{address.netloc}{address.path}" == place
    assert dict(parse_qsl(address.query)) == {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": BACK,
        "state": STATE,
        "code_challenge": "challenge",
        "code_challenge_method": "S256",
        **more,
    }
    assert place.startswith(platform.issuer + "/")


def test_vks_implicit_flow_asks_for_a_token() -> None:
    platform, _, _ = made("vk-implicit")
    address = urlsplit(platform.address(APP, BACK, STATE, "challenge"))
    query = dict(parse_qsl(address.query))
    assert (address.netloc, address.path) == ("oauth.vk.com", "/authorize")
    assert query["response_type"] == "token"
    assert (query["state"], query["redirect_uri"]) == (STATE, BACK)
    assert query["scope"] == "video,groups,wall,offline"
    assert "code_challenge" not in query


def test_googles_code_is_changed_with_verifier_and_secret() -> None:
    platform, script, _ = made("google", given(scope=f"{UPLOAD} {FORCE}"))
    grant = platform.exchange(APP, Returned(code=SecretStr("code")), BACK, VERIFIER)
    [request] = script.requests
    assert str(request.url) == "https://oauth2.googleapis.com/token"
    assert form(request) == {
        "grant_type": "authorization_code",
        "code": "code",
        "redirect_uri": BACK,
        "code_verifier": "v" * 86,
        "client_id": "app",
        "client_secret": "canary-app-secret",
    }
    assert grant.fresh_until == START + timedelta(seconds=3540)
    assert platform.missing(grant.scopes) == ()
    assert platform.missing((FORCE,)) == (UPLOAD,)
    assert "canary" not in repr(grant)
    assert "canary-access" not in redact("it was canary-access")


def test_a_grant_of_google_without_a_refresh_token_is_refused() -> None:
    platform, _, _ = made("google", given(refresh_token=None))
    with pytest.raises(CredentialRefused, match="no refresh token: remove LEAP at"):
        platform.exchange(APP, Returned(code=SecretStr("code")), BACK, VERIFIER)


def test_vk_id_gets_device_state_and_verifier_and_no_secret() -> None:
    platform, script, _ = made("vk-id", given(user_id=7), given(user_id=7))
    returned = Returned(state=STATE, code=SecretStr("code"), device_id="device")
    grant = platform.exchange(App("app"), returned, BACK, VERIFIER)
    assert (grant.device_id, grant.user_id) == ("device", "7")
    platform.refresh(App("app"), TOKEN, "device")
    first, second = script.requests
    assert str(first.url) == str(second.url) == "https://id.vk.com/oauth2/auth"
    assert form(first) == {
        "grant_type": "authorization_code",
        "code": "code",
        "code_verifier": "v" * 86,
        "redirect_uri": BACK,
        "state": STATE,
        "client_id": "app",
        "device_id": "device",
    }
    renewed = form(second)
    assert len(renewed.pop("state")) >= 32
    assert renewed == {
        "grant_type": "refresh_token",
        "refresh_token": "canary-refresh",
        "client_id": "app",
        "device_id": "device",
    }


@pytest.mark.parametrize(
    ("kind", "answer", "words", "gone"),
    [
        ("google", (400, {"error": "invalid_grant"}), "Google no longer takes the grant", True),
        ("google", (401, {"error": "invalid_client"}), "does not know the app", False),
        ("google", (400, {"error": "redirect_uri_mismatch"}), "redirect address", False),
        ("google", (400, {"error": "admin_policy_enforced"}), "ask the admin", False),
        ("google", (400, {"error": "odd", "error_description": "why"}), "says “odd why”", False),
        ("google", (404, {}), r"HTTP 404\): see", False),
        ("vk-id", (200, {"error": "invalid_grant"}), "VK no longer takes the grant", True),
        ("vk-id", (200, {"error": "invalid_token"}), "connect the account again", True),
        ("vk-id", (200, {"error": "invalid_client"}), "does not know the app", False),
        ("zoom", (400, {"code": 4741}), "later authorization", True),
        ("zoom", (401, {"code": 4704}), "refuses the app's secret", False),
    ],
)
def test_a_renewal_that_is_refused_says_whether_the_grant_has_ended(
    kind: str, answer: tuple[int, dict[str, Any]], words: str, gone: bool
) -> None:
    platform, script, _ = made(kind, httpx.Response(answer[0], json=answer[1]))
    with pytest.raises(CredentialRefused, match=words) as caught:
        platform.refresh(APP, TOKEN, "device")
    assert caught.value.gone is gone
    assert re.fullmatch(r"[^\n]+\.", str(caught.value))
    assert len(script.requests) == 1


@pytest.mark.parametrize("kind", ["google", "vk-id", "zoom"])
def test_a_code_whose_answer_was_lost_is_not_sent_again(kind: str) -> None:
    platform, script, _ = made(kind, httpx.ReadError("lost"))
    returned = Returned(state=STATE, code=SecretStr("code"), device_id="device")
    with pytest.raises(TransientError, match="broke off"):
        platform.exchange(APP, returned, BACK, VERIFIER)
    assert len(script.requests) == 1


@pytest.mark.parametrize("kind", ["google", "vk-id", "zoom"])
def test_a_renewal_waits_for_a_platform_that_fails_for_a_moment(kind: str) -> None:
    platform, script, clock = made(kind, httpx.Response(503), httpx.ReadError("lost"), given())
    grant = platform.refresh(APP, TOKEN, "device")
    assert grant.refresh_token == SecretStr("canary-new")
    assert len(script.requests) == 3
    assert clock.slept


def channel(status: int, **body: Any) -> LeapError:
    platform, _, _ = made("google", httpx.Response(status, json=body))
    with pytest.raises(UserActionError) as caught:
        platform.identify(APP, Grant(SecretStr("access"), None))
    return caught.value


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("youtubeSignupRequired", "has no YouTube channel: make one"),
        ("quotaExceeded", "quota of the project is used up"),
        ("accessNotConfigured", "switch it on in Google's console"),
        ("forbidden", "says “Not allowed.”"),
    ],
)
def test_a_channel_that_cannot_be_read_is_one_sentence(reason: str, words: str) -> None:
    error = {"message": "Not allowed.", "errors": [{"reason": reason}]}
    assert words in str(channel(403, error=error))
    assert "has no YouTube channel" in str(channel(200, items=[]))
    assert "has no YouTube channel" in str(channel(200, items=[{"id": True}]))


def test_a_channel_is_read_with_the_token() -> None:
    item = {"id": "UC1", "snippet": {"title": "Лекции"}}
    platform, script, _ = made("google", httpx.Response(200, json={"items": [item]}))
    found = platform.identify(APP, Grant(SecretStr("access"), None))
    assert (found.id, found.name) == ("UC1", "Лекции")
    assert script.tokens == ["Bearer access"]
    assert script.params == [{"part": "id,snippet", "mine": "true"}]


def vk_error(code: int) -> httpx.Response:
    error = {"error_code": code, "error_msg": "No."}
    return httpx.Response(200, json={"error": error})


@pytest.mark.parametrize(
    ("code", "words", "gone"),
    [
        (5, r"does not take the token \(error 5\)", True),
        (1051, r"Not permitted: .*\(error 1051\), it says “No.”: ask VK's support", False),
        (15, r"Not permitted: .*\(error 15\)", False),
        (113, r"refuses account.getAppPermissions \(error 113\)", False),
    ],
)
def test_vks_refusals_are_sentences(code: int, words: str, gone: bool) -> None:
    platform, script, _ = made("vk-implicit", vk_error(code))
    with pytest.raises(CredentialRefused, match=words) as caught:
        platform.granted(APP, Grant(SecretStr("canary-vk"), None))
    assert caught.value.gone is gone
    assert form(script.requests[0])["access_token"] == "canary-vk"
    assert "canary" not in str(script.requests[0].url)


def test_vks_rights_and_person_are_read() -> None:
    person = {"response": [{"id": 7, "first_name": "Ада", "last_name": "Л"}]}
    mask = {"response": 16 | 262144 | 2}
    videos = {"response": {"count": 0, "items": []}}
    answers = [httpx.Response(200, json=each) for each in (mask, videos, person)]
    platform, script, _ = made("vk-implicit", *answers)
    grant = platform.granted(APP, Grant(SecretStr("access"), None))
    assert [each.url.path for each in script.requests] == [
        "/method/account.getAppPermissions",
        "/method/video.get",
    ]
    assert grant.scopes == ("video", "groups")
    found = platform.identify(APP, grant)
    assert (found.id, found.name) == ("7", "Ада Л")
    assert platform.missing(("groups",)) == ("video",)


@pytest.mark.parametrize("code", [1, 6, 9, 10, 29])
def test_vk_that_cannot_answer_now_refuses_nobody(code: int) -> None:
    platform, _, _ = made("vk-implicit", vk_error(code))
    with pytest.raises(TransientError, match=f"error {code}"):
        platform.identify(APP, Grant(SecretStr("access"), None))


def test_a_scope_that_vk_does_not_honour_is_found_out() -> None:
    platform, _, _ = made("vk-id", vk_error(1051))
    with pytest.raises(CredentialRefused, match="Not permitted"):
        platform.granted(APP, Grant(SecretStr("access"), None, scopes=("video",)))


def test_a_groups_token_is_nobodys() -> None:
    platform, _, _ = made("vk-implicit", httpx.Response(200, json={"response": []}))
    with pytest.raises(CredentialRefused, match="as if it were a group's"):
        platform.identify(APP, Grant(SecretStr("access"), None))


@pytest.mark.parametrize(
    ("seconds", "until"),
    [("0", None), (None, None), ("86400", START + timedelta(seconds=86340))],
)
def test_an_implicit_token_ends_as_it_says(seconds: str | None, until: Any) -> None:
    platform, _, _ = made("vk-implicit")
    returned = Returned(access_token=SecretStr("access"), seconds=seconds)
    assert platform.exchange(APP, returned, BACK, VERIFIER).fresh_until == until


@pytest.mark.parametrize(
    "scopes",
    [
        ("recording:read", "user:read"),
        ("recording:read:admin", "user:read:admin"),
        (
            "cloud_recording:read:list_user_recordings:admin",
            "cloud_recording:read:list_recording_files",
            "user:read:user",
        ),
    ],
)
def test_zooms_older_and_wider_scopes_do(scopes: tuple[str, ...]) -> None:
    platform, _, _ = made("zoom")
    assert platform.missing(scopes) == ()
    assert platform.missing(scopes[:-1]) == ("user:read:user",)


def test_a_person_at_zoom_is_known_by_the_address() -> None:
    platform, script, _ = made("zoom", httpx.Response(200, json={"id": "x", "email": "a@b.org"}))
    assert platform.identify(APP, Grant(SecretStr("access"), None)).id == "a@b.org"
    assert str(script.requests[0].url) == "https://api.zoom.us/v2/users/me"
    platform, _, _ = made("zoom", httpx.Response(200, json={"id": "x"}))
    assert platform.identify(APP, Grant(SecretStr("access"), None)).id == "x"


@pytest.mark.parametrize(
    ("kind", "place", "field", "answer"),
    [
        ("google", "https://oauth2.googleapis.com/revoke", "token", {"error": "invalid_token"}),
        ("vk-id", "https://id.vk.com/oauth2/revoke", "access_token", {"error": "invalid_token"}),
        ("zoom", "https://zoom.us/oauth/revoke", "token", {"error": "invalid_grant"}),
    ],
)
def test_a_grant_is_ended_and_may_have_ended_already(
    kind: str, place: str, field: str, answer: dict[str, str]
) -> None:
    good = httpx.Response(200, json={})
    platform, script, _ = made(kind, good, httpx.Response(400, json=answer), httpx.Response(403))
    platform.revoke(APP, TOKEN)
    platform.revoke(APP, TOKEN)
    assert str(script.requests[0].url) == place
    assert form(script.requests[0])[field] == "canary-refresh"
    if kind != "vk-id":
        with pytest.raises(CredentialRefused):
            platform.revoke(APP, TOKEN)


def test_an_implicit_grant_is_ended_by_the_person() -> None:
    platform, _, _ = made("vk-implicit")
    with pytest.raises(CredentialRefused, match="settings alone"):
        platform.revoke(APP, TOKEN)
    with pytest.raises(CredentialRefused, match="Nothing renews") as caught:
        platform.refresh(APP, TOKEN, None)
    assert caught.value.gone
