"""Which recordings of a source are wanted, and the reasons for which a sync skips the others.

A sync takes its own reasons back when their cause goes; those that a person wrote it leaves alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

BLANK = "It is blank: too short or too small."
TOO_SHORT = "It is shorter than its source takes."
TOO_LONG = "It is longer than its source takes."
UNMATCHED = "No template takes it, and its source skips those."
GIVEN_UP = "Its source had no video of it a day after it was first seen."
SYNC_REASONS = frozenset({BLANK, TOO_SHORT, TOO_LONG, UNMATCHED, GIVEN_UP})

FIRST_LOOK = timedelta(minutes=5)
LONGEST_GAP = timedelta(hours=4)
GIVE_UP_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Bounds:
    """What is blank, and what is skipped. Bounds belong to the range; None = no bound.

    `min_seconds` and `min_bytes` are the installation's, unless the source has a minimum of its
    own; `own_minimum` says that.
    """

    min_seconds: int
    min_bytes: int
    max_seconds: int | None = None
    skip_blank: bool = True
    own_minimum: bool = False


@dataclass(frozen=True)
class Verdict:
    """`skip` is the reason, None where the recording is wanted."""

    blank: bool
    skip: str | None


def judge(bounds: Bounds, seconds: int | None, size: int | None) -> Verdict:
    """Judge a recording of so many seconds and bytes; what is not known speaks for it."""
    short = seconds is not None and seconds < bounds.min_seconds
    small = size is not None and size < bounds.min_bytes
    if (short or small) and bounds.skip_blank:
        return Verdict(blank=True, skip=TOO_SHORT if short and bounds.own_minimum else BLANK)
    most = bounds.max_seconds
    long = seconds is not None and most is not None and seconds > most
    return Verdict(blank=short or small, skip=TOO_LONG if long else None)


def next_look(age: timedelta) -> timedelta | None:
    """How long until what a source prepares is looked at again, when it was first seen `age` ago.

    The gaps grow; after a day there is no next one.
    """
    left = GIVE_UP_AFTER - age
    if left <= timedelta():
        return None
    return min(max(age / 2, FIRST_LOOK), LONGEST_GAP, left)


def gap_after(failures: int) -> timedelta | None:
    """The same for what failed so often already, each time after such a gap."""
    age = timedelta()
    for _ in range(failures):
        gap = next_look(age)
        if gap is None:
            return None
        age += gap
    return next_look(age)
