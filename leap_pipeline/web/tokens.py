"""Access tokens of one credential: kept until shortly before they end, asked for once by many."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from pydantic import SecretStr

from leap_pipeline.errors import LeapError


class TokenSource(Protocol):
    """Gives out one credential's access token. Safe to share between threads."""

    def get(self) -> SecretStr:
        """A token that has not ended, from the cache where there is one."""

    def renew(self, refused: SecretStr) -> SecretStr:
        """Another token than the one that was just refused.

        Many callers who saw the same one refused cause one request. Raises CredentialRefused where
        the service gives none, TransientError and MustWaitError where it gives none now.
        """


@dataclass(frozen=True)
class Held:
    """A token, and until when it is used; None: until it is refused."""

    token: SecretStr
    until: datetime | None


class SharedToken(ABC):
    """A TokenSource that fetches one at a time; whoever waited shares what came of it."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: Held | None = None
        self._ended_fetches = 0
        self._failure: LeapError | None = None

    def get(self) -> SecretStr:
        """See TokenSource."""
        held = self._held
        return held.token if held is not None and self._is_good(held) else self._fresh(None)

    def renew(self, refused: SecretStr) -> SecretStr:
        """See TokenSource."""
        return self._fresh(refused)

    @abstractmethod
    def _fetch(self, refused: SecretStr | None) -> Held:
        """A token that is not the refused one, however it comes; one caller at a time."""

    def _fresh(self, refused: SecretStr | None) -> SecretStr:
        before = self._ended_fetches
        with self._lock:
            held = self._held
            if held is not None and held.token != refused and self._is_good(held):
                return held.token
            if self._ended_fetches != before and self._failure is not None:
                raise self._failure
            try:
                self._held, self._failure = self._fetch(refused), None
            except LeapError as failure:
                self._failure = failure
                raise
            finally:
                self._ended_fetches += 1
            return self._held.token

    def _is_good(self, held: Held) -> bool:
        return held.until is None or self._clock() < held.until
