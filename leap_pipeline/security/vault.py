"""Stored secrets: JSON documents encrypted with Fernet, under keys that can be changed.

What one process encrypts every other can decrypt, while keys come and go: a vault looks at the key
file before it writes, and again when a token does not open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from leap_pipeline.errors import Undecryptable
from leap_pipeline.security.keys import KeyFile, KeySource, Version, key_source
from leap_pipeline.settings import Settings


@dataclass(frozen=True)
class _Ring:
    """One reading of the keys."""

    version: Version
    size: int
    first: Fernet
    all: MultiFernet


class Vault:
    """Encrypts with the first key, decrypts with any. Safe to share between threads."""

    def __init__(self, source: KeySource) -> None:
        self._source = source
        self._ring = self._read()

    def __repr__(self) -> str:
        return f"Vault({self._source.name})"

    @property
    def key_count(self) -> int:
        return self._current().size

    def encrypt(self, data: Mapping[str, Any]) -> str:
        """The document as a Fernet token (ASCII), written with the key that is first now.

        Raises UserActionError where the key file is gone: what is written with a key that nobody
        keeps any more would be lost.
        """
        document = json.dumps(dict(data), ensure_ascii=False, separators=(",", ":"))
        return self._current().first.encrypt(document.encode()).decode()

    def decrypt(self, token: str) -> dict[str, Any]:
        """The document of a token. Raises Undecryptable."""
        try:
            found = json.loads(self._opened(token))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            msg = "A stored secret is no JSON object inside: remove it, and enter it again."
            raise Undecryptable(msg)
        return found

    def reencrypt(self, token: str) -> str:
        """The same content under the first key, its time of birth kept. Raises Undecryptable."""
        try:
            return self._current().all.rotate(token.encode()).decode()
        except InvalidToken:
            raise self._shut() from None

    def is_current(self, token: str) -> bool:
        """Is it written with the first key?"""
        try:
            self._current().first.decrypt(token.encode())
        except InvalidToken:
            return False
        return True

    def can_decrypt(self, token: str) -> bool:
        try:
            self._opened(token)
        except Undecryptable:
            return False
        return True

    def needs_older(self, token: str) -> bool:
        """Does it open, but not with the first key?"""
        return not self.is_current(token) and self.can_decrypt(token)

    def _opened(self, token: str) -> bytes:
        """With the keys at hand; else with those that another process has added since."""
        raw = token.encode()
        try:
            return self._ring.all.decrypt(raw)
        except InvalidToken:
            pass
        try:
            return self._current().all.decrypt(raw)
        except InvalidToken:
            raise self._shut() from None

    def _shut(self) -> Undecryptable:
        msg = (
            f"A stored secret opens with none of the keys of {self._source.name}: put the key "
            "back that it was written with, or connect the account again."
        )
        return Undecryptable(msg)

    def _current(self) -> _Ring:
        if self._source.version() != self._ring.version:
            self._ring = self._read()
        return self._ring

    def _read(self) -> _Ring:
        # The version first: keys that change in between are noticed at the next look.
        version = self._source.version()
        every = [Fernet(key) for key in self._source.read()]
        return _Ring(version, len(every), every[0], MultiFernet(every))


def load_vault(settings: Settings) -> Vault:
    """The vault of a home; makes its key file where there is none.

    Raises UserActionError for keys that are missing or malformed.
    """
    source = key_source(settings)
    if isinstance(source, KeyFile):
        source.ensure()
    return Vault(source)
