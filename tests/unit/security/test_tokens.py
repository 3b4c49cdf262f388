"""Signed tokens, and the key that signs them."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from leap_pipeline.errors import UserActionError
from leap_pipeline.redaction import redact
from leap_pipeline.security.tokens import (
    KEY_FILE,
    Claims,
    TokenSigner,
    fingerprint,
    load_signer,
    new_token,
)
from leap_pipeline.settings import Settings

KEY = "k" * 43
WHO = Claims("01J00000000000000000000001", "01J00000000000000000000002")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
CONTENT = {"sub": "1", "fam": "2", "jti": "3", "iat": NOW, "exp": LATER}


def test_a_token_says_whom_it_was_made_for_and_no_two_are_the_same() -> None:
    signer = TokenSigner(KEY)
    first, second = (signer.sign(WHO, NOW, LATER) for _ in range(2))
    assert signer.read(first) == signer.read(second) == WHO
    assert first != second
    assert len(fingerprint(first)) == 64
    assert fingerprint(first) != fingerprint(second)


def test_its_time_is_not_this_machines_to_judge() -> None:
    long_ago = NOW - timedelta(days=9999)
    signer = TokenSigner(KEY)
    assert signer.read(signer.sign(WHO, long_ago, long_ago)) == WHO
    assert signer.read(signer.sign(WHO, LATER + timedelta(days=9999), LATER)) == WHO


@pytest.mark.parametrize(
    "token",
    [
        jwt.encode(CONTENT, "another key of 43 characters" + "x" * 15, algorithm="HS256"),
        jwt.encode(CONTENT, "", algorithm="none"),
        jwt.encode(CONTENT, KEY * 2, algorithm="HS512"),
        jwt.encode({**CONTENT, "sub": None}, KEY, algorithm="HS256"),
        jwt.encode({name: CONTENT[name] for name in ("sub", "exp")}, KEY, algorithm="HS256"),
        jwt.encode(CONTENT, KEY, algorithm="HS256")[:-3] + "AAA",
        jwt.encode({**CONTENT, "more": "x" * 2000}, KEY, algorithm="HS256"),
    ],
)
def test_what_this_key_has_not_signed_says_nothing(token: str) -> None:
    assert TokenSigner(KEY).read(jwt.encode(CONTENT, KEY, algorithm="HS256")) == Claims("1", "2")
    assert TokenSigner(KEY).read(token) is None


def test_the_key_is_made_at_first_use_and_hidden_everywhere(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    token = load_signer(settings).sign(WHO, NOW, LATER)
    path = tmp_path / "home" / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_signer(settings).read(token) == WHO
    assert path.read_text().strip() not in redact(f"the key is {path.read_text()}")


@pytest.mark.parametrize("content", ["", "short", "ключ" * 20, "x" * 42 + " " * 9])
def test_a_damaged_key_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_FILE).write_text(content, encoding="utf-8")
    with pytest.raises(UserActionError, match=KEY_FILE):
        load_signer(Settings(home=tmp_path))


def test_a_home_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserActionError, match="cannot be used"):
        load_signer(Settings(home=tmp_path / "file"))


def test_nobody_guesses_a_token() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) == 43
    assert os.sep not in new_token()
