"""How long a platform is asked about a published video, and what its answers mean. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

PROCESSING, PROCESSED, FAILED, GONE = "processing", "processed", "failed", "gone"
RIGHT_DURATION = "right_duration"
CHECKS: Mapping[str, str] = {
    PROCESSED: "The platform has processed the video, so that it can be watched.",
    RIGHT_DURATION: "It plays as long there as the file that was sent, within 1 s or 1 %.",
}
"""Names and descriptions of what is checked of a published video."""

FIRST_GAP = timedelta(seconds=30)
LONGEST_GAP = timedelta(hours=1)
GIVE_UP_AFTER = timedelta(days=3)
SETTLING = timedelta(hours=1)
"""A platform may take so long to list a video that it has."""
SEARCHED_AGAIN_AFTER = timedelta(hours=1)
FIRST_REST = timedelta(minutes=1)
LONGEST_REST = timedelta(hours=6)
LEAST_TOLERANCE = 1.0  # seconds: platforms round
TOLERANCE = 0.01  # of the playing time

UNEXPLAINED: Mapping[str, str] = {
    GONE: "The platform has no such video any more.",
    FAILED: "The platform could not process it, and does not say why.",
}
UNSAID = "It does not say how long it plays."


@dataclass(frozen=True)
class Judged:
    """What is stored of a look; without a `gap` it was the last one."""

    state: str
    note: str | None
    gap: timedelta | None


def next_gap(age: timedelta) -> timedelta | None:
    """How long until the next look at a video that was uploaded `age` ago; None after three days.

    The gaps grow from half a minute to an hour.
    """
    left = GIVE_UP_AFTER - age
    if left <= timedelta():
        return None
    return min(max(age / 2, FIRST_GAP), LONGEST_GAP, left)


def rest(age: timedelta) -> timedelta:
    """How long to leave a platform alone that could not answer about such a video."""
    return min(max(age / 2, FIRST_REST), LONGEST_REST)


def judge(
    state: str,
    seconds: float | None,
    reason: str | None,
    age: timedelta,
    *,
    sent: float | None = None,
) -> Judged:
    """What an answer comes to, for a video that was uploaded `age` ago.

    `seconds` of playing time there, None while the platform does not tell; `sent` is that of the
    file. A processed video with a note has another one.
    """
    gap = next_gap(age)
    if state == GONE and age < SETTLING:
        return Judged(PROCESSING, "It is not listed yet.", gap)
    if state == PROCESSED and seconds is None:
        return Judged(PROCESSING if gap else PROCESSED, UNSAID, gap)
    if state == PROCESSING and gap is None:
        days = GIVE_UP_AFTER.days
        return Judged(PROCESSING, reason or f"It is still processing after {days} days.", None)
    if state == PROCESSED:
        return Judged(state, _duration_note(sent, seconds), None)
    return Judged(state, reason or UNEXPLAINED.get(state), gap if state == PROCESSING else None)


def searches_by(age: timedelta) -> int:
    """How often by now a platform is asked whether it has two of what was sent again `age` ago.

    At the first look, and once more after an hour: the first one may be listed even later.
    """
    return 1 if age < SEARCHED_AGAIN_AFTER else 2


def right_duration(sent: float, there: float) -> bool:
    """Whether two playing times (seconds) are the same: within a second or one per cent."""
    return abs(sent - there) <= max(LEAST_TOLERANCE, TOLERANCE * sent)


def _duration_note(sent: float | None, there: float | None) -> str | None:
    if sent is None or there is None or right_duration(sent, there):
        return None
    return f"It plays {there:g} s there, and the file that was sent {sent:g} s."
