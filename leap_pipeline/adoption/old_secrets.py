"""Opening the credentials of the original platform: Fernet under a key made of a text.

PBKDF2-HMAC-SHA256 of the text, with a fixed salt and 100,000 rounds, in URL-safe base64.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from leap_pipeline.redaction import remember

SALT = "zoom_publishing_salt"
ROUNDS = 100_000


class OldSecrets:
    """Decrypts what was encrypted with one text and salt."""

    def __init__(self, secret: str, salt: str = SALT) -> None:
        remember(secret)
        key = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt.encode(), ROUNDS)
        self._fernet = Fernet(base64.urlsafe_b64encode(key))

    def __repr__(self) -> str:
        return "OldSecrets()"

    def open(self, token: str) -> dict[str, Any] | None:
        """The document of a token; None where it does not open, or is no object inside."""
        try:
            found = json.loads(self._fernet.decrypt(token.encode()))
        except (InvalidToken, ValueError):
            return None
        return found if isinstance(found, dict) else None
