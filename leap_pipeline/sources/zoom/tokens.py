"""Access tokens: where they come from, and one request for the many callers that need one.

https://developers.zoom.us/docs/integrations/oauth/ and …/docs/internal-apps/s2s-oauth/
"""

from __future__ import annotations

from typing import Protocol

from pydantic import SecretStr


class TokenSource(Protocol):
    """Gives out one credential's access token. Safe to share between threads."""

    def get(self) -> SecretStr:
        """A token that has not ended, from the cache where there is one."""

    def renew(self, refused: SecretStr) -> SecretStr:
        """Another token than the one that Zoom just refused.

        Many callers who saw the same one refused cause one request. Raises CredentialRefused where
        Zoom gives none, TransientError and MustWaitError where it gives none now.
        """
