"""A platform's credential: what it takes, what it refuses and where; it shows no secret."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leap_pipeline.domain.credentials import (
    DeepSeek,
    Fireworks,
    Tokens,
    VKId,
    VKToken,
    YouTube,
    ZoomServerToServer,
    ZoomUser,
    masked,
    parse_credential,
    reveal,
    secrets_of,
)
from leap_pipeline.errors import InputError

CANARY = "canary-0123456789-abcdef"
S2S = {"account_id": "acc", "client_id": "app", "client_secret": CANARY}
GRANT = {"access_token": f"{CANARY}-a", "refresh_token": f"{CANARY}-r"}
GOOGLE_FILES: dict[str, Any] = {
    "client_secrets": {
        "web": {
            "client_id": "1.apps.googleusercontent.com",
            "client_secret": CANARY,
            "project_id": "leap",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": "https://oauth2.googleapis.com/token",
            "redirect_uris": ["http://localhost"],
        }
    },
    "token": {
        "token": f"{CANARY}-a",
        "refresh_token": f"{CANARY}-r",
        "token_uri": "https://oauth2.googleapis.com/token",
        "client_id": "1.apps.googleusercontent.com",
        "client_secret": CANARY,
        "scopes": ["https://www.googleapis.com/auth/youtube.upload"],
        "expiry": "2026-02-05T13:00:00.123456",
        "universe_domain": "googleapis.com",
        "account": "",
    },
}
GOOD: list[tuple[str, dict[str, Any], type, dict[str, Any]]] = [
    ("zoom", S2S, ZoomServerToServer, S2S),
    ("zoom", {**S2S, "webhook_secret": f" {CANARY}-w\n"}, ZoomServerToServer,
     {**S2S, "webhook_secret": f"{CANARY}-w"}),
    ("zoom", {**GRANT, "webhook_secret": f"{CANARY}-w"}, ZoomUser,
     {**GRANT, "webhook_secret": f"{CANARY}-w"}),
    ("zoom", {**S2S, "account": "host@example.edu"}, ZoomServerToServer,
     {**S2S, "host": "host@example.edu"}),
    ("zoom", {**GRANT, "token_type": "bearer", "scope": "a:read b:read", "expires_in": 3599,
              "expiry": "2026-02-05T13:00:00Z"}, ZoomUser,
     {**GRANT, "token_type": "bearer", "scopes": ["a:read", "b:read"],
      "expires_at": "2026-02-05T13:00:00Z"}),
    ("youtube", GRANT, YouTube, GRANT),
    ("youtube", {"refresh_token": CANARY}, YouTube, {"refresh_token": CANARY}),
    ("youtube", GOOGLE_FILES, YouTube,
     {**GRANT, "expires_at": "2026-02-05T13:00:00.123456Z", "project_id": "leap",
      "scopes": ["https://www.googleapis.com/auth/youtube.upload"],
      "client_id": "1.apps.googleusercontent.com", "client_secret": CANARY,
      "token_uri": "https://oauth2.googleapis.com/token"}),
    ("youtube", GOOGLE_FILES["token"], YouTube,
     {**GRANT, "expires_at": "2026-02-05T13:00:00.123456Z",
      "scopes": ["https://www.googleapis.com/auth/youtube.upload"],
      "client_id": "1.apps.googleusercontent.com", "client_secret": CANARY,
      "token_uri": "https://oauth2.googleapis.com/token"}),
    ("vk", {"access_token": CANARY}, VKToken, {"access_token": CANARY}),
    ("vk", {"access_token": CANARY, "user_id": 1001, "scope": "video,groups"}, VKToken,
     {"access_token": CANARY, "user_id": "1001", "scopes": ["video", "groups"]}),
    ("vk", {**GRANT, "device_id": "d", "client_id": "512"}, VKId,
     {**GRANT, "device_id": "d", "client_id": "512"}),
    ("vk", {**GRANT, "user_id": 1001, "expires_in": 3600, "expiry": "2026-02-05T13:00:00Z"}, VKId,
     {**GRANT, "user_id": "1001", "expires_at": "2026-02-05T13:00:00Z"}),
    ("fireworks", {"api_key": "fw_2_ключ"}, Fireworks, {"api_key": "fw_2_ключ"}),
    ("fireworks", {"api_key": f"  {CANARY}\n", "account_id": "acc"}, Fireworks,
     {"api_key": CANARY, "account_id": "acc"}),
    ("deepseek", {"api_key": "sk-6"}, DeepSeek, {"api_key": "sk-6"}),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "data", "kind", "written"), GOOD)
def test_a_document_becomes_its_kind_and_is_written_in_todays_form(
    platform: str, data: dict[str, Any], kind: type, written: dict[str, Any]
) -> None:
    before = json.dumps(data)
    found = parse_credential(platform, data)
    assert type(found) is kind
    assert reveal(found) == written
    assert parse_credential(platform, json.loads(json.dumps(reveal(found)))) == found
    assert json.dumps(data) == before


@pytest.mark.parametrize(("platform", "data", "kind", "written"), GOOD)
def test_nothing_that_shows_a_credential_shows_its_secrets(
    platform: str, data: dict[str, Any], kind: type, written: dict[str, Any]
) -> None:
    found = parse_credential(platform, data)
    secrets = secrets_of(found)
    assert secrets
    shown = f"{found!r} {found} {found.model_dump()} {found.model_dump_json()} {masked(found)}"
    assert not [secret for secret in secrets if secret in shown]
    assert {each[1:] for each in masked(found).values() if str(each)[0] == "…"} <= {
        "", *(secret[-4:] for secret in secrets)
    }  # fmt: skip


def test_of_a_short_secret_nothing_is_shown() -> None:
    assert masked(parse_credential("deepseek", {"api_key": "sk-123456789012"})) == {"api_key": "…"}
    assert masked(parse_credential("deepseek", {"api_key": CANARY})) == {"api_key": "…cdef"}


BAD: list[tuple[str, Any, str]] = [
    ("tiktok", {}, "no platform “tiktok”"),
    ("ZOOM", S2S, "no platform “ZOOM”"),
    ("", {}, "no platform"),
    ("zoom", {}, "credential.account_id"),
    ("zoom", {"account_id": "a", "client_id": "c"}, "credential.client_secret` is missing"),
    ("zoom", {**S2S, "client_secret": ""}, "credential.client_secret` is missing"),
    ("zoom", {**S2S, "client_secret": "  "}, "credential.client_secret` is empty"),
    ("zoom", {**S2S, "client_secret": None}, "credential.client_secret` is missing"),
    ("zoom", {**S2S, "client_secret": f"{CANARY}\nX"}, "credential.client_secret` has a line"),
    ("zoom", {**S2S, "client_secret": [CANARY]}, "credential.client_secret`"),
    ("zoom", {**S2S, "webhook_secret": " "}, "credential.webhook_secret` is empty"),
    ("youtube", {**GRANT, "webhook_secret": CANARY}, "webhook_secret` is not a known key"),
    ("zoom", {**S2S, "client_secret": CANARY * 500}, "credential.client_secret`"),
    ("zoom", {**S2S, "client_secrt": CANARY}, "credential.client_secrt` is not a known key"),
    ("zoom", {**S2S, "api_key": CANARY}, "credential.api_key` is not a known key"),
    ("zoom", {**S2S, "account_id": 7}, "credential.account_id` must be a text"),
    ("zoom", {**S2S, "access_token": CANARY}, "credential.account_id` is not a known key"),
    ("zoom", {**GRANT, "device_id": "d"}, "credential.device_id` is not a known key"),
    ("zoom", {**GRANT, "expires_at": "soon"}, "credential.expires_at` must be a time"),
    ("zoom", {**GRANT, "expires_at": 1770000000}, "credential.expires_at`"),
    ("zoom", {**GRANT, "scopes": [1]}, "credential.scopes[0]` must be a text"),
    ("youtube", {"client_secrets": {"web": {"client_id": "1"}}}, "needs an access_token"),
    ("youtube", {"api_key": CANARY}, "credential.api_key` is not a known key"),
    ("youtube", {**GRANT, "token_uri": "file:///x"}, "credential.token_uri`"),
    ("youtube", {"token": {**GRANT, "scret": CANARY}}, "credential.token.scret` is not a known"),
    ("youtube", {"client_secrets": {"web": {"x": CANARY}}, **GRANT},
     "credential.client_secrets.web.x` is not a known key"),
    ("youtube", {**GRANT, "web": {"device_id": CANARY}}, "credential.web.device_id` is not a"),
    ("vk", {}, "credential.access_token` is missing"),
    ("vk", {"access_token": True}, "credential.access_token` must be a text"),
    ("vk", {"access_token": CANARY, "user_id": True}, "credential.user_id` must be a text"),
    ("vk", {"device_id": "d"}, "needs an access_token"),
    ("fireworks", {}, "credential.api_key` is missing"),
    ("fireworks", {"api_key": {"key": CANARY}}, "credential.api_key` must be a text"),
    ("fireworks", {"api_key": CANARY, "secret": CANARY}, "credential.secret` is not a known key"),
    ("deepseek", {"api_key": 7}, "credential.api_key` must be a text"),
    ("deepseek", {"api_key": "a\0b"}, "credential.api_key`"),
    ("deepseek", {"api_key": CANARY, "account_id": "a"}, "credential.account_id` is not a known"),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "data", "said"), BAD)
def test_a_wrong_document_is_refused_at_its_path_and_not_shown(
    platform: str, data: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError) as refused:
        parse_credential(platform, data)
    assert said in str(refused.value)
    assert "canary" not in "".join(traceback.format_exception(refused.value))


def test_a_token_expires_at_its_time() -> None:
    end = datetime(2026, 2, 5, 13, tzinfo=UTC)
    token = parse_credential("zoom", {**GRANT, "expires_at": end.isoformat()})
    assert isinstance(token, Tokens)
    assert token.has_expired(end)
    assert not token.has_expired(end - timedelta(seconds=1))
    unknown = parse_credential("zoom", GRANT)
    assert isinstance(unknown, Tokens)
    assert not unknown.has_expired(end)
