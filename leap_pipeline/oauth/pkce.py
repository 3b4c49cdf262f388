"""PKCE (RFC 7636): only who began a login can end it."""

from __future__ import annotations

import base64
import hashlib
import secrets

from pydantic import SecretStr

from leap_pipeline.redaction import remember

RANDOM_BYTES = 64  # 86 characters; 43 to 128 are allowed


def new_verifier() -> SecretStr:
    """A verifier of 86 characters that nobody guesses."""
    verifier = secrets.token_urlsafe(RANDOM_BYTES)
    remember(verifier)
    return SecretStr(verifier)


def challenge_of(verifier: SecretStr) -> str:
    """Its S256 challenge, in base64url without padding."""
    digest = hashlib.sha256(verifier.get_secret_value().encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
