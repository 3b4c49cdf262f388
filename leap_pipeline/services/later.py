"""When a run goes on that a platform could not serve now."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from leap_pipeline.errors import MustWaitError

SPREAD = timedelta(minutes=4)
"""What waits for the same moment comes back within so long after it."""
Dice = Callable[[float, float], float]


def later(why: str, due: datetime, dice: Dice = random.uniform) -> MustWaitError:
    """The error that ends a run until `due`, or by chance a little after it.

    What a platform turned away together does not come back together. `why` is a sentence; `dice`
    gives a number between two.
    """
    spread = timedelta(seconds=dice(0.0, SPREAD.total_seconds()))
    return MustWaitError(f"{why.rstrip('.')}; it goes on later.", due + spread)
