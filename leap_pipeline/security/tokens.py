"""Tokens that people carry: signed refresh tokens, and what is kept of any token.

A refresh token is a JWT (HS256) that names its user and its family; what it is worth is asked of
its row, so a thief of the database has hashes only, and a thief of the key still needs a row.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jwt

from leap_pipeline.errors import UserActionError
from leap_pipeline.redaction import remember
from leap_pipeline.runtime_files import file_lock, write_private
from leap_pipeline.settings import Settings

KEY_FILE = "session.key"
KEY_BYTES = 32
LONGEST_TOKEN = 2000
LOCK_SECONDS = 30.0
_KEY = re.compile(r"[A-Za-z0-9_-]{43,}")
# Whether a token has expired is the database's clock's to say, and so its row's.
_OPTIONS: jwt.types.Options = {
    "require": ["sub", "fam", "jti", "iat", "exp"],
    "verify_exp": False,
    "verify_iat": False,
}


@dataclass(frozen=True)
class Claims:
    """Whom a genuine token names: ULIDs of its user and its family."""

    user_id: str
    family_id: str


class TokenSigner:
    """Makes and reads refresh tokens."""

    def __init__(self, key: str) -> None:
        self._key = key

    def sign(self, claims: Claims, issued_at: datetime, expires_at: datetime) -> str:
        """A new token, different from every other one."""
        content = {
            "sub": claims.user_id,
            "fam": claims.family_id,
            "jti": new_token(),
            "iat": issued_at,
            "exp": expires_at,
        }
        return jwt.encode(content, self._key, algorithm="HS256")

    def read(self, token: str) -> Claims | None:
        """What a token says; None for one that this key has not signed."""
        if len(token) > LONGEST_TOKEN:
            return None
        try:
            content = jwt.decode(token, self._key, algorithms=["HS256"], options=_OPTIONS)
        except (jwt.InvalidTokenError, UnicodeError):
            return None
        return Claims(str(content["sub"]), str(content["fam"]))


def load_signer(settings: Settings) -> TokenSigner:
    """The signer of this home; its key is made at first use, readable by its owner alone.

    Raises UserActionError where the key file cannot be made or read.
    """
    path = settings.home.resolve() / KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be used ({error}): give this account the right to read and make it."
        raise UserActionError(msg) from error
    if not _KEY.fullmatch(key):
        msg = f"{path} holds no key: remove it, and a new one is made (everybody logs in again)."
        raise UserActionError(msg)
    remember(key)
    return TokenSigner(key)


def new_token() -> str:
    """43 characters that nobody guesses, fit for a URL."""
    return secrets.token_urlsafe(KEY_BYTES)


def fingerprint(token: str) -> str:
    """What is kept of a token: its SHA-256, 64 hex digits.

    A plain hash is enough, for a token is random and cannot be guessed from it.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _make_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    with file_lock(lock, timeout=LOCK_SECONDS, what="The session key"):
        if not path.exists():
            write_private(path, new_token() + "\n")
