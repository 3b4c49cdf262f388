"""How often VK answers, and what it takes in one upload.

https://dev.vk.com/api/api-requests, https://dev.vk.com/method/video.save
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

PER_SECOND = 3
"""Requests a second with one user's token, over all processes and machines."""
LARGEST_FORM = 2 * 1024**3
"""Bytes of one upload in a single form; what VK does with more is not documented."""


class Gate(Protocol):
    """What every request with a token passes; an upload itself does not."""

    def wait(self) -> None:
        """Return when the next request may go out; MustWaitError where that is far off."""

    def block(self, until: datetime) -> None:
        """Let nobody through before `until`: VK said so."""


class NoGate:
    """For what runs alone: VK's own answers are all that holds it back."""

    def wait(self) -> None:
        """Go on at once."""

    def block(self, until: datetime) -> None:
        """Nobody else has to know."""
