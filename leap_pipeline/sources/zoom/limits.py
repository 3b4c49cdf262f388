"""How often Zoom answers: requests a second, by the account's plan and the request's category.

All apps of an account share these. https://developers.zoom.us/docs/api/rate-limits/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

from leap_pipeline.errors import InputError

Category = Literal["light", "medium", "heavy"]

PER_SECOND: Mapping[str, Mapping[Category, int]] = {
    "free": {"light": 4, "medium": 2, "heavy": 1},
    "pro": {"light": 30, "medium": 20, "heavy": 10},
    "business": {"light": 80, "medium": 60, "heavy": 40},
}


class RateGate(Protocol):
    """What every request to an account passes."""

    def wait(self, category: Category) -> None:
        """Return when the next request may go out; MustWaitError where that is far off."""

    def block(self, category: Category, until: datetime) -> None:
        """Let nobody through before `until`: Zoom said so."""


class NoGate:
    """For what runs alone: Zoom's own answers are all that holds it back."""

    def wait(self, category: Category) -> None:
        """Go on at once."""

    def block(self, category: Category, until: datetime) -> None:
        """Nobody else has to know."""


def rate_per_second(plan: str, category: Category) -> int:
    """Requests a second. Raises InputError for a plan that Zoom does not have."""
    if plan not in PER_SECOND:
        msg = f"There is no Zoom plan “{plan:.20}”: use one of {', '.join(PER_SECOND)}."
        raise InputError(msg)
    return PER_SECOND[plan][category]
